import { DataType, dataTypeName, vectorBytes } from '../model/schema.ts'
import type { Postings } from './sparse.ts'

/** Milvus's metrics. L2 is the squared distance; sparse vectors have IP, and rows of term counts BM25. */
export type Metric = 'L2' | 'IP' | 'COSINE' | 'BM25' | 'HAMMING' | 'JACCARD'

/** True where the best score is the highest. */
export function isDescending(metric: Metric): boolean {
  return metric === 'IP' || metric === 'COSINE' || metric === 'BM25'
}

export function isBinaryMetric(metric: Metric): boolean {
  return metric === 'HAMMING' || metric === 'JACCARD'
}

/** Packed vectors of one field of one segment. */
export interface VectorSet {
  /** Row i at `i * bytesPerRow`, little-endian, as Milvus sends it. On a SharedArrayBuffer, so that workers see it. */
  readonly vectors: Uint8Array
  readonly rows: number
  readonly dim: number
  readonly type: DataType
  readonly metric: Metric
  /** Of sparse vectors: row i is bytes `offsets[i] .. offsets[i + 1]` of `vectors`. */
  readonly offsets?: Uint32Array | undefined
  /** Of lists of vectors: row i is vectors `lists[i] .. lists[i + 1]`, and `rows` counts the lists. */
  readonly lists?: Uint32Array | undefined
  readonly postings?: Postings | undefined
}

/** Throws unless type, metric, dimensions and bytes go together. */
export function checkVectorSet(set: VectorSet): void {
  if (!(set.vectors instanceof Uint8Array)) throw new TypeError(`expected \`vectors\` to be a Uint8Array, got ${typeof set.vectors}`)
  const isSparse = set.type === DataType.SparseFloatVector
  if (!Number.isInteger(set.dim) || set.dim < (isSparse ? 0 : 1) || set.dim > 262_144)
    throw new RangeError(`expected \`dim\` to be an integer in 1..262144, got ${set.dim}`)
  if (!Number.isInteger(set.rows) || set.rows < 0 || set.rows > 0xffffffff)
    throw new RangeError(`expected \`rows\` to be an integer from 0, got ${set.rows}`)
  if (!['L2', 'IP', 'COSINE', 'BM25', 'HAMMING', 'JACCARD'].includes(set.metric))
    throw new RangeError(`expected \`metric\` to be one of L2, IP, COSINE, BM25, HAMMING, JACCARD, got ${String(set.metric)}`)
  if (isBinaryMetric(set.metric) !== (set.type === DataType.BinaryVector)) {
    throw new RangeError(`expected a \`metric\` for ${dataTypeName(set.type)}, got ${set.metric}`)
  }
  if (set.metric === 'BM25' && !isSparse) throw new RangeError(`expected a \`metric\` for ${dataTypeName(set.type)}, got ${set.metric}`)
  if (isSparse) {
    if (set.metric !== 'IP' && set.metric !== 'BM25') throw new RangeError(`expected a \`metric\` for ${dataTypeName(set.type)}, got ${set.metric}`)
    if (!(set.offsets instanceof Uint32Array) || set.offsets.length <= set.rows) throw new RangeError(`expected \`offsets\` to have ${set.rows + 1} items, got ${set.offsets?.length}`)
    return
  }
  if (set.lists !== undefined && set.lists.length <= set.rows) throw new RangeError(`expected \`lists\` to have ${set.rows + 1} items, got ${set.lists.length}`)
  const needed = (set.lists === undefined ? set.rows : (set.lists[set.rows] ?? 0)) * vectorBytes(set.type, set.dim)
  if (set.vectors.length < needed) throw new RangeError(`expected \`vectors\` to have ${needed} bytes, got ${set.vectors.length}`)
}
