/**
 * Exact scans. Keys are what is compared: the score, negated where the best is the highest; rounded to float32 as Milvus sends it.
 * Loops are written out by metric, four sums at a time: it is here that a scan spends its time.
 */
import { DataType, vectorBytes } from '../model/schema.ts'
import { decodeRows } from './decode.ts'
import type { Metric, VectorSet } from './metric.ts'
import type { TopK } from './top-k.ts'

/** Scores of scattered rows against one query. */
export type KeyOf = (row: number) => number

/** Range in keys: kept are `above < key < below`, with equality where Milvus has it. */
export interface KeyRange {
  contains(key: number): boolean
}

const DECODE_ROWS = 1024

/** One query in the form in which the scan wants it. */
export function decodeQuery(set: VectorSet, query: Uint8Array): Float32Array | Uint8Array {
  return set.type === DataType.BinaryVector ? query : decodeRows(query, set.type, set.dim, 0, 1)
}

/** Offers to `top` the rows [0, rows), or those of `only`, that are in the range. */
export function scan(
  set: VectorSet,
  query: Float32Array | Uint8Array,
  rows: number,
  only: Uint32Array | undefined,
  range: KeyRange | undefined,
  top: TopK,
): void {
  if (query instanceof Uint8Array) {
    scanWith(binaryKeys(set, query), rows, only, range, top)
  } else if (set.type === DataType.FloatVector && set.vectors.byteOffset % 4 === 0) {
    const values = decodeRows(set.vectors, set.type, set.dim, 0, rows)
    if (range === undefined && set.metric === 'L2') scanL2(values, query, set.dim, rows, only, top)
    else scanWith(floatKeys(values, query, set.dim, set.metric, 0), rows, only, range, top)
  } else if (only !== undefined) {
    scanWith(keysOf(set, query), rows, only, range, top)
  } else {
    for (let begin = 0; begin < rows; begin += DECODE_ROWS) {
      const end = Math.min(rows, begin + DECODE_ROWS)
      const keyOf = floatKeys(decodeRows(set.vectors, set.type, set.dim, begin, end), query, set.dim, set.metric, begin)
      for (let row = begin; row < end; row++) offerInRange(keyOf(row), row, range, top)
    }
  }
}

/** Keys of single rows, for re-ranking what an index has found. */
export function keysOf(set: VectorSet, query: Float32Array | Uint8Array): KeyOf {
  if (query instanceof Uint8Array) return binaryKeys(set, query)
  if (set.type === DataType.FloatVector && set.vectors.byteOffset % 4 === 0) {
    return floatKeys(decodeRows(set.vectors, set.type, set.dim, 0, set.rows), query, set.dim, set.metric, 0)
  }
  return (row) => floatKeys(decodeRows(set.vectors, set.type, set.dim, row, row + 1), query, set.dim, set.metric, row)(row)
}

function scanWith(keyOf: KeyOf, rows: number, only: Uint32Array | undefined, range: KeyRange | undefined, top: TopK): void {
  if (only === undefined) {
    for (let row = 0; row < rows; row++) offerInRange(keyOf(row), row, range, top)
  } else {
    for (let i = 0; i < only.length; i++) {
      const row = only[i] ?? 0
      offerInRange(keyOf(row), row, range, top)
    }
  }
}

function offerInRange(key: number, row: number, range: KeyRange | undefined, top: TopK): void {
  if (range === undefined || range.contains(key)) top.offer(key, row)
}

/** A row is given up as soon as its sum is beyond the worst that is kept. */
function scanL2(values: Float32Array, query: Float32Array, dim: number, rows: number, only: Uint32Array | undefined, top: TopK): void {
  const blocks = dim & ~15
  const count = only === undefined ? rows : only.length
  for (let i = 0; i < count; i++) {
    const row = only === undefined ? i : (only[i] as number)
    const base = row * dim
    const worst = top.worst
    let sum = 0
    let at = 0
    for (; at < blocks; at += 16) {
      sum +=
        l2Of4(values, query, base + at, at) +
        l2Of4(values, query, base + at + 4, at + 4) +
        l2Of4(values, query, base + at + 8, at + 8) +
        l2Of4(values, query, base + at + 12, at + 12)
      if (sum > worst) break
    }
    if (at < blocks) continue
    for (; at < dim; at++) {
      const d = (values[base + at] as number) - (query[at] as number)
      sum += d * d
    }
    top.offer(Math.fround(sum), row)
  }
}

function l2Of4(values: Float32Array, query: Float32Array, base: number, at: number): number {
  const a = (values[base] as number) - (query[at] as number)
  const b = (values[base + 1] as number) - (query[at + 1] as number)
  const c = (values[base + 2] as number) - (query[at + 2] as number)
  const d = (values[base + 3] as number) - (query[at + 3] as number)
  return a * a + b * b + (c * c + d * d)
}

function floatKeys(values: Float32Array, query: Float32Array, dim: number, metric: Metric, first: number): KeyOf {
  if (metric === 'L2') return (row) => Math.fround(l2(values, query, (row - first) * dim, dim))
  if (metric === 'IP') return (row) => Math.fround(-dot(values, query, (row - first) * dim, dim))
  const length = Math.sqrt(dot(query, query, 0, dim))
  return (row) => {
    const base = (row - first) * dim
    const product = lengthOf(values, base, dim) * length
    // A zero vector is at right angles to all: 0, as in Milvus, never NaN.
    return product === 0 ? 0 : Math.fround(-dot(values, query, base, dim) / product)
  }
}

function l2(values: Float32Array, query: Float32Array, base: number, dim: number): number {
  let sum = 0
  let at = 0
  for (; at + 3 < dim; at += 4) sum += l2Of4(values, query, base + at, at)
  for (; at < dim; at++) {
    const d = (values[base + at] as number) - (query[at] as number)
    sum += d * d
  }
  return sum
}

function dot(values: Float32Array, query: Float32Array, base: number, dim: number): number {
  let a = 0
  let b = 0
  let at = 0
  for (; at + 3 < dim; at += 4) {
    a += (values[base + at] as number) * (query[at] as number) + (values[base + at + 1] as number) * (query[at + 1] as number)
    b += (values[base + at + 2] as number) * (query[at + 2] as number) + (values[base + at + 3] as number) * (query[at + 3] as number)
  }
  for (; at < dim; at++) a += (values[base + at] as number) * (query[at] as number)
  return a + b
}

export function lengthOf(values: Float32Array, base: number, dim: number): number {
  let sum = 0
  for (let at = 0; at < dim; at++) sum += (values[base + at] as number) * (values[base + at] as number)
  return Math.sqrt(sum)
}

function binaryKeys(set: VectorSet, query: Uint8Array): KeyOf {
  const width = vectorBytes(set.type, set.dim)
  const { vectors, metric } = set
  return (row) => {
    let differing = 0
    let common = 0
    let either = 0
    for (let i = 0, at = row * width; i < width; i++, at++) {
      const a = vectors[at] as number
      const b = query[i] as number
      differing += BITS[a ^ b] as number
      common += BITS[a & b] as number
      either += BITS[a | b] as number
    }
    if (metric === 'HAMMING') return differing
    return either === 0 ? 0 : Math.fround(1 - common / either)
  }
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1
  return count
})
