/** The order of primary keys, in steps: short runs are sorted, then merged; what is in order already is not touched. */
import type { Column, Int64Column, StringColumn } from '../model/column.ts'
import { STEP_ROWS, StepMeter, type Steps } from './steps.ts'

/** Rows sorted at once with a comparator, which costs about ten times what a native sort does. */
const COMPARED_RUN = STEP_ROWS / 8

type Compare = (a: number, b: number) => number
type Items = Float64Array | Uint32Array

/** The permutation that sorts, stable (int64 by value, text by UTF-8 bytes); undefined when there is nothing to do. */
export function* orderSteps(column: Column | undefined, length: number): Steps<Uint32Array | undefined> {
  if (column?.kind === 'int64') return yield* int64Order(column, length)
  if (column?.kind === 'string') return yield* stringOrder(column, length)
  throw new TypeError(`expected a primary key column of int64 or string, got ${column?.kind ?? 'none'}`)
}

function* int64Order({ values }: Int64Column, length: number): Steps<Uint32Array | undefined> {
  const compare: Compare = (a, b) => {
    const left = values[a] as bigint
    const right = values[b] as bigint
    return left < right ? -1 : left > right ? 1 : 0
  }
  if (yield* isAscending(compare, length)) return undefined
  let min = values[0] ?? 0n
  let max = min
  for (let begin = 0; begin < length; begin += STEP_ROWS) {
    for (const value of values.subarray(begin, Math.min(length, begin + STEP_ROWS))) {
      if (value < min) min = value
      else if (value > max) max = value
    }
    yield
  }
  // Key and row packed into one double sort natively, ten times as fast as with a comparator.
  if ((max - min + 1n) * BigInt(length) <= BigInt(Number.MAX_SAFE_INTEGER)) {
    const packed = yield* numbered(length, (row) => Number((values[row] as bigint) - min) * length + row)
    const sorted = yield* sortedRuns(packed, STEP_ROWS, (a, b) => a - b, (run) => run.sort())
    const order = new Uint32Array(length)
    for (let begin = 0; begin < length; begin += STEP_ROWS) {
      for (let at = begin; at < Math.min(length, begin + STEP_ROWS); at++) order[at] = (sorted[at] as number) % length
      yield
    }
    return order
  }
  // As doubles they differ in nearly all cases, and never the other way round.
  return yield* comparedOrder(yield* numbered(length, (row) => Number(values[row])), compare)
}

function* stringOrder({ offsets, data }: StringColumn, length: number): Steps<Uint32Array | undefined> {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  const compare: Compare = (a, b) => bytes.compare(bytes, offsets[b], offsets[b + 1], offsets[a], offsets[a + 1])
  if (yield* isAscending(compare, length)) return undefined
  const common = yield* commonPrefix(offsets, data, length)
  const prefixes = yield* numbered(length, (row) => {
    const begin = (offsets[row] as number) + common
    const end = offsets[row + 1] as number
    let prefix = 0
    for (let at = begin; at < begin + 6; at++) prefix = prefix * 256 + (at < end ? (data[at] as number) : 0)
    return prefix
  })
  return yield* comparedOrder(prefixes, compare)
}

/** Bytes that all keys begin with. */
function* commonPrefix(offsets: Uint32Array, data: Uint8Array, length: number): Steps<number> {
  const first = offsets[0] as number
  let common = (offsets[1] as number) - first
  const meter = new StepMeter()
  for (let row = 1; row < length && common > 0; row++) {
    const start = offsets[row] as number
    common = Math.min(common, (offsets[row + 1] as number) - start)
    let same = 0
    while (same < common && data[start + same] === data[first + same]) same++
    common = same
    if (meter.spend(1, same * 16)) yield
  }
  return common
}

function* isAscending(compare: Compare, length: number): Steps<boolean> {
  for (let row = 1; row < length; row++) {
    if (compare(row - 1, row) > 0) return false
    if (row % STEP_ROWS === 0) yield
  }
  return true
}

function* numbered(length: number, numberOf: (row: number) => number): Steps<Float64Array> {
  const numbers = new Float64Array(length)
  for (let begin = 0; begin < length; begin += STEP_ROWS) {
    const end = Math.min(length, begin + STEP_ROWS)
    for (let row = begin; row < end; row++) numbers[row] = numberOf(row)
    yield
  }
  return numbers
}

/** @param numbers of each row, in an order that the keys' own refines */
function* comparedOrder(numbers: Float64Array, compareKeys: Compare): Steps<Uint32Array> {
  const compare: Compare = (a, b) => (numbers[a] as number) - (numbers[b] as number) || compareKeys(a, b)
  const rows = new Uint32Array(numbers.length)
  for (let row = 0; row < rows.length; row++) rows[row] = row
  yield
  return yield* sortedRuns(rows, COMPARED_RUN, compare, (run) => run.sort((a, b) => compare(a, b) || a - b))
}

/** Sorts runs of so many items, then merges them; equal items keep their order. */
function* sortedRuns<T extends Items>(items: T, runLength: number, compare: Compare, sortRun: (run: Items) => void): Steps<T> {
  for (let begin = 0; begin < items.length; begin += runLength) {
    const run = items.subarray(begin, begin + runLength)
    if (!isSorted(run, compare)) sortRun(run)
    yield
  }
  return yield* mergedRuns(items, runLength, compare)
}

function isSorted(run: Items, compare: Compare): boolean {
  for (let at = 1; at < run.length; at++) if (compare(run[at - 1] as number, run[at] as number) > 0) return false
  return true
}

function* mergedRuns<T extends Items>(items: T, runLength: number, compare: Compare): Steps<T> {
  const { length } = items
  const meter = new StepMeter()
  let from = items
  let to = items.slice() as T
  for (let width = runLength; width < length; width *= 2) {
    for (let begin = 0; begin < length; begin += width * 2) {
      const middle = Math.min(length, begin + width)
      const end = Math.min(length, begin + width * 2)
      if (middle === end || compare(from[middle - 1] as number, from[middle] as number) <= 0) {
        to.set(from.subarray(begin, end), begin)
        if (meter.spend(1, (end - begin) * from.BYTES_PER_ELEMENT)) yield
        continue
      }
      let left = begin
      let right = middle
      for (let at = begin; at < end; at++) {
        const isLeft = right >= end || (left < middle && compare(from[left] as number, from[right] as number) <= 0)
        to[at] = (isLeft ? from[left++] : from[right++]) as number
        if (meter.spend(1)) yield
      }
    }
    const merged = to
    to = from
    from = merged
  }
  return from
}
