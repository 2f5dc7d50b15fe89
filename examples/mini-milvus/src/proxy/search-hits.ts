import { gatherColumn } from '../codec/gather.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { SearchResult } from '../querynode/api.ts'

/** Chosen hits of a result, in the order of `rows`; `counts` says how many each query keeps. */
export function takeHits(result: SearchResult, rows: readonly number[], counts: Uint32Array): SearchResult {
  return {
    ...result,
    counts,
    scores: Float32Array.from(rows, (row) => result.scores[row] as number),
    ...(result.elements === undefined ? {} : { elements: Uint32Array.from(rows, (row) => (result.elements as Uint32Array)[row] as number) }),
    keys: gatherColumn<PrimaryKeys>(result.keys, rows),
    columns: new Map([...result.columns].map(([id, column]) => [id, gatherColumn(column, rows)])),
  }
}
