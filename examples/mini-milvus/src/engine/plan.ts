/** How a search is done. Costs are in rows that an exact scan would read. */
import type { VectorSet } from './metric.ts'
import type { SearchQuery } from './search.ts'

/** What following the graph costs per candidate (`ef`), against reading one row. Measured at 128 dimensions; both grow with them. */
const ROWS_PER_CANDIDATE = 22
const DEFAULT_EF = 112

/**
 * Candidates to ask the graph for so that the wanted rows are among them with the recall that `ef` gives without a filter: a
 * filter that keeps one row in n pushes the k-th hit n times further back.
 */
export function candidatesFor(k: number, ef: number | undefined, rows: number, allowed: number): number {
  const base = Math.max(k, ef ?? Math.max(DEFAULT_EF, k * 2))
  if (allowed === 0) return base
  return Math.ceil(base + 2 * k * (rows / allowed - 1))
}

/** True where reading every allowed row is cheaper than the graph, and exact besides. */
export function scanIsCheaper(candidates: number, allowed: number): boolean {
  return allowed <= candidates * ROWS_PER_CANDIDATE
}

/** Multiply-adds of a search, an upper bound unless a filter makes the graph look again; reading a mask counts one a row. */
export function costOf({ rows: all, dim, offsets, lists, postings }: VectorSet, query: SearchQuery, hasIndex: boolean): number {
  const rows = Math.min(query.rows ?? all, all)
  if (offsets !== undefined) return query.nq * (postings === undefined ? (offsets[rows] ?? 0) / 2 : rows) + rows
  if (lists !== undefined) return (query.queryOffsets?.[query.nq] ?? 0) * (lists[rows] ?? 0) * dim + rows
  const allowed = Math.min(rows, query.maskCount ?? rows)
  const candidates = candidatesFor(Math.min(query.k, allowed), query.ef, rows, allowed)
  const useGraph = hasIndex && query.useIndex !== false && !scanIsCheaper(candidates, allowed)
  return query.nq * dim * (useGraph ? candidates * ROWS_PER_CANDIDATE : allowed) + (query.mask === undefined ? 0 : rows)
}
