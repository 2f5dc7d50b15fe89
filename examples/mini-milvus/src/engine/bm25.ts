/** BM25 over rows of term counts: how a count weighs in its row, and the statistics that a query's weights are made of. */
import type { VectorSet } from './metric.ts'
import { findDim, pairsOf } from './pairs.ts'
import type { SearchQuery, SearchResult } from './search.ts'

export interface Bm25 {
  readonly k1: number
  readonly b: number
  /** Terms of a row on average, in the whole collection. */
  readonly averageLength: number
}

export interface TermStats {
  readonly rows: number
  /** Terms of all rows together, repetitions counted. */
  readonly length: number
  /** Rows that have the term, for each dimension of the query. */
  readonly rowsWith: Uint32Array
}

/** What a count weighs in a row. */
export type Weigh = (count: number, row: number) => number

interface Lengths {
  values: Float64Array
  known: number
}

const lengthsOfSets = new WeakMap<VectorSet, Lengths>()

/** Terms of each row. Growing sets get rows behind those that are known. */
function lengthsOf(set: VectorSet, rows: number): Float64Array {
  let lengths = lengthsOfSets.get(set)
  if (lengths === undefined) lengthsOfSets.set(set, (lengths = { values: new Float64Array(set.rows), known: 0 }))
  const { vectors, offsets } = set
  const counts = pairsOf(vectors).values
  for (let row = lengths.known; row < rows; row++) {
    const end = (offsets?.[row + 1] ?? 0) >>> 2
    let sum = 0
    for (let at = (offsets?.[row] ?? 0) >>> 2; at < end; at += 2) sum += counts[at + 1] as number
    lengths.values[row] = sum
  }
  if (rows > lengths.known) lengths.known = rows
  return lengths.values
}

/** The weight without the term's rarity, as Milvus has it: averages below one count as one. */
export function weigher(set: VectorSet, rows: number, { k1, b, averageLength }: Bm25): Weigh {
  const lengths = lengthsOf(set, rows)
  const perTerm = (k1 * b) / Math.max(1, averageLength)
  const base = k1 * (1 - b)
  return (count, row) => (count * (k1 + 1)) / (count + base + perTerm * (lengths[row] as number))
}

export function countTerms(set: VectorSet, query: SearchQuery): SearchResult {
  const { mask } = query
  const rows = Math.min(query.rows ?? set.rows, set.rows)
  const lengths = lengthsOf(set, rows)
  let length = 0
  let count = 0
  for (let row = 0; row < rows; row++) {
    if (mask !== undefined && mask[row] !== 1) continue
    count++
    length += lengths[row] as number
  }
  const wanted = pairsOf(new Uint8Array(query.queries)).dims
  const rowsWith = new Uint32Array(wanted.length / 2)
  if (set.postings === undefined) countRows(set, wanted, rows, mask, rowsWith)
  else countPostings(set.postings, wanted, rows, mask, rowsWith)
  return { counts: new Uint32Array(query.nq), rows: new Uint32Array(0), scores: new Float32Array(0), terms: { rows: count, length, rowsWith } }
}

function countPostings({ dims, starts, rows: itsRows }: NonNullable<VectorSet['postings']>, wanted: Uint32Array, rows: number, mask: Uint8Array | undefined, rowsWith: Uint32Array): void {
  for (let term = 0; term < rowsWith.length; term++) {
    const place = findDim(dims, wanted[term * 2] as number)
    if (place < 0) continue
    const end = starts[place + 1] as number
    let count = 0
    for (let at = starts[place] as number; at < end; at++) {
      const row = itsRows[at] as number
      if (row < rows && (mask === undefined || mask[row] === 1)) count++
    }
    rowsWith[term] = count
  }
}

function countRows({ vectors, offsets }: VectorSet, wanted: Uint32Array, rows: number, mask: Uint8Array | undefined, rowsWith: Uint32Array): void {
  const { dims } = pairsOf(vectors)
  const termOf = new Map<number, number>()
  for (let term = 0; term < rowsWith.length; term++) termOf.set(wanted[term * 2] as number, term)
  for (let row = 0; row < rows; row++) {
    if (mask !== undefined && mask[row] !== 1) continue
    const end = (offsets?.[row + 1] ?? 0) >>> 2
    for (let at = (offsets?.[row] ?? 0) >>> 2; at < end; at += 2) {
      const term = termOf.get(dims[at] as number)
      if (term !== undefined) rowsWith[term] = (rowsWith[term] as number) + 1
    }
  }
}
