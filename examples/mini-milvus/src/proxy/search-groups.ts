/** Searches that return the best hits of each group of rows with the same value, groups in the order of their best hit. */
import type { Value } from '../filter/order.ts'
import type { FieldSchema } from '../model/schema.ts'
import type { QueryNodeApi, SearchRequest, SearchResult } from '../querynode/api.ts'
import { valueAt } from './column-values.ts'
import { MAX_TOPK, type GroupBy } from './read-params.ts'
import { takeHits } from './search-hits.ts'

/** Hits per group of candidates that are looked at first. */
const FIRST_FACTOR = 4
const GROWTH = 4

/**
 * Looks at more and more candidates until there are enough groups, or no more candidates (at most 16,384).
 * @param limit groups per query
 */
export async function groupedSearch(queryNode: QueryNodeApi, request: SearchRequest, limit: number, field: FieldSchema, by: GroupBy): Promise<SearchResult> {
  const groupsWanted = limit + request.offset
  for (let k = Math.min(MAX_TOPK, groupsWanted * by.size * FIRST_FACTOR); ; k = Math.min(MAX_TOPK, k * GROWTH)) {
    const result = await queryNode.search({ ...request, k, offset: 0 })
    const queries = groupsOfQueries(result, field, by.size)
    const isLast = k === MAX_TOPK
    const done = queries.every(({ groups, hits }) => hits < k || isComplete(groups, groupsWanted, by))
    if (!done && !isLast) continue
    const chosen = queries.map(({ groups }) => groups.slice(request.offset, groupsWanted).flat())
    return takeHits(result, chosen.flat(), Uint32Array.from(chosen, (rows) => rows.length))
  }
}

function isComplete(groups: readonly (readonly number[])[], wanted: number, { size, strict }: GroupBy): boolean {
  if (groups.length < wanted) return false
  return !strict || groups.slice(0, wanted).every((rows) => rows.length === size)
}

/** Per query the rows of each group, best first, at most `size`. */
function groupsOfQueries(result: SearchResult, field: FieldSchema, size: number): { readonly groups: number[][]; readonly hits: number }[] {
  const column = field.isPrimary ? result.keys : result.columns.get(field.id)
  if (column === undefined) throw new Error(`field ${field.name} is missing in a result`)
  let start = 0
  return Array.from(result.counts, (hits) => {
    const groups = new Map<Value | undefined, number[]>()
    for (let row = start; row < start + hits; row++) {
      const value = valueAt(column, row)
      const rows = groups.get(value)
      if (rows === undefined) groups.set(value, [row])
      else if (rows.length < size) rows.push(row)
    }
    start += hits
    return { groups: [...groups.values()], hits }
  })
}
