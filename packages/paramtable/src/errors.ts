/** Every failure of a table that is not a programming mistake. Bad arguments are `TypeError` and `RangeError`. */
const codes = {
  PARAM_DOTENV: { retryable: false, summary: 'The text is not a `.env` file, or one in which a variable is there twice.' },
  PARAM_IMMUTABLE: { retryable: false, summary: 'The parameter was read already and may not change while the process runs.' },
  PARAM_INVALID: { retryable: false, summary: 'A value does not fit the declaration of its parameter.' },
  PARAM_JSON: { retryable: false, summary: 'The text is not JSON, or JSON that a table of parameters does not take.' },
  PARAM_MISSING: { retryable: false, summary: 'A typed getter found no value and no default.' },
  PARAM_SOURCE_FAILED: { retryable: true, summary: 'A file could not be read.' },
  PARAM_TOML: { retryable: false, summary: 'The text is not TOML, or TOML that a table of parameters does not take.' },
  PARAM_TOO_LARGE: { retryable: false, summary: 'More keys or bytes than the limits of the table.' },
  PARAM_UNKNOWN: { retryable: false, summary: 'The table is strict and no parameter with this key is declared.' },
  PARAM_WATCH_LOOP: { retryable: false, summary: 'Listeners kept changing the table from within their own calls.' },
  PARAM_YAML: { retryable: false, summary: 'The text is not YAML, or YAML that a table of parameters does not take.' },
} as const

export type ParamErrorCode = keyof typeof codes
export const PARAM_ERROR_CODES: Readonly<Record<ParamErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

/** One value that was refused. */
export interface ParamProblem {
  readonly code: ParamErrorCode
  readonly key: string
  /** Where it came from, such as `milvus.yaml:3:5`, `environment variable X` or `save()`. */
  readonly source: string
  readonly message: string
}

export interface ParamErrorOptions {
  readonly cause?: unknown
  /** Changes are all or nothing: after an error the table is as before. */
  readonly outcome?: 'not-applied' | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** The one error class of this package. Recognise it with {@link isParamError}, which also knows other copies of the package. */
export class ParamError extends Error {
  override readonly name: string = 'ParamError'
  readonly code: ParamErrorCode
  readonly retryable: boolean
  readonly outcome: 'not-applied' | undefined
  /** `problems`: a {@link ParamProblem} for each refused value; `key` and `source` of the first. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ParamErrorCode, message: string, options: ParamErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = codes[code].retryable
    this.outcome = options.outcome
    this.details = options.details ?? {}
  }

  toJSON(): Record<string, unknown> {
    return { name: this.name, code: this.code, message: this.message, retryable: this.retryable, outcome: this.outcome, details: this.details }
  }
}

/** True for a ParamError of this or any other copy of the package, with this code if one is given. */
export function isParamError(error: unknown, code?: ParamErrorCode): error is ParamError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code: itsCode } = error as { name?: unknown; code?: unknown }
  return name === 'ParamError' && typeof itsCode === 'string' && (code === undefined || itsCode === code)
}

/** All refused values as one error: the first in the message, all in `details.problems`. */
export function problemsError(problems: readonly ParamProblem[]): ParamError {
  const [first] = problems
  if (first === undefined) throw new TypeError('expected at least one problem')
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  const details = { key: first.key, source: first.source, problems: problems.slice(0, 100) }
  return new ParamError(first.code, `${first.source}: ${first.message}${more}`, { outcome: 'not-applied', details })
}
