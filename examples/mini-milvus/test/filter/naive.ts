/** Filters evaluated the plain way, row by row, on plain values: written apart from the real evaluator, to disagree with it. */
import type { Cell, Row } from './table.ts'

export type Bool3 = boolean | undefined
type Path = readonly (string | number)[]

export type Node =
  | { t: 'cmp'; field: string; path: Path; op: string; value: unknown }
  | { t: 'arith'; field: string; path: Path; op: string; by: number | bigint; cmp: string; value: number | bigint }
  | { t: 'range'; field: string; path: Path; low: unknown; lowOp: string; high: unknown; highOp: string }
  | { t: 'in'; field: string; path: Path; values: unknown[]; not: boolean }
  | { t: 'like'; field: string; path: Path; pattern: string }
  | { t: 'null'; field: string; path: Path; not: boolean }
  | { t: 'exists'; field: string; path: Path }
  | { t: 'contains'; field: string; path: Path; values: unknown[]; how: 'one' | 'all' | 'any' }
  | { t: 'length'; field: string; path: Path; op: string; value: number }
  | { t: 'cols'; left: string; right: string; op: string }
  | { t: 'not'; of: Node }
  | { t: 'and' | 'or'; of: Node[] }

export function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isInteger(value) ? value.toFixed(1) : String(value)
  return String(value)
}

const where = (field: string, path: Path) => field + path.map((step) => `[${JSON.stringify(step)}]`).join('')

export function text(node: Node): string {
  switch (node.t) {
    case 'cmp': return `${where(node.field, node.path)} ${node.op} ${literal(node.value)}`
    case 'arith': return `${where(node.field, node.path)} ${node.op} ${literal(node.by)} ${node.cmp} ${literal(node.value)}`
    case 'range': return `${literal(node.low)} ${node.lowOp} ${where(node.field, node.path)} ${node.highOp} ${literal(node.high)}`
    case 'in': return `${where(node.field, node.path)} ${node.not ? 'not in' : 'in'} ${literal(node.values)}`
    case 'like': return `${where(node.field, node.path)} like ${literal(node.pattern)}`
    case 'null': return `${where(node.field, node.path)} ${node.not ? 'is not null' : 'is null'}`
    case 'exists': return `exists ${where(node.field, node.path)}`
    case 'contains': {
      const f = where(node.field, node.path)
      return node.how === 'one' ? `json_contains(${f}, ${literal(node.values[0])})` : `ARRAY_CONTAINS_${node.how.toUpperCase()}(${f}, ${literal(node.values)})`
    }
    case 'length': return `array_length(${where(node.field, node.path)}) ${node.op} ${node.value}`
    case 'cols': return `${node.left} ${node.op} ${node.right}`
    case 'not': return `not (${text(node.of)})`
    default: return node.of.map((inner) => (inner.t === 'or' || inner.t === 'and' ? `(${text(inner)})` : text(inner))).join(` ${node.t} `)
  }
}

const FIELDS = new Set(['id', 'flag', 'i8', 'i16', 'i32', 'i64', 'f32', 'f64', 'name', 'other', 'doc', 'ints', 'words'])

/** undefined: null or missing */
function read(row: Row, field: string, path: Path): unknown {
  let value: unknown
  let steps = path
  if (FIELDS.has(field)) value = row[field]
  else {
    value = row['$meta'] ?? {}
    if (field !== '$meta') steps = [field, ...path]
  }
  for (const step of steps) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value ?? undefined
}

function order(a: unknown, b: unknown): number | undefined {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  const numeric = (x: unknown): x is number | bigint => typeof x === 'number' || typeof x === 'bigint'
  if (numeric(a) && numeric(b)) return a < b ? -1 : a > b ? 1 : 0
  return undefined
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]))
  return order(a, b) === 0
}

function compare(a: unknown, op: string, b: unknown): Bool3 {
  if (Array.isArray(b)) return Array.isArray(a) ? (op === '==') === same(a, b) : undefined
  const o = order(a, b)
  if (o === undefined) return undefined
  return op === '==' ? o === 0 : op === '!=' ? o !== 0 : op === '<' ? o < 0 : op === '<=' ? o <= 0 : op === '>' ? o > 0 : o >= 0
}

/** Float fields hold and compare floats. */
const cast = (field: string, value: unknown) => (field === 'f32' && (typeof value === 'number' || typeof value === 'bigint') ? Math.fround(Number(value)) : value)

function like(value: string, pattern: string): boolean {
  const chars = Array.from(value)
  const tokens: { any?: true; run?: true; char?: string }[] = []
  const p = Array.from(pattern)
  for (let i = 0; i < p.length; i++) {
    if (p[i] === '\\' && i + 1 < p.length) tokens.push({ char: p[++i] as string })
    else if (p[i] === '%') tokens.push({ run: true })
    else if (p[i] === '_') tokens.push({ any: true })
    else tokens.push({ char: p[i] as string })
  }
  let reach = new Set([0])
  for (const token of tokens) {
    const next = new Set<number>()
    for (const at of reach) {
      if (token.run) for (let j = at; j <= chars.length; j++) next.add(j)
      else if (at < chars.length && (token.any || chars[at] === token.char)) next.add(at + 1)
    }
    reach = next
  }
  return reach.has(chars.length)
}

function arithmetic(value: unknown, op: string, by: number | bigint, isFloatField: boolean): number | bigint | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined
  const isInt = !isFloatField && (typeof value === 'bigint' || Number.isSafeInteger(value)) && typeof by === 'bigint'
  if (isInt) {
    const a = BigInt(value)
    const b = by
    return BigInt.asIntN(64, op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : op === '/' ? a / b : a % b)
  }
  const a = Number(value)
  const b = Number(by)
  const r = op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : op === '/' ? a / b : NaN
  return Number.isNaN(r) ? undefined : r
}

export function holds(node: Node, row: Row): Bool3 {
  switch (node.t) {
    case 'cmp': return compare(read(row, node.field, node.path), node.op, cast(node.field, node.value))
    case 'arith': return compare(arithmetic(read(row, node.field, node.path), node.op, node.by, node.field.startsWith('f')), node.cmp, node.value)
    case 'range': {
      const value = read(row, node.field, node.path)
      const flip: Record<string, string> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' }
      return and3([compare(value, flip[node.lowOp] ?? '', cast(node.field, node.low)), compare(value, node.highOp, cast(node.field, node.high))])
    }
    case 'in': {
      const value = read(row, node.field, node.path)
      if (value === undefined) return undefined
      const isJson = node.path.length > 0 ? node.field !== 'ints' && node.field !== 'words' : !FIELDS.has(node.field)
      if (isJson && !node.values.some((item) => order(value, item) !== undefined)) return undefined
      return node.values.some((item) => order(value, cast(node.field, item)) === 0) !== node.not
    }
    case 'like': {
      const value = read(row, node.field, node.path)
      return typeof value === 'string' ? like(value, node.pattern) : undefined
    }
    case 'null': return (read(row, node.field, node.path) === undefined) !== node.not
    case 'exists': return read(row, node.field, node.path) !== undefined
    case 'contains': {
      const value = read(row, node.field, node.path)
      if (!Array.isArray(value)) return undefined
      const list: Cell[] = value
      return node.how === 'all' ? node.values.every((v) => list.some((item) => same(item, v))) : node.values.some((v) => list.some((item) => same(item, v)))
    }
    case 'length': {
      const value = read(row, node.field, node.path)
      return Array.isArray(value) ? compare(value.length, node.op, node.value) : undefined
    }
    case 'cols': {
      const a = read(row, node.left, [])
      const b = read(row, node.right, [])
      return a === undefined || b === undefined ? undefined : compare(a, node.op, b)
    }
    case 'not': {
      const inner = holds(node.of, row)
      return inner === undefined ? undefined : !inner
    }
    case 'and': return and3(node.of.map((inner) => holds(inner, row)))
    case 'or': {
      const all = node.of.map((inner) => holds(inner, row))
      return all.includes(true) ? true : all.includes(undefined) ? undefined : false
    }
  }
}

function and3(all: Bool3[]): Bool3 {
  return all.includes(false) ? false : all.includes(undefined) ? undefined : true
}
