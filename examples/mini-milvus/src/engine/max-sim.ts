/**
 * Lists of vectors against lists: a row's score is the sum, over the vectors of the query, of the best that any vector of the row has
 * with it (MAX_SIM of Milvus; of distances the sum of the least). An exact scan; rows without vectors are no hits.
 */
import { DataType, vectorBytes } from '../model/schema.ts'
import { decodeRows } from './decode.ts'
import type { VectorSet } from './metric.ts'
import { decodeQuery, type KeyOf, type KeyRange, keysOf } from './scan.ts'
import type { SearchQuery } from './search.ts'
import type { TopK } from './top-k.ts'

export type ListSet = VectorSet & { readonly lists: Uint32Array }

/** Vectors that are decoded at once. */
const DECODE_VECTORS = 1024

/** Offers to `top` the rows [0, rows), or those of `only`, for query `index`. */
export function scanLists(set: ListSet, query: SearchQuery, index: number, rows: number, only: Uint32Array | undefined, range: KeyRange | undefined, top: TopK): void {
  const vectors = queryVectors(set, query, index)
  const count = only === undefined ? rows : only.length
  const rowAt = (at: number): number => (only === undefined ? at : (only[at] as number))
  const isReadable = set.type === DataType.BinaryVector || (set.type === DataType.FloatVector && set.vectors.byteOffset % 4 === 0)
  const whole = isReadable ? vectors.map((vector) => keysOf({ ...set, rows: set.lists[rows] as number }, vector)) : undefined
  for (let from = 0; from < count; ) {
    let to = from + 1
    const first = set.lists[rowAt(from)] as number
    // Rows that follow each other are decoded together.
    while (to < count && rowAt(to) === rowAt(to - 1) + 1 && (set.lists[rowAt(to) + 1] as number) - first <= DECODE_VECTORS) to++
    const last = set.lists[rowAt(to - 1) + 1] as number
    const keys = whole ?? decodedKeys(set, vectors, first, last)
    for (; from < to; from++) {
      const row = rowAt(from)
      const start = set.lists[row] as number
      const end = set.lists[row + 1] as number
      if (start === end) continue
      const key = listKey(keys, start, end)
      if (range === undefined || range.contains(key)) top.offer(key, row)
    }
  }
}

function listKey(keys: readonly KeyOf[], start: number, end: number): number {
  let sum = 0
  for (const keyOf of keys) {
    let best = Infinity
    for (let at = start; at < end; at++) {
      const key = keyOf(at)
      if (key < best) best = key
    }
    sum += best
  }
  return Math.fround(sum)
}

function queryVectors(set: ListSet, { queries, queryOffsets }: SearchQuery, index: number): readonly (Float32Array | Uint8Array)[] {
  const width = vectorBytes(set.type, set.dim)
  const start = queryOffsets?.[index] ?? 0
  const count = (queryOffsets?.[index + 1] ?? 0) - start
  return Array.from({ length: count }, (_, i) => decodeQuery(set, queries.subarray((start + i) * width, (start + i + 1) * width)))
}

/** Keys of the vectors `first .. last`, which are of a type that has to be decoded. */
function decodedKeys(set: ListSet, queries: readonly (Float32Array | Uint8Array)[], first: number, last: number): readonly KeyOf[] {
  const values = decodeRows(set.vectors, set.type, set.dim, first, last)
  const decoded = { ...set, type: DataType.FloatVector, vectors: new Uint8Array(values.buffer, values.byteOffset, values.byteLength), rows: last - first }
  return queries.map((query) => {
    const keyOf = keysOf(decoded, query)
    return (at) => keyOf(at - first)
  })
}
