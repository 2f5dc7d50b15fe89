/** The answers of several query nodes to parts of one read, as one answer. */
import { primaryKeyAt } from '../model/primary-keys.ts'
import { primaryField, type CollectionSchema } from '../model/schema.ts'
import type { QueryRequest, QueryResult, SearchRequest, SearchResult, TermStats } from './api.ts'
import { ascendingMetric, compareKeys, mergeHits } from './merge-hits.ts'
import { pickedColumns, pickedKeys } from './picked-rows.ts'

/** @param results of the same search without its offset, with at least the request's `k` hits each, as far as there are any */
export function mergeSearches(results: readonly SearchResult[], { nq, k, offset, outputFields }: Pick<SearchRequest, 'nq' | 'k' | 'offset' | 'outputFields'>, schema: CollectionSchema): SearchResult {
  const { metric } = results[0] as SearchResult
  const parts = results.map((result) => ({ view: rowsOf(result, schema), counts: result.counts, rows: Uint32Array.from(result.scores.keys()), scores: result.scores, elements: result.elements }))
  const { counts, scores, elements, picked } = mergeHits(parts, nq, k, offset, ascendingMetric(metric))
  return { metric, counts, scores, elements, keys: pickedKeys(picked, schema), columns: pickedColumns(picked, schema, outputFields), serviceTs: leastTs(results) }
}

/** @param results of the same query without its offset, with as many rows as offset and limit ask for together */
export function mergeQueries(results: readonly QueryResult[], { limit, offset, outputFields }: Pick<QueryRequest, 'limit' | 'offset' | 'outputFields'>, schema: CollectionSchema): QueryResult {
  const matches = results.flatMap(({ keys }, part) => Array.from({ length: keys.length }, (_, row) => ({ part, row, key: primaryKeyAt(keys, row) })))
  matches.sort((a, b) => compareKeys(a.key, b.key))
  const page = matches.slice(offset, limit === undefined ? undefined : offset + limit)
  const picked = { views: results.map((result) => rowsOf(result, schema)), viewIndexes: Uint32Array.from(page, ({ part }) => part), rows: Uint32Array.from(page, ({ row }) => row) }
  const count = results.reduce((sum, result) => sum + result.count, 0)
  const elements = results.some((result) => result.elements !== undefined) ? page.map(({ part, row }) => results[part]?.elements?.[row] ?? new Uint32Array(0)) : undefined
  return { count, keys: pickedKeys(picked, schema), columns: pickedColumns(picked, schema, outputFields), elements, serviceTs: leastTs(results) }
}

export function mergeTermStats(results: readonly TermStats[]): TermStats {
  const rowsWith = new Map<number, number>()
  let rows = 0
  let length = 0
  for (const result of results) {
    rows += result.rows
    length += result.length
    for (const [term, having] of result.rowsWith) rowsWith.set(term, (rowsWith.get(term) ?? 0) + having)
  }
  return { rows, length, rowsWith }
}

/** The rows of an answer, as if they were a segment's. */
function rowsOf({ keys, columns }: Pick<SearchResult, 'keys' | 'columns'>, schema: CollectionSchema): Parameters<typeof mergeHits>[0][number]['view'] {
  const primary = primaryField(schema).id
  return { keys, column: (fieldId) => (fieldId === primary ? keys : columns.get(fieldId)) }
}

function leastTs(results: readonly { readonly serviceTs: bigint }[]): bigint {
  return results.map(({ serviceTs }) => serviceTs).reduce((a, b) => (a < b ? a : b))
}
