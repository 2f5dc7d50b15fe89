/** Plans over columns of numbers, bools and int64. Every comparison with a constant is a test for a closed range, or for its outside. */
import type { FieldSchema } from '../model/schema.ts'
import type { CompareOperator } from './ast.ts'
import { FALSE, markNulls, TRUE } from './plan.ts'
import type { Plan } from './plan.ts'
import { spansProbe } from './probe.ts'

export const MIN_INT64 = -(1n << 63n)
export const MAX_INT64 = (1n << 63n) - 1n

/** The rows with `low <= value <= high`, or with `outside` all others that are not null. */
export interface NumberRange {
  readonly low: number
  readonly high: number
  readonly outside: boolean
}

export function numberRangeOf(op: CompareOperator, value: number): NumberRange {
  switch (op) {
    case '==':
      return { low: value, high: value, outside: false }
    case '!=':
      return { low: value, high: value, outside: true }
    case '<':
      return { low: -Infinity, high: adjacent(value, -1), outside: false }
    case '<=':
      return { low: -Infinity, high: value, outside: false }
    case '>':
      return { low: adjacent(value, 1), high: Infinity, outside: false }
    case '>=':
      return { low: value, high: Infinity, outside: false }
  }
}

const bits = new DataView(new ArrayBuffer(8))

/** The nearest double above (1) or below (-1). */
function adjacent(value: number, direction: 1 | -1): number {
  if (Number.isNaN(value) || value === Infinity * direction) return NaN
  if (value === 0) return Number.MIN_VALUE * direction
  if (!Number.isFinite(value)) return Number.MAX_VALUE * direction
  bits.setFloat64(0, value)
  bits.setBigInt64(0, bits.getBigInt64(0) + BigInt(value > 0 ? direction : -direction))
  return bits.getFloat64(0)
}

export function numberRangePlan(field: FieldSchema, { low, high, outside }: NumberRange): Plan {
  const inside = outside ? FALSE : TRUE
  const other = outside ? TRUE : FALSE
  return {
    run(context, out) {
      const slot = context.slot(field)
      const { column, base } = slot
      const n = context.rows
      if (column.kind === 'bool') scanUint8(column.values, base, n, low, high, inside, other, out)
      else if (column.kind === 'number') scanNumbers(column.values, base, n, low, high, inside, other, out)
      else throw new Error(`field ${field.name} has a column of kind ${column.kind}`)
      markNulls(slot, n, out)
    },
    probe: spansProbe(field, { of: 'number', list: [{ low, high }] }, { outside }),
  }
}

type Numbers = Int8Array | Int16Array | Int32Array | Float32Array | Float64Array

function scanNumbers(values: Numbers, base: number, n: number, low: number, high: number, inside: number, other: number, out: Uint8Array): void {
  if (values instanceof Int32Array) return scanInt32(values, base, n, low, high, inside, other, out)
  if (values instanceof Float32Array) return scanFloat32(values, base, n, low, high, inside, other, out)
  if (values instanceof Float64Array) return scanFloat64(values, base, n, low, high, inside, other, out)
  if (values instanceof Int16Array) return scanInt16(values, base, n, low, high, inside, other, out)
  return scanInt8(values, base, n, low, high, inside, other, out)
}

// One loop for each kind of typed array, though they read the same: a loop that has seen several kinds runs several times slower.

function scanUint8(values: Uint8Array, base: number, n: number, low: number, high: number, inside: number, other: number, out: Uint8Array): void {
  for (let i = 0; i < n; i++) {
    const value = values[base + i] as number
    out[i] = value >= low && value <= high ? inside : other
  }
}

function scanInt8(values: Int8Array, base: number, n: number, low: number, high: number, inside: number, other: number, out: Uint8Array): void {
  for (let i = 0; i < n; i++) {
    const value = values[base + i] as number
    out[i] = value >= low && value <= high ? inside : other
  }
}

function scanInt16(values: Int16Array, base: number, n: number, low: number, high: number, inside: number, other: number, out: Uint8Array): void {
  for (let i = 0; i < n; i++) {
    const value = values[base + i] as number
    out[i] = value >= low && value <= high ? inside : other
  }
}

function scanInt32(values: Int32Array, base: number, n: number, low: number, high: number, inside: number, other: number, out: Uint8Array): void {
  if (high < -0x8000_0000 || low > 0x7fff_ffff || !(low <= high)) return void out.fill(other, 0, n)
  const from = Math.max(-0x8000_0000, Math.ceil(low)) | 0
  const to = Math.min(0x7fff_ffff, Math.floor(high)) | 0
  if (from > to) return void out.fill(other, 0, n)
  // As unsigned numbers counted from `from`, one comparison is both.
  const span = (to - from) >>> 0
  for (let i = 0; i < n; i++) out[i] = ((values[base + i] as number) - from) >>> 0 <= span ? inside : other
}

function scanFloat32(values: Float32Array, base: number, n: number, low: number, high: number, inside: number, other: number, out: Uint8Array): void {
  for (let i = 0; i < n; i++) {
    const value = values[base + i] as number
    out[i] = value >= low && value <= high ? inside : other
  }
}

function scanFloat64(values: Float64Array, base: number, n: number, low: number, high: number, inside: number, other: number, out: Uint8Array): void {
  for (let i = 0; i < n; i++) {
    const value = values[base + i] as number
    out[i] = value >= low && value <= high ? inside : other
  }
}

export function numberSetPlan(field: FieldSchema, values: ReadonlySet<number>): Plan {
  return {
    run(context, out) {
      const slot = context.slot(field)
      const { column, base } = slot
      if (column.kind !== 'number' && column.kind !== 'bool') throw new Error(`field ${field.name} has a column of kind ${column.kind}`)
      for (let i = 0; i < context.rows; i++) out[i] = values.has(column.values[base + i] ?? 0) ? TRUE : FALSE
      markNulls(slot, context.rows, out)
    },
    // A set finds NaN, an index does not.
    probe: values.has(NaN) ? undefined : spansProbe(field, { of: 'number', list: Array.from(values, (value) => ({ low: value, high: value })) }),
  }
}
