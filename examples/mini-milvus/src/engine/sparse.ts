/**
 * Sparse vectors: exact inner products, by reading rows or, once a settled set has postings, by reading only the rows of the query's
 * dimensions. Both add the products of a row in the order of their dimensions, so both give the same scores. As in Milvus a row that
 * shares no dimension with the query is no hit.
 */
import { type Weigh, weigher } from './bm25.ts'
import type { VectorSet } from './metric.ts'
import { findDim, type Pairs, pairsOf } from './pairs.ts'
import type { SearchQuery, SearchResult } from './search.ts'
import { TopK } from './top-k.ts'

/** The set turned around: dimension `dims[i]` is in rows `rows[starts[i] .. starts[i + 1])`, ascending, with these values. */
export interface Postings {
  readonly dims: Uint32Array
  readonly starts: Uint32Array
  readonly rows: Uint32Array
  readonly values: Float32Array
}

/** Dimensions below this are counted in a plain array. */
const DENSE_DIMS = 4_194_304

/** Postings on shared memory. */
export function buildPostings({ vectors, offsets, rows }: Pick<VectorSet, 'vectors' | 'offsets' | 'rows'>): Postings {
  if (offsets === undefined) throw new TypeError('expected sparse vectors with `offsets`')
  const { dims: words, values: reals } = pairsOf(vectors)
  const end = (offsets[rows] as number) >>> 2
  const places = countDims(words, end)
  const dims = new Uint32Array(new SharedArrayBuffer(places.size * 4))
  const starts = new Uint32Array(new SharedArrayBuffer((places.size + 1) * 4))
  places.fill(dims, starts)
  const next = starts.slice()
  const postings = { dims, starts, rows: new Uint32Array(new SharedArrayBuffer(end * 2)), values: new Float32Array(new SharedArrayBuffer(end * 2)) }
  for (let row = 0; row < rows; row++) {
    const stop = (offsets[row + 1] as number) >>> 2
    for (let at = (offsets[row] as number) >>> 2; at < stop; at += 2) {
      const place = places.of(words[at] as number)
      const to = next[place] as number
      next[place] = to + 1
      postings.rows[to] = row
      postings.values[to] = reals[at + 1] as number
    }
  }
  return postings
}

interface DimPlaces {
  readonly size: number
  of(dim: number): number
  fill(dims: Uint32Array, starts: Uint32Array): void
}

function countDims(words: Uint32Array, end: number): DimPlaces {
  let greatest = 0
  for (let at = 0; at < end; at += 2) if ((words[at] as number) > greatest) greatest = words[at] as number
  if (greatest >= DENSE_DIMS) return countScattered(words, end)
  const counts = new Uint32Array(greatest + 1)
  for (let at = 0; at < end; at += 2) counts[words[at] as number] = (counts[words[at] as number] as number) + 1
  const places = new Uint32Array(greatest + 1)
  let size = 0
  for (let dim = 0; dim <= greatest; dim++) if (counts[dim] !== 0) places[dim] = size++
  return {
    size,
    of: (dim) => places[dim] as number,
    fill(dims, starts) {
      for (let dim = 0, place = 0; dim <= greatest; dim++) {
        if (counts[dim] === 0) continue
        dims[place] = dim
        starts[place + 1] = (starts[place] as number) + (counts[dim] as number)
        place++
      }
    },
  }
}

function countScattered(words: Uint32Array, end: number): DimPlaces {
  const counts = new Map<number, number>()
  for (let at = 0; at < end; at += 2) counts.set(words[at] as number, (counts.get(words[at] as number) ?? 0) + 1)
  const sorted = Uint32Array.from(counts.keys()).sort()
  const places = new Map<number, number>()
  sorted.forEach((dim, place) => places.set(dim, place))
  return {
    size: sorted.length,
    of: (dim) => places.get(dim) ?? 0,
    fill(dims, starts) {
      dims.set(sorted)
      sorted.forEach((dim, place) => (starts[place + 1] = (starts[place] as number) + (counts.get(dim) ?? 0)))
    },
  }
}

const top = new TopK()
/** Reused between searches; all zero between them. */
let scores = new Float64Array(0)

/** Best inner products of each query. Keys that are compared are negated scores, rounded to float32 as Milvus sends them. */
export function searchSparse(set: VectorSet, query: SearchQuery): SearchResult {
  const { nq, mask, queryOffsets } = query
  const rows = Math.min(query.rows ?? set.rows, set.rows)
  const limit = Math.min(query.k, query.maskCount ?? rows, rows)
  const counts = new Uint32Array(nq)
  const found = { keys: new Float32Array(nq * limit), rows: new Uint32Array(nq * limit), size: 0 }
  const pairs = pairsOf(set.vectors)
  const offer = (row: number, score: number): void => {
    const key = Math.fround(-score)
    if (key > top.worst || (mask !== undefined && mask[row] !== 1)) return
    if (isInRange(-key, query)) top.offer(key, row)
  }
  for (let i = 0; i < nq && limit > 0; i++) {
    const probe = pairsOf(new Uint8Array(query.queries.subarray(queryOffsets?.[i] ?? 0, queryOffsets?.[i + 1])))
    top.reset(limit)
    const weigh = query.bm25 === undefined ? undefined : weigher(set, rows, query.bm25)
    if (set.postings !== undefined && query.useIndex !== false) scorePostings(set.postings, probe, set.rows, rows, offer, weigh)
    else scoreRows(set, pairs, probe, rows, mask, offer, weigh)
    counts[i] = top.drain(found.keys, found.rows, found.size)
    found.size += counts[i] ?? 0
  }
  return { counts, rows: found.rows.slice(0, found.size), scores: found.keys.slice(0, found.size).map((key) => 0 - key) }
}

function isInRange(score: number, { radius, rangeFilter }: SearchQuery): boolean {
  return (radius === undefined || score > Math.fround(radius)) && (rangeFilter === undefined || score <= Math.fround(rangeFilter))
}

type Offer = (row: number, score: number) => void

function scorePostings(postings: Postings, probe: Pairs, all: number, rows: number, offer: Offer, weigh: Weigh | undefined): void {
  if (scores.length < all) scores = new Float64Array(all)
  const { dims, starts, rows: itsRows, values } = postings
  for (let q = 0; q < probe.dims.length; q += 2) {
    const place = findDim(dims, probe.dims[q] as number)
    if (place < 0) continue
    const weight = probe.values[q + 1] as number
    const end = starts[place + 1] as number
    for (let at = starts[place] as number; at < end; at++) {
      const row = itsRows[at] as number
      const value = values[at] as number
      scores[row] = (scores[row] as number) + weight * (weigh === undefined ? value : weigh(value, row))
    }
  }
  for (let row = 0; row < rows; row++) {
    const score = scores[row] as number
    if (score !== 0) offer(row, score)
  }
  scores.fill(0, 0, all)
}

/** Whether a dimension with these low bits is in the query: what keeps most of a row's dimensions from being looked up. */
const wanted = new Uint8Array(65_536)
const LOW_BITS = 0xffff

/** A table of the query's dimensions, half empty or more, with open addresses. */
function scoreRows({ offsets }: VectorSet, { dims, values }: Pairs, probe: Pairs, rows: number, mask: Uint8Array | undefined, offer: Offer, weigh: Weigh | undefined): void {
  if (offsets === undefined || probe.dims.length === 0) return
  const bits = Math.max(4, Math.ceil(Math.log2(probe.dims.length + 1)))
  const shift = 32 - bits
  const last = 2 ** bits - 1
  const keys = new Uint32Array(2 ** bits)
  const weights = new Float32Array(2 ** bits)
  // A dimension plus one; 0 is an empty place (the dimension 2^32 - 1 is refused at the door).
  for (let q = 0; q < probe.dims.length; q += 2) {
    const key = (probe.dims[q] as number) + 1
    let at = Math.imul(key, 0x9e3779b1) >>> shift
    while (keys[at] !== 0) at = (at + 1) & last
    keys[at] = key
    weights[at] = probe.values[q + 1] as number
    wanted[(probe.dims[q] as number) & LOW_BITS] = 1
  }
  for (let row = 0; row < rows; row++) {
    if (mask !== undefined && mask[row] !== 1) continue
    const end = (offsets[row + 1] as number) >>> 2
    let score = 0
    for (let word = (offsets[row] as number) >>> 2; word < end; word += 2) {
      const dim = dims[word] as number
      if (wanted[dim & LOW_BITS] === 0) continue
      const key = dim + 1
      let at = Math.imul(key, 0x9e3779b1) >>> shift
      while (keys[at] !== 0 && keys[at] !== key) at = (at + 1) & last
      if (keys[at] !== key) continue
      const value = values[word + 1] as number
      score += (weights[at] as number) * (weigh === undefined ? value : weigh(value, row))
    }
    if (score !== 0) offer(row, score)
  }
  for (let q = 0; q < probe.dims.length; q += 2) wanted[(probe.dims[q] as number) & LOW_BITS] = 0
}
