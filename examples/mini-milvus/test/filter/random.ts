import type { Node } from './naive.ts'
import type { Cell, Row } from './table.ts'

/** mulberry32 */
export function randomFrom(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export class Dice {
  readonly next: () => number

  constructor(seed: number) {
    this.next = randomFrom(seed)
  }

  below(n: number): number {
    return Math.floor(this.next() * n)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  chance(p: number): boolean {
    return this.next() < p
  }
}

const OPS = ['==', '!=', '<', '<=', '>', '>='] as const
const WORDS = ['', 'a', 'ab', 'abc', 'b_c', 'b%c', 'äö', '😀', '\uffee', 'q"q', 'back\\slash', 'aab', 'line\nend']
const BIG = [0n, 1n, -1n, 2n, 3n, 7n, 4294967295n, 4294967296n, -4294967297n, 9223372036854775807n, -9223372036854775808n]
const DOUBLES = [0, 0.5, -0.5, 1, 1.5, 2, 0.1, -7.25, 1e10, 3.4e38]
const KEYS = ['a', 'b', 'k', 'x y', 'q"', '__proto__', 'constructor', '0']

function json(d: Dice, depth: number): unknown {
  const kind = d.below(depth > 2 ? 5 : 8)
  if (kind === 0) return null
  if (kind === 1) return d.chance(0.5)
  if (kind === 2) return d.pick(WORDS)
  if (kind === 3) return d.below(5) - 1
  if (kind === 4) return d.pick(DOUBLES)
  if (kind === 5) return Array.from({ length: d.below(4) }, () => json(d, depth + 1))
  return object(d, depth + 1)
}

function object(d: Dice, depth: number): Record<string, unknown> {
  // fromEntries defines members: "__proto__" too becomes an ordinary one.
  return Object.fromEntries(Array.from({ length: d.below(5) }, () => [d.pick(KEYS), json(d, depth)]))
}

export function randomRow(d: Dice, id: number): Row {
  const or = (cell: Cell): Cell => (d.chance(0.2) ? null : cell)
  return {
    id: BigInt(id),
    flag: or(d.chance(0.5)),
    i8: or(d.below(8) - 3),
    i16: or(d.below(8) - 3),
    i32: or(d.pick([0, 1, 2, 3, -1, 2147483647, -2147483648])),
    i64: or(d.pick(BIG)),
    f32: or(Math.fround(d.pick(DOUBLES))),
    f64: or(d.pick(DOUBLES)),
    name: or(d.pick(WORDS)),
    other: or(d.pick(WORDS)),
    doc: or(object(d, 0)),
    ints: or(Array.from({ length: d.below(4) }, () => d.pick(BIG))),
    words: or(Array.from({ length: d.below(4) }, () => d.pick(WORDS))),
    at: null,
    $meta: object(d, 0),
    shape: or(randomShape(d)),
  }
}

/** On a small grid, so that shapes touch, hold and cross each other. */
export function randomShape(d: Dice): string {
  const x = d.below(7) - 3
  const y = d.below(7) - 3
  const w = d.below(3) + 1
  const h = d.below(3) + 1
  return d.pick([
    `POINT (${x} ${y})`,
    `point(${x}.5 ${y}.25)`,
    `LINESTRING (${x} ${y}, ${x + w} ${y + h})`,
    `POLYGON ((${x} ${y}, ${x + w} ${y}, ${x + w} ${y + h}, ${x} ${y + h}, ${x} ${y}))`,
    `MULTIPOINT ((${x} ${y}), (${x + w} ${y - h}))`,
    `GEOMETRYCOLLECTION (POINT (${x} ${y}), LINESTRING (${x} ${y}, ${x - w} ${y}))`,
    'POLYGON EMPTY',
    'POINT (no point)',
  ])
}

export function randomGeometryFilter(d: Dice): string {
  const name = d.pick(['equals', 'touches', 'overlaps', 'crosses', 'contains', 'intersects', 'within', 'within', 'intersects', 'dwithin', 'isvalid'])
  if (name === 'isvalid') return 'ST_ISVALID(shape)'
  if (name === 'dwithin') return `st_dwithin(shape, "POINT (${d.below(9) - 4} ${d.below(9) - 4})", ${d.pick([0, 1000, 120_000, 400_000])})`
  let shape = randomShape(d)
  while (shape.includes('no point') || shape.includes('COLLECTION')) shape = randomShape(d)
  return `st_${name}(shape, "${shape}")`
}

const PATTERN_BITS = ['a', 'b', 'ab', '%', '%', '_', '\\%', '\\_', 'ä', '😀', '\\\\', '"', '%_']

type Place = { field: string; path: (string | number)[]; kind: 'int' | 'float' | 'string' | 'bool' | 'json' }

function place(d: Dice): Place {
  const kind = d.below(9)
  if (kind === 0) return { field: d.pick(['i8', 'i16', 'i32']), path: [], kind: 'int' }
  if (kind === 1) return { field: 'i64', path: [], kind: 'int' }
  if (kind === 2) return { field: d.pick(['f32', 'f64']), path: [], kind: 'float' }
  if (kind === 3) return { field: d.pick(['name', 'other']), path: [], kind: 'string' }
  if (kind === 4) return { field: 'flag', path: [], kind: 'bool' }
  if (kind === 5) return { field: 'ints', path: [d.below(4)], kind: 'int' }
  if (kind === 6) return { field: 'words', path: [d.below(4)], kind: 'string' }
  return jsonPlace(d)
}

function jsonPlace(d: Dice): Place {
  const path = Array.from({ length: 1 + d.below(3) }, () => (d.chance(0.7) ? d.pick(KEYS) : d.below(3)))
  if (d.chance(0.5)) return { field: 'doc', path, kind: 'json' }
  return d.chance(0.5) ? { field: '$meta', path, kind: 'json' } : { field: d.pick(['a', 'b', 'k', 'constructor', '__proto__']), path: path.slice(1), kind: 'json' }
}

function value(d: Dice, kind: Place['kind']): boolean | bigint | number | string {
  if (kind === 'int') return d.chance(0.7) ? BigInt(d.below(8) - 3) : d.pick([...BIG, 9223372036854775808n, 2147483647n])
  if (kind === 'float') return d.chance(0.5) ? d.pick(DOUBLES) : BigInt(d.below(3))
  if (kind === 'string') return d.pick(WORDS)
  if (kind === 'bool') return d.chance(0.5)
  return value(d, d.pick(['int', 'float', 'string', 'bool'] as const))
}

export function randomNode(d: Dice, depth: number): Node {
  const kind = d.below(depth > 3 ? 12 : 17)
  const p = place(d)
  const { field, path } = p
  const list = () => Array.from({ length: d.below(6) }, () => value(d, p.kind))
  const j = jsonPlace(d)
  const numeric = p.kind === 'int' || p.kind === 'float'
  if (kind <= 2) return compare(d, p)
  if (kind === 3) return { t: 'in', field, path, values: list(), not: d.chance(0.4) }
  if (kind === 4) return { t: 'like', ...d.pick([{ field: 'name', path: [] }, { field: 'words', path: [d.below(3)] }, { field: j.field, path: j.path }]), pattern: Array.from({ length: d.below(6) }, () => d.pick(PATTERN_BITS)).join('') }
  if (kind === 5) return field === 'ints' || field === 'words' ? { t: 'null', field, path: [], not: d.chance(0.5) } : { t: 'null', field, path, not: d.chance(0.5) }
  if (kind === 6) return { t: 'exists', field: j.field, path: j.path }
  if (kind === 7) return contains(d, j)
  if (kind === 8) return { t: 'length', ...d.pick([{ field: 'ints', path: [] }, { field: 'words', path: [] }, { field: j.field, path: j.path }]), op: d.pick(OPS), value: d.below(4) }
  if (kind === 9) {
    const [left, right] = d.pick([['i8', 'i32'], ['i64', 'i16'], ['f32', 'f64'], ['i64', 'f64'], ['name', 'other']] as const)
    return { t: 'cols', left, right, op: d.pick(OPS) }
  }
  if (kind === 10 && numeric) {
    const by = p.kind === 'int' || d.chance(0.5) ? d.pick([1n, 2n, 3n, -1n]) : d.pick([0.5, 2.5])
    const op = d.pick(p.kind === 'int' && typeof by === 'bigint' ? ['+', '-', '*', '/', '%'] : ['+', '-', '*', '/'])
    return { t: 'arith', field, path, op, by, cmp: d.pick(OPS), value: BigInt(d.below(6) - 1) }
  }
  if (kind <= 11) {
    const q = numeric || p.kind === 'json' ? p : ({ field: 'i32', path: [], kind: 'int' } as Place)
    const [lowOp, highOp] = d.pick([['<', '<'], ['<=', '<='], ['<', '<='], ['>', '>='], ['>', '>']] as const)
    const bound = () => value(d, q.kind === 'json' ? d.pick(['int', 'float'] as const) : q.kind)
    return { t: 'range', field: q.field, path: q.path, low: bound(), lowOp, high: bound(), highOp }
  }
  if (kind <= 13) return { t: 'not', of: randomNode(d, depth + 1) }
  // Now and then a chain that the evaluator turns into a set.
  if (kind === 14 && d.chance(0.3)) {
    const isOr = d.chance(0.5)
    const q: Place = { field: d.pick(['i32', 'i64', 'name']), path: [], kind: 'int' }
    const kindOf = q.field === 'name' ? 'string' : 'int'
    return { t: isOr ? 'or' : 'and', of: Array.from({ length: 4 + d.below(4) }, () => ({ t: 'cmp', field: q.field, path: [], op: isOr ? '==' : '!=', value: value(d, kindOf) })) }
  }
  return { t: kind === 15 ? 'and' : 'or', of: Array.from({ length: 2 + d.below(3) }, () => randomNode(d, depth + 1)) }
}

function compare(d: Dice, { field, path, kind }: Place): Node {
  if (kind === 'json' && d.chance(0.15)) {
    return { t: 'cmp', field, path, op: d.pick(['==', '!=']), value: Array.from({ length: d.below(3) }, () => value(d, 'json')) }
  }
  const constant = value(d, kind)
  return { t: 'cmp', field, path, op: typeof constant === 'boolean' ? d.pick(['==', '!=']) : d.pick(OPS), value: constant }
}

function contains(d: Dice, j: Place): Node {
  const how = d.pick(['one', 'all', 'any'] as const)
  const p = d.pick([{ field: 'ints', path: [], kind: 'int' }, { field: 'words', path: [], kind: 'string' }, j] as Place[])
  return { t: 'contains', field: p.field, path: p.path, how, values: Array.from({ length: how === 'one' ? 1 : d.below(3) }, () => value(d, p.kind)) }
}
