/**
 * BM25 searches: the weights of a query's terms come from all live rows of the collection, whatever partitions and filter the search
 * has, counted when it runs. So deletes, flushes and compactions need no bookkeeping to stay right.
 */
import type { NodeClock } from '../edge/system.ts'
import type { Engine } from '../engine/index.ts'
import type { SearchRequest, TermStats } from './api.ts'
import { rowMask } from './row-mask.ts'
import type { SegmentView } from './segment-view.ts'
import type { VectorField } from './vector-field.ts'

export interface WeightedQuery {
  readonly queries: Uint8Array
  readonly bm25: { readonly k1: number; readonly b: number; readonly averageLength: number }
}

export interface Bm25Context {
  readonly engine: Engine
  readonly clock: NodeClock
  readonly field: VectorField
  /** All of the collection. */
  readonly allViews: readonly SegmentView[]
}

/** Pairs of a dimension and its count become pairs of the dimension and its weight. */
export async function weightedQuery(context: Bm25Context, { queries, termStats, signal }: SearchRequest, params: { readonly k1: number; readonly b: number }): Promise<WeightedQuery> {
  const weighted = new Uint8Array(queries)
  const view = new DataView(weighted.buffer)
  const { rows, length, rowsWith } = termStats ?? (await collectionStats(context, termsOf(queries), signal))
  const rarity = (term: number): number => {
    const having = rowsWith.get(term) ?? 0
    return Math.log(1 + (rows - having + 0.5) / (having + 0.5))
  }
  for (let at = 0; at < weighted.length; at += 8) {
    view.setFloat32(at + 4, view.getFloat32(at + 4, true) * rarity(view.getUint32(at, true)), true)
  }
  return { queries: weighted, bm25: { ...params, averageLength: rows === 0 ? 1 : length / rows } }
}

/** Each dimension of packed queries once. */
export function termsOf(queries: Uint8Array): number[] {
  const view = new DataView(queries.buffer, queries.byteOffset, queries.byteLength)
  const terms = new Set<number>()
  for (let at = 0; at < queries.length; at += 8) terms.add(view.getUint32(at, true))
  return [...terms]
}

export async function collectionStats({ engine, clock, field, allViews }: Bm25Context, terms: readonly number[], signal: AbortSignal): Promise<TermStats> {
  const queries = new Uint8Array(terms.length * 8)
  const pairs = new DataView(queries.buffer)
  terms.forEach((term, i) => pairs.setUint32(i * 8, term, true))
  const items = await Promise.all(
    allViews.map(async (view) => {
      const setId = view.vectorSet(field.fieldId)
      if (setId === undefined) return undefined
      const { bytes: mask, length: rows } = await rowMask(view, undefined, clock)
      return { setId, queries, queryOffsets: Uint32Array.of(0, queries.length), nq: 1, k: 1, rows, mask, countTerms: true }
    }),
  )
  signal.throwIfAborted()
  const results = await engine.searchMany(
    items.filter((item) => item !== undefined),
    { signal },
  )
  const rowsWith = new Map<number, number>()
  let rows = 0
  let length = 0
  for (const { terms: found } of results) {
    if (found === undefined) throw new Error('a set counted no terms')
    rows += found.rows
    length += found.length
    terms.forEach((term, i) => rowsWith.set(term, (rowsWith.get(term) ?? 0) + (found.rowsWith[i] as number)))
  }
  return { rows, length, rowsWith }
}
