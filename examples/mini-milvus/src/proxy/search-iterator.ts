/**
 * Search iterators of version 2: each page holds the hits strictly beyond the last score of the page before, as in Milvus. The
 * token names the moment that all pages look at; the query nodes keep it.
 */
import type { QueryNodeApi, SearchRequest, SearchResult } from '../querynode/api.ts'
import { MilvusError } from '../server/status.ts'
import type { Init, SearchIteratorV2Results } from '../wire/index.ts'
import { MAX_TOPK, type SearchIterator } from './read-params.ts'
import { takeHits } from './search-hits.ts'

/** Hits of the last score that are expected to come again, and are dropped. */
const OVERLAP = 16

export async function iteratorSearch(queryNode: Pick<QueryNodeApi, 'search'>, request: SearchRequest, { batchSize, lastBound }: SearchIterator): Promise<SearchResult> {
  if (request.nq !== 1) throw new MilvusError(1100, `search iterator does not support processing multiple vectors simultaneously, got nq ${request.nq}`)
  if (lastBound === undefined) return queryNode.search({ ...request, k: batchSize, offset: 0 })
  // Bounds are of 32 bits as scores are, while hits are compared with more: begin at the bound, then drop what equals it.
  const bounded = { ...request, offset: 0, radius: request.radius, rangeFilter: lastBound }
  for (let k = batchSize + OVERLAP; ; k *= 2) {
    const result = await queryNode.search({ ...bounded, k })
    const rows = [...result.scores.keys()].filter((row) => result.scores[row] !== Math.fround(lastBound))
    if (rows.length < batchSize && result.scores.length === k && k < 2 * MAX_TOPK) continue
    const page = rows.slice(0, batchSize)
    return takeHits(result, page, Uint32Array.of(page.length))
  }
}

export function nextPage({ token, lastBound }: SearchIterator, { scores, serviceTs }: SearchResult): Init<SearchIteratorV2Results> {
  return { token: token === '' ? `iterator-${serviceTs}` : token, last_bound: scores.at(-1) ?? lastBound ?? 0 }
}
