/** What is known about a parameter before anybody sets it. */
import { normalizeKey, show } from './check.ts'
import { parseDeclared } from './parsers.ts'
import type { ParamValue } from './parsers.ts'

export type ParamType = 'int' | 'float' | 'bool' | 'string' | 'durationMs' | 'bytes' | 'enum' | 'list'

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
}

export interface Declared extends ParamDeclaration {
  /** The key in lower case. */
  readonly id: string
  readonly defaultText: string | undefined
}

const TYPES: ReadonlySet<string> = new Set(['int', 'float', 'bool', 'string', 'durationMs', 'bytes', 'enum', 'list'])

/** @throws {TypeError} when the declaration contradicts itself, such as a default that it would refuse. */
export function checkDeclaration(declaration: ParamDeclaration): Declared {
  if (typeof declaration !== 'object' || declaration === null) throw new TypeError(`expected a declaration, got ${show(declaration)}`)
  const id = normalizeKey(declaration.key)
  const { key, type, min, max, oneOf } = declaration
  if (!TYPES.has(type)) throw new TypeError(`expected the type of \`${key}\` to be one of ${[...TYPES].join(', ')}, got ${show(type)}`)
  if (type === 'enum' && (oneOf === undefined || oneOf.length === 0)) throw new TypeError(`expected \`${key}\`, an enum, to have \`oneOf\``)
  for (const [name, bound] of [['min', min], ['max', max]] as const) {
    if (bound !== undefined && (typeof bound !== 'number' || Number.isNaN(bound))) {
      throw new TypeError(`expected \`${name}\` of \`${key}\` to be a number, got ${show(bound)}`)
    }
  }
  const defaultText = declaration.default === undefined ? undefined : String(declaration.default)
  const declared: Declared = { ...declaration, id, defaultText }
  if (defaultText !== undefined) {
    const parsed = parseDeclared(declared, defaultText)
    if (!parsed.ok) throw new TypeError(`expected the default of \`${key}\` to be ${parsed.expected}, got ${show(declaration.default)}`)
  }
  return declared
}

/** The type of the value that a getter for a declared parameter gives. */
export type { ParamValue }

/** The declared key nearest to a mistyped one, if one is near. */
export function nearestKey(key: string, keys: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(key.length / 3)) + 1
  const wanted = key.slice(0, 200)
  for (const candidate of keys) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Levenshtein's distance, or `limit` when it is at least that. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const swap = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(swap, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return Math.min(previous[b.length] ?? limit, limit)
}
