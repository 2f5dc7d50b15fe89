/** Plans over UTF-8 columns: literals are encoded once, rows are never decoded. Bytes of UTF-8 order as code points do. */
import { compareBytes } from '../model/bytes.ts'
import type { StringColumn } from '../model/column.ts'
import type { FieldSchema } from '../model/schema.ts'
import type { CompareOperator } from './ast.ts'
import type { LikeMatcher } from './like.ts'
import { FALSE, markNulls, TRUE } from './plan.ts'
import type { Plan } from './plan.ts'
import { eitherProbe, gramsProbe, spansProbe } from './probe.ts'
import type { Probe } from './probe.ts'
import type { TextSpan } from '../scalar/spans.ts'

type Scan = (column: StringColumn, base: number, n: number, out: Uint8Array) => void

function stringPlan(field: FieldSchema, probe: Probe | undefined, scan: Scan): Plan {
  return {
    probe,
    run(context, out) {
      const slot = context.slot(field)
      if (slot.column.kind !== 'string') throw new Error(`field ${field.name} has a column of kind ${slot.column.kind}`)
      scan(slot.column, slot.base, context.rows, out)
      markNulls(slot, context.rows, out)
    },
  }
}

const encoder = new TextEncoder()

export function stringComparePlan(field: FieldSchema, op: CompareOperator, value: string): Plan {
  const literal = encoder.encode(value)
  const probe = spansProbe(field, { of: 'text', list: [textSpan(op, literal)] }, { outside: op === '!=' })
  if (op === '==') return stringPlan(field, probe, (column, base, n, out) => scanEqual(column, base, n, literal, TRUE, FALSE, out))
  if (op === '!=') return stringPlan(field, probe, (column, base, n, out) => scanEqual(column, base, n, literal, FALSE, TRUE, out))
  const less = op === '<' || op === '<=' ? TRUE : FALSE
  const more = op === '>' || op === '>=' ? TRUE : FALSE
  const equal = op === '<=' || op === '>=' ? TRUE : FALSE
  return stringPlan(field, probe, ({ offsets, data }, base, n, out) => {
    for (let i = 0; i < n; i++) {
      const order = compareBytes(data, offsets[base + i] ?? 0, offsets[base + i + 1] ?? 0, literal, 0, literal.length)
      out[i] = order < 0 ? less : order > 0 ? more : equal
    }
  })
}

export function textSpan(op: CompareOperator, literal: Uint8Array): TextSpan {
  const isBelow = op === '<' || op === '<='
  const isAbove = op === '>' || op === '>='
  return { low: isBelow ? undefined : literal, lowOpen: op === '>', high: isAbove ? undefined : literal, highOpen: op === '<' }
}

function scanEqual({ offsets, data }: StringColumn, base: number, n: number, literal: Uint8Array, same: number, other: number, out: Uint8Array): void {
  const { length } = literal
  for (let i = 0; i < n; i++) {
    const start = offsets[base + i] ?? 0
    let equal = (offsets[base + i + 1] ?? 0) - start === length
    for (let j = 0; equal && j < length; j++) equal = data[start + j] === literal[j]
    out[i] = equal ? same : other
  }
}

function hashBytes(data: Uint8Array, start: number, end: number): number {
  let hash = 0x811c_9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (data[i] ?? 0), 0x0100_0193)
  return hash ^ (hash >>> 15)
}

export function stringSetPlan(field: FieldSchema, values: readonly string[]): Plan {
  const literals = [...new Set(values)].map((value) => encoder.encode(value))
  let places = 16
  while (places < literals.length * 2) places *= 2
  const table: (Uint8Array | undefined)[] = Array.from({ length: places })
  const lengths = new Set<number>()
  for (const literal of literals) {
    let place = hashBytes(literal, 0, literal.length) & (places - 1)
    while (table[place] !== undefined) place = (place + 1) & (places - 1)
    table[place] = literal
    lengths.add(literal.length)
  }
  const probe = spansProbe(field, { of: 'text', list: literals.map((literal) => textSpan('==', literal)) })
  return stringPlan(field, probe, ({ offsets, data }, base, n, out) => {
    for (let i = 0; i < n; i++) {
      const start = offsets[base + i] ?? 0
      const end = offsets[base + i + 1] ?? 0
      out[i] = lengths.has(end - start) && tableHas(table, data, start, end) ? TRUE : FALSE
    }
  })
}

function tableHas(table: readonly (Uint8Array | undefined)[], data: Uint8Array, start: number, end: number): boolean {
  const mask = table.length - 1
  for (let place = hashBytes(data, start, end) & mask; ; place = (place + 1) & mask) {
    const literal = table[place]
    if (literal === undefined) return false
    if (compareBytes(literal, 0, literal.length, data, start, end) === 0) return true
  }
}

export function stringLikePlan(field: FieldSchema, like: LikeMatcher): Plan {
  return stringPlan(field, likeProbe(field, like), ({ offsets, data }, base, n, out) => {
    for (let i = 0; i < n; i++) out[i] = like.matches(data, offsets[base + i] ?? 0, offsets[base + i + 1] ?? 0) ? TRUE : FALSE
  })
}

/** All texts that begin so lie together: an index gives them, and only for `abc%` and `abc` nothing is left to test. */
function likeProbe(field: FieldSchema, like: LikeMatcher): Probe | undefined {
  const span = likeSpan(like)
  return eitherProbe(span && spansProbe(field, { of: 'text', list: [span] }, { exact: like.rest !== 'pattern' }), gramsProbe(field.id, like.literals))
}

export function likeSpan({ prefix, rest }: LikeMatcher): TextSpan | undefined {
  if (rest === 'none') return textSpan('==', prefix)
  if (prefix.length === 0) return undefined
  const after = prefix.slice()
  // No byte of UTF-8 is 255.
  after[after.length - 1] = (after.at(-1) ?? 0) + 1
  return { low: prefix, lowOpen: false, high: after, highOpen: true }
}
