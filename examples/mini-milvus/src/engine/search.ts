/** One search over one set: synchronous, in a worker or, where it is tiny, in the caller's thread. */
import { DataType, vectorBytes } from '../model/schema.ts'
import { isDescending, type VectorSet } from './metric.ts'
import { type ListSet, scanLists } from './max-sim.ts'
import type { Graph, Probe } from './graph.ts'
import { candidatesFor, scanIsCheaper } from './plan.ts'
import { decodeQuery, type KeyRange, keysOf, scan } from './scan.ts'
import { type Bm25, countTerms, type TermStats } from './bm25.ts'
import { searchSparse } from './sparse.ts'
import { TopK } from './top-k.ts'

export interface SearchQuery {
  /** `nq` packed vectors of the set's type. */
  readonly queries: Uint8Array
  /** Of a set of lists: query i is the vectors `queryOffsets[i] .. queryOffsets[i + 1]`. Of sparse vectors: query i is bytes `queryOffsets[i] .. queryOffsets[i + 1]`. */
  readonly queryOffsets?: Uint32Array | undefined
  readonly nq: number
  readonly k: number
  /** Only the first rows of the set (a growing set is registered with its capacity); all unless given. */
  readonly rows?: number | undefined
  /** Breadth of the search in the graph; at least `k`. Default: 112, or 2 k. */
  readonly ef?: number | undefined
  /** False: scan even where there is an index. */
  readonly useIndex?: boolean | undefined
  /** A byte per row: 1 where the row may be returned. On a SharedArrayBuffer it is not copied. */
  readonly mask?: Uint8Array | undefined
  /** How many 1 the mask has; counted where it is not given. */
  readonly maskCount?: number | undefined
  /** Milvus's bounds: `rangeFilter <= score < radius` for distances, `radius < score <= rangeFilter` for IP and COSINE. */
  readonly radius?: number | undefined
  readonly rangeFilter?: number | undefined
  /** Of a set of the metric BM25: the values of a query are its terms' weights (how often they are asked for times their rarity). */
  readonly bm25?: Bm25 | undefined
  /** Instead of hits: what the masked rows say about the query's dimensions. `nq` is 1. */
  readonly countTerms?: boolean | undefined
}

/** Hits of all queries one after the other; query i has `counts[i]` of them, best first, equal scores by row. */
export interface SearchResult {
  readonly counts: Uint32Array
  readonly rows: Uint32Array
  readonly scores: Float32Array
  readonly terms?: TermStats | undefined
}

const top = new TopK()

export function searchSet(set: VectorSet, graph: Graph | undefined, query: SearchQuery): SearchResult {
  if (set.type === DataType.SparseFloatVector) return query.countTerms === true ? countTerms(set, query) : searchSparse(set, query)
  const rows = Math.min(query.rows ?? set.rows, set.rows)
  const { nq, k, mask } = query
  const counts = new Uint32Array(nq)
  let allowed = rows
  if (mask !== undefined) allowed = query.maskCount ?? countOnes(mask, rows)
  const limit = Math.min(k, allowed)
  const hits = { keys: new Float32Array(nq * limit), rows: new Uint32Array(nq * limit), size: 0 }
  if (limit > 0) {
    const width = vectorBytes(set.type, set.dim)
    const range = keyRange(set, query)
    const run: Run = { set, graph, rows, allowed, limit, query, range, only: undefined }
    for (let i = 0; i < nq; i++) {
      if (set.lists !== undefined) searchLists(run, { ...set, lists: set.lists }, i)
      else searchOne(run, decodeQuery(set, query.queries.subarray(i * width, (i + 1) * width)))
      counts[i] = top.drain(hits.keys, hits.rows, hits.size)
      hits.size += counts[i] ?? 0
    }
  }
  const scores = hits.keys.length === hits.size ? hits.keys : hits.keys.slice(0, hits.size)
  if (isDescending(set.metric)) for (let i = 0; i < scores.length; i++) scores[i] = 0 - (scores[i] ?? 0)
  return { counts, rows: hits.rows.length === hits.size ? hits.rows : hits.rows.slice(0, hits.size), scores }
}

interface Run {
  readonly set: VectorSet
  readonly graph: Graph | undefined
  readonly rows: number
  readonly allowed: number
  readonly limit: number
  readonly query: SearchQuery
  readonly range: KeyRange | undefined
  /** Rows of the mask, listed when the first scan needs them. */
  only: Uint32Array | undefined
}

function searchLists(run: Run, set: ListSet, index: number): void {
  const { query, rows, allowed, limit, range } = run
  if (query.mask !== undefined && allowed < rows) run.only ??= listOnes(query.mask, rows, allowed)
  top.reset(limit)
  scanLists(set, query, index, rows, run.only, range, top)
}

function searchOne(run: Run, vector: Float32Array | Uint8Array): void {
  const { set, graph, rows, allowed, limit, query } = run
  if (graph !== undefined && vector instanceof Float32Array && query.useIndex !== false) {
    const probe = graph.probe(vector)
    let candidates = candidatesFor(limit, query.ef, rows, allowed) * (probe?.widening ?? 1)
    while (probe !== undefined && !scanIsCheaper(candidates, allowed)) {
      if (searchGraph(run, graph, vector, probe, candidates)) return
      candidates *= 4
    }
  }
  const { mask } = query
  if (mask !== undefined && allowed < rows) run.only ??= listOnes(mask, rows, allowed)
  top.reset(limit)
  scan(set, vector, rows, run.only, run.range, top)
}

/**
 * Fills `top` from the graph's candidates, ranked anew by the exact vectors. False when the candidates may not hold all that
 * was asked for: the filter or the range took too many, or the last hit is so near the end of the list that others may lie
 * just beyond it.
 */
function searchGraph(run: Run, graph: Graph, vector: Float32Array, probe: Probe, candidates: number): boolean {
  const { set, rows, limit, range } = run
  const { mask, radius } = run.query
  const keys = graph.search(probe, candidates)
  // Keys are rows, below 2^32: the low words of little-endian 64 bit numbers.
  const found = new Uint32Array(keys.buffer, keys.byteOffset, keys.length * 2)
  const exact = keysOf(set, vector)
  // The graph's order is that of rounded vectors: look a little further than is wanted, and at all where the query was cut off.
  const enough = range === undefined && probe.widening === 1 ? limit + Math.max(16, limit) : Infinity
  top.reset(limit)
  let kept = 0
  let position = 0
  let filled = keys.length
  for (; position < keys.length && kept < enough; position++) {
    const row = found[position * 2] ?? 0
    if (row >= rows) continue
    if (mask !== undefined && mask[row] !== 1) continue
    const key = exact(row)
    if (range !== undefined && !range.contains(key)) continue
    kept++
    if (kept === limit) filled = position
    top.offer(key, row)
  }
  if (kept >= limit) return filled < candidates * 0.9 || mask === undefined
  if (mask !== undefined || radius === undefined || keys.length === 0) return false
  // Nothing is missing when the list reaches beyond the radius: the rest is further away still.
  const last = exact(found[(keys.length - 1) * 2] ?? 0)
  const bound = isDescending(set.metric) ? -radius : radius
  return last > bound + Math.abs(bound) * 0.05
}

function keyRange(set: VectorSet, query: SearchQuery): KeyRange | undefined {
  const { radius, rangeFilter } = query
  if (radius === undefined && rangeFilter === undefined) return undefined
  const sign = isDescending(set.metric) ? -1 : 1
  const below = radius === undefined ? Infinity : Math.fround(sign * radius)
  const from = rangeFilter === undefined ? -Infinity : Math.fround(sign * rangeFilter)
  return { contains: (key) => key >= from && key < below }
}

export function countOnes(mask: Uint8Array, rows: number): number {
  let count = 0
  for (let i = 0; i < rows; i++) count += mask[i] ?? 0
  return count
}

function listOnes(mask: Uint8Array, rows: number, count: number): Uint32Array {
  const list = new Uint32Array(count)
  let at = 0
  let row = 0
  if (mask.byteOffset % 4 === 0) {
    const words = new Uint32Array(mask.buffer, mask.byteOffset, rows >>> 2)
    for (let w = 0; w < words.length; w++) {
      if (words[w] === 0) continue
      for (row = w * 4; row < w * 4 + 4; row++) if (mask[row] === 1) list[at++] = row
    }
    row = words.length * 4
  }
  for (; row < rows; row++) if (mask[row] === 1) list[at++] = row
  return at === count ? list : list.subarray(0, at)
}
