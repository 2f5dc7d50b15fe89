/** What is known about a parameter before anybody sets it. */
import { normalizeKey, show } from './check.ts'
import { because, parseDeclared } from './parsers.ts'
import { isStandardSchema } from './standard-schema.ts'
import type { StandardSchema } from './standard-schema.ts'

/** `list`: texts between commas, or a JSON array. `json`: any JSON text; of a file an array, which stays one (a map is keys of its own). */
export type ParamType = 'int' | 'float' | 'bool' | 'string' | 'durationMs' | 'bytes' | 'enum' | 'list' | 'json'

export interface ParamDeclaration {
  /** As documents spell it, such as `etcd.rootPath`. */
  readonly key: string
  readonly type: ParamType
  /** As text or as a value of the type. Without it the parameter is unset until somebody sets it. */
  readonly default?: string | number | boolean | undefined
  /** Bounds of a number, in ms for durations and bytes for sizes; inclusive. */
  readonly min?: number | undefined
  readonly max?: number | undefined
  /** The unit of a bare number: `ms`, `s`, `m`, `h`, `d` for durations; `b`, `k`, `m`, `g` for sizes; else only documentation. */
  readonly unit?: string | undefined
  /** One or two sentences for the reference. */
  readonly doc?: string | undefined
  /** Masked wherever the table shows values; `load` and the getters give it. */
  readonly secret?: boolean | undefined
  /** Fixed from the first read on: a change is refused. */
  readonly immutable?: boolean | undefined
  /** The allowed values: required for `enum` (any letter case), possible for the others. */
  readonly oneOf?: readonly string[] | undefined
  /**
   * Asked after all else, with the value that the getter of the type would give; what it refuses is `PARAM_INVALID`. Must be synchronous and
   * pure. What it makes of the value is given by {@link GlobalParamsTable.getWith}. Any Standard Schema: zod, valibot, arktype.
   */
  readonly schema?: StandardSchema<unknown, unknown> | undefined
  /**
   * Names of earlier releases. They set and read the parameter as before; where a layer has both, the present name counts. Unlike
   * Milvus's fallback keys, which also win over a present name that says the default.
   */
  readonly deprecatedKeys?: readonly string[] | undefined
}

export interface Declared extends ParamDeclaration {
  /** The key in lower case. */
  readonly id: string
  /** Earlier names in lower case. */
  readonly oldIds: readonly string[]
  readonly defaultText: string | undefined
}

const TYPES: ReadonlySet<string> = new Set(['int', 'float', 'bool', 'string', 'durationMs', 'bytes', 'enum', 'list', 'json'])

/** @throws {TypeError} when the declaration contradicts itself, such as a default that it would refuse. */
export function checkDeclaration(declaration: ParamDeclaration): Declared {
  if (typeof declaration !== 'object' || declaration === null) throw new TypeError(`expected a declaration, got ${show(declaration)}`)
  const id = normalizeKey(declaration.key)
  const { key, type, min, max, oneOf, schema, deprecatedKeys = [] } = declaration
  if (!TYPES.has(type)) throw new TypeError(`expected the type of \`${key}\` to be one of ${[...TYPES].join(', ')}, got ${show(type)}`)
  if (type === 'enum' && (oneOf === undefined || oneOf.length === 0)) throw new TypeError(`expected \`${key}\`, an enum, to have \`oneOf\``)
  for (const [name, bound] of [['min', min], ['max', max]] as const) {
    if (bound !== undefined && (typeof bound !== 'number' || Number.isNaN(bound))) {
      throw new TypeError(`expected \`${name}\` of \`${key}\` to be a number, got ${show(bound)}`)
    }
  }
  if (schema !== undefined && !isStandardSchema(schema)) throw new TypeError(`expected \`schema\` of \`${key}\` to be a Standard Schema, got ${show(schema)}`)
  if (!Array.isArray(deprecatedKeys)) throw new TypeError(`expected \`deprecatedKeys\` of \`${key}\` to be an array, got ${show(deprecatedKeys)}`)
  const oldIds = (deprecatedKeys as readonly unknown[]).map((old) => normalizeKey(old, `deprecatedKeys of ${key}`))
  const defaultText = declaration.default === undefined ? undefined : String(declaration.default)
  const declared: Declared = { ...declaration, id, oldIds, defaultText }
  if (defaultText !== undefined) {
    const parsed = parseDeclared(declared, defaultText)
    if (!parsed.ok) throw new TypeError(`expected the default of \`${key}\` to be ${parsed.expected}, got ${declaration.secret === true ? 'a secret' : show(declaration.default)}${because(parsed)}`)
  }
  return declared
}
