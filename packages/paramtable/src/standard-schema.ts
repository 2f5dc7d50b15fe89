/**
 * The part of Standard Schema (version 1, standardschema.dev) that a declaration uses. Schemas of zod, valibot, arktype and others have it,
 * so that no library of schemas is needed here.
 */

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type StandardResult<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export type SchemaVerdict = { readonly ok: true; readonly output: unknown } | { readonly ok: false; readonly detail: string }

const MAX_ISSUES = 5
const MAX_DETAIL = 400

export function isStandardSchema(value: unknown): value is StandardSchema<unknown, unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard: unknown = Reflect.get(value, '~standard')
  if (typeof standard !== 'object' || standard === null) return false
  const { version, validate } = standard as { readonly version?: unknown; readonly validate?: unknown }
  return version === 1 && typeof validate === 'function'
}

/** What the schema says. One that throws, or must be waited for, refuses: a table is checked and changed in one synchronous step. */
export function askSchema(schema: StandardSchema<unknown, unknown>, value: unknown): SchemaVerdict {
  try {
    const result = schema['~standard'].validate(value)
    if (result instanceof Promise) {
      result.catch(() => undefined)
      return { ok: false, detail: 'the schema is asynchronous' }
    }
    if (result.issues === undefined) return { ok: true, output: result.value }
    return { ok: false, detail: result.issues.slice(0, MAX_ISSUES).map(issueText).join('; ').slice(0, MAX_DETAIL) }
  } catch (error) {
    return { ok: false, detail: `the schema threw ${error instanceof Error ? error.message : String(error)}`.slice(0, MAX_DETAIL) }
  }
}

function issueText({ message, path = [] }: StandardIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`
}
