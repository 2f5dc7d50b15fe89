/** Plans over int64 columns. Values are read as pairs of 32-bit words (little-endian), so that no bigint is made for a row. */
import type { FieldSchema } from '../model/schema.ts'
import type { CompareOperator } from './ast.ts'
import { FALSE, markNulls, TRUE } from './plan.ts'
import type { Context, Plan, Slot } from './plan.ts'
import { spansProbe } from './probe.ts'
import { MAX_INT64, MIN_INT64 } from './plan-number.ts'

/** The rows that compare so with `value`, which may lie outside of int64. */
export function int64ComparePlan(field: FieldSchema, op: CompareOperator, value: bigint): Plan {
  switch (op) {
    case '==':
      return int64RangePlan(field, value, value, false)
    case '!=':
      return int64RangePlan(field, value, value, true)
    case '<':
      return int64RangePlan(field, MIN_INT64, value - 1n, false)
    case '<=':
      return int64RangePlan(field, MIN_INT64, value, false)
    case '>':
      return int64RangePlan(field, value + 1n, MAX_INT64, false)
    case '>=':
      return int64RangePlan(field, value, MAX_INT64, false)
  }
}

function int64RangePlan(field: FieldSchema, low: bigint, high: bigint, outside: boolean): Plan {
  const inside = outside ? FALSE : TRUE
  const other = outside ? TRUE : FALSE
  const from = low < MIN_INT64 ? MIN_INT64 : low
  const to = high > MAX_INT64 ? MAX_INT64 : high
  return {
    run(context, out) {
      const { slot, words } = int64Words(context, field)
      if (from > to) out.fill(other, 0, context.rows)
      else if (from === to) scanEqual(words, slot.base, context.rows, from, inside, other, out)
      else scanRange(words, slot.base, context.rows, from, to, inside, other, out)
      markNulls(slot, context.rows, out)
    },
    probe: spansProbe(field, { of: 'int64', list: [{ low: from, high: to }] }, { outside }),
  }
}

function int64Words(context: Context, field: FieldSchema): { slot: Slot; words: Int32Array } {
  const slot = context.slot(field)
  if (slot.column.kind !== 'int64') throw new Error(`field ${field.name} has a column of kind ${slot.column.kind}`)
  const { values } = slot.column
  return { slot, words: new Int32Array(values.buffer, values.byteOffset, values.length * 2) }
}

function highWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n))
}

function lowWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value))
}

function scanEqual(words: Int32Array, base: number, n: number, value: bigint, inside: number, other: number, out: Uint8Array): void {
  const low = lowWord(value)
  const high = highWord(value)
  for (let i = 0, at = base * 2; i < n; i++, at += 2) {
    out[i] = words[at] === low && words[at + 1] === high ? inside : other
  }
}

function scanRange(words: Int32Array, base: number, n: number, from: bigint, to: bigint, inside: number, other: number, out: Uint8Array): void {
  const fromHigh = highWord(from)
  const toHigh = highWord(to)
  // Low words compare as unsigned: with the top bit turned over, signed order is that order.
  const fromLow = lowWord(from) ^ -0x8000_0000
  const toLow = lowWord(to) ^ -0x8000_0000
  for (let i = 0, at = base * 2; i < n; i++, at += 2) {
    const high = words[at + 1] as number
    const low = (words[at] as number) ^ -0x8000_0000
    const above = high > fromHigh || (high === fromHigh && low >= fromLow)
    const below = high < toHigh || (high === toHigh && low <= toLow)
    out[i] = above && below ? inside : other
  }
}

/** Open addressing over pairs of words; `used` tells an empty place from the pair 0, 0. */
class WordPairSet {
  readonly #mask: number
  readonly #pairs: Int32Array
  readonly #used: Uint8Array

  constructor(values: readonly bigint[]) {
    let places = 16
    while (places < values.length * 2) places *= 2
    this.#mask = places - 1
    this.#pairs = new Int32Array(places * 2)
    this.#used = new Uint8Array(places)
    for (const value of values) if (value >= MIN_INT64 && value <= MAX_INT64) this.#add(lowWord(value), highWord(value))
  }

  #add(low: number, high: number): void {
    let place = hash(low, high) & this.#mask
    while (this.#used[place] === 1) place = (place + 1) & this.#mask
    this.#used[place] = 1
    this.#pairs[place * 2] = low
    this.#pairs[place * 2 + 1] = high
  }

  scan(words: Int32Array, base: number, n: number, out: Uint8Array): void {
    const mask = this.#mask
    const pairs = this.#pairs
    const used = this.#used
    for (let i = 0, at = base * 2; i < n; i++, at += 2) {
      const low = words[at] as number
      const high = words[at + 1] as number
      let place = hash(low, high) & mask
      let found = FALSE as number
      while (used[place] === 1) {
        if (pairs[place * 2] === low && pairs[place * 2 + 1] === high) {
          found = TRUE
          break
        }
        place = (place + 1) & mask
      }
      out[i] = found
    }
  }
}

function hash(low: number, high: number): number {
  let h = Math.imul(low, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca77)
  h ^= h >>> 15
  h = Math.imul(h, 0x2c1b_3c6d)
  return h ^ (h >>> 13)
}

export function int64SetPlan(field: FieldSchema, values: readonly bigint[]): Plan {
  const unique = [...new Set(values)]
  const set = new WordPairSet(unique)
  return {
    run(context, out) {
      const { slot, words } = int64Words(context, field)
      set.scan(words, slot.base, context.rows, out)
      markNulls(slot, context.rows, out)
    },
    probe: spansProbe(field, { of: 'int64', list: unique.map((value) => ({ low: value, high: value })) }),
  }
}
