/** The named rows of a column, in their order, in steps. */
import { sameNumbers } from '../codec/gather.ts'
import type { Column, JsonColumn, ListColumn, SparseColumn, StringColumn, VectorColumn } from '../model/column.ts'
import { STEP_BYTES, STEP_ROWS, StepMeter, type Steps } from './steps.ts'

type BytesColumn = StringColumn | JsonColumn | SparseColumn

/** Up to here a byte loop is faster than a view and a copy. */
const SHORT_BYTES = 32

export function* gatherSteps(column: Column, rows: Uint32Array): Steps<Column> {
  const { length } = rows
  const valid = column.valid === undefined ? undefined : yield* pick(column.valid, rows, new Uint8Array(length))
  switch (column.kind) {
    case 'bool':
      return { ...column, length, valid, values: yield* pick(column.values, rows, new Uint8Array(length)) }
    case 'number':
      return { ...column, length, valid, values: yield* pick(column.values, rows, sameNumbers(column.values, length)) }
    case 'int64':
      return { ...column, length, valid, values: yield* pickWords(column.values, rows, new BigInt64Array(length)) }
    case 'string':
    case 'json':
    case 'sparse':
      return { ...column, length, valid, ...(yield* pickBytes(column, rows)) }
    case 'array':
      return { ...column, length, valid, ...(yield* pickElements(column, rows)) }
    case 'vectors':
      return { ...column, length, valid, ...(yield* pickElements(column, rows)) }
    case 'vector':
      return { ...column, length, valid, data: yield* pickVectors(column, rows) }
  }
}

/** Timestamps of the named rows. */
export function gatherTimestampSteps(timestamps: BigUint64Array, rows: Uint32Array): Steps<BigUint64Array> {
  return pickWords(timestamps, rows, new BigUint64Array(rows.length))
}

function* pick<T extends Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array>(from: T, rows: Uint32Array, to: T): Steps<T> {
  for (let begin = 0; begin < rows.length; begin += STEP_ROWS) {
    const end = Math.min(rows.length, begin + STEP_ROWS)
    for (let at = begin; at < end; at++) to[at] = from[rows[at] as number] as number
    if (end < rows.length) yield
  }
  return to
}

/** 64-bit values as two words each: no bigint is made of them. */
function* pickWords<T extends BigInt64Array | BigUint64Array>(from: T, rows: Uint32Array, to: T): Steps<T> {
  const source = new Int32Array(from.buffer, from.byteOffset, from.length * 2)
  const target = new Int32Array(to.buffer, to.byteOffset, to.length * 2)
  for (let begin = 0; begin < rows.length; begin += STEP_ROWS) {
    const end = Math.min(rows.length, begin + STEP_ROWS)
    for (let at = begin; at < end; at++) {
      const row = rows[at] as number
      target[at * 2] = source[row * 2] as number
      target[at * 2 + 1] = source[row * 2 + 1] as number
    }
    if (end < rows.length) yield
  }
  return to
}

function* pickOffsets(offsets: Uint32Array, rows: Uint32Array): Steps<Uint32Array> {
  const picked = new Uint32Array(rows.length + 1)
  let size = 0
  for (let begin = 0; begin < rows.length; begin += STEP_ROWS) {
    const end = Math.min(rows.length, begin + STEP_ROWS)
    for (let at = begin; at < end; at++) {
      const row = rows[at] as number
      size += (offsets[row + 1] as number) - (offsets[row] as number)
      picked[at + 1] = size
    }
    yield
  }
  return picked
}

function* pickBytes({ offsets, data }: BytesColumn, rows: Uint32Array): Steps<{ offsets: Uint32Array; data: Uint8Array }> {
  const newOffsets = yield* pickOffsets(offsets, rows)
  const newData = new Uint8Array(newOffsets[rows.length] as number)
  const meter = new StepMeter()
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] as number
    const start = offsets[row] as number
    const end = offsets[row + 1] as number
    copyBytes(data, start, end, newData, newOffsets[at] as number)
    if (meter.spend(1, end - start)) yield
  }
  return { offsets: newOffsets, data: newData }
}

function copyBytes(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > SHORT_BYTES) to.set(from.subarray(start, end), at)
  else for (let byte = start, next = at; byte < end; byte++) to[next++] = from[byte] as number
}

function* pickElements<C extends ListColumn>({ offsets, elements }: C, rows: Uint32Array): Steps<Pick<C, 'offsets' | 'elements'>> {
  const newOffsets = yield* pickOffsets(offsets, rows)
  const picked = new Uint32Array(newOffsets[rows.length] as number)
  const meter = new StepMeter()
  let next = 0
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] as number
    const start = offsets[row] as number
    const end = offsets[row + 1] as number
    for (let element = start; element < end; element++) picked[next++] = element
    if (meter.spend(1 + end - start)) yield
  }
  return { offsets: newOffsets, elements: (yield* gatherSteps(elements, picked)) as C['elements'] }
}

/** Rows that follow each other are copied together. */
function* pickVectors({ data, bytesPerRow }: VectorColumn, rows: Uint32Array): Steps<Uint8Array> {
  const picked = new Uint8Array(rows.length * bytesPerRow)
  // So much memory at once often makes the collector run: a step of its own.
  yield
  const meter = new StepMeter()
  const longest = Math.max(1, Math.floor(STEP_BYTES / bytesPerRow))
  for (let at = 0; at < rows.length; ) {
    const start = rows[at] as number
    let run = 1
    while (run < longest && at + run < rows.length && rows[at + run] === start + run) run++
    picked.set(data.subarray(start * bytesPerRow, (start + run) * bytesPerRow), at * bytesPerRow)
    at += run
    if (meter.spend(run, run * bytesPerRow)) yield
  }
  return picked
}
