/** Hybrid search: several searches of one collection, each with its own vectors, field and filter, joined by a ranker. */
import { concatColumns } from '../codec/index.ts'
import type { Column } from '../model/column.ts'
import { primaryKeyAt, type PrimaryKey, type PrimaryKeys } from '../model/primary-keys.ts'
import type { FieldSchema } from '../model/schema.ts'
import { compareKeys } from '../querynode/merge-hits.ts'
import type { SearchRequest as NodeRequest, SearchResult } from '../querynode/api.ts'
import type { CallContext } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import type { HybridSearchRequest, SearchRequest } from '../wire/index.ts'
import { comparableField, valueAt } from './column-values.ts'
import type { DqlOptions } from './dql-context.ts'
import { guaranteeTimestamp } from './guarantee.ts'
import { hybridParams, partLimit, type HybridParams } from './hybrid-params.ts'
import { atOneMoment } from './one-moment.ts'
import { resolveOutputFields } from './output-fields.ts'
import type { RankedList } from './rankers.ts'
import { nodeRequest, response, type Extras, type SearchResponse } from './search.ts'
import { groupedSearch } from './search-groups.ts'
import { takeHits } from './search-hits.ts'

export async function runHybridSearch(options: DqlOptions, request: HybridSearchRequest, call: CallContext): Promise<SearchResponse> {
  const collection = options.meta.collection(call.dbName, request.collection_name)
  const { schema } = collection
  const params = hybridParams(schema, request)
  if (request.requests.some(({ highlighter }) => highlighter !== null)) throw new MilvusError(1100, 'not support hybrid search with highlight now')
  const output = resolveOutputFields(schema, request.output_fields)
  const group = params.groupBy === undefined ? undefined : comparableField(schema, params.groupBy.field, 'group by')
  const extras: Extras = { group, order: [], read: params.decay === undefined ? [] : [params.decay.field] }
  // All parts see the same moment.
  const guaranteeTs = await guaranteeTimestamp(request, collection, options)
  const asked = await Promise.all(
    request.requests.map(async (part, index) => {
      const ofPart = params.parts[index] as (typeof params.parts)[number]
      const one = await nodeRequest({ ...options, now: async () => guaranteeTs }, collection, withShared(part, request), { ...ofPart, offset: 0 }, output, extras, call)
      return { ...one, k: partLimit(ofPart, params) }
    }),
  )
  const look = ({ guaranteeTs: ts, momentTs }: Pick<NodeRequest, 'guaranteeTs' | 'momentTs'>) => Promise.all(
    asked.map(async (one) => {
      const wanted = { ...one, guaranteeTs: ts, momentTs }
      const found = group === undefined || params.groupBy === undefined ? options.queryNode.search(wanted) : groupedSearch(options.queryNode, wanted, wanted.k, group, params.groupBy)
      return { nq: one.nq, result: await found }
    }),
  )
  const parts = await atOneMoment(options.queryNode, { collectionId: collection.id, guaranteeTs, signal: call.signal }, look)
  const nq = parts[0]?.nq ?? 0
  if (parts.some((part) => part.nq !== nq)) throw new MilvusError(1100, 'nq should be the same in all ann search requests of a hybrid search')
  const result = joined(parts.map((part) => part.result), nq, params, group)
  return response(collection, request, { limit: params.limit, roundDecimal: params.roundDecimal, iterator: undefined }, output, result, nq, extras)
}

/** What the request says of all its parts: partitions and how fresh. */
function withShared(part: SearchRequest, { partition_names, consistency_level, use_default_consistency, guarantee_timestamp }: HybridSearchRequest): SearchRequest {
  return { ...part, partition_names: partition_names.length > 0 ? partition_names : part.partition_names, consistency_level, use_default_consistency, guarantee_timestamp }
}

/** All hits of all parts as the rows of one result, and of them the best. */
function joined(results: readonly SearchResult[], nq: number, params: HybridParams, group: FieldSchema | undefined): SearchResult {
  if (results.some(({ elements }) => elements !== undefined)) throw new MilvusError(1100, 'hybrid search does not take searches for single elements of a list: search whole lists, with a MAX_SIM metric')
  const all = concatenated(results)
  const metrics = results.map(({ metric }) => metric)
  const ascending = params.ranker.isAscending(metrics)
  const starts = results.map((_, part) => results.slice(0, part).reduce((sum, { keys }) => sum + keys.length, 0))
  const chosen: { readonly row: number; readonly score: number }[] = []
  const counts = new Uint32Array(nq)
  for (let query = 0; query < nq; query++) {
    const rowOf = new Map<PrimaryKey, number>()
    const lists = results.map(({ counts: hits, metric }, part): RankedList => {
      const start = starts[part] as number
      const count = hits[query] as number
      starts[part] = start + count
      const identities = Array.from({ length: count }, (_, hit) => primaryKeyAt(all.keys, start + hit))
      identities.forEach((key, hit) => rowOf.has(key) || rowOf.set(key, start + hit))
      return { metric, identities, scores: Array.from({ length: count }, (_, hit) => all.scores[start + hit] as number) }
    })
    const ranked = [...params.ranker.score(lists)]
      .map(([key, score]) => {
        const row = rowOf.get(key as PrimaryKey) as number
        return { key: key as PrimaryKey, row, score: Math.fround(score * decayOf(params, all, row)) }
      })
      .sort((a, b) => (a.score !== b.score ? (ascending ? a.score - b.score : b.score - a.score) : compareKeys(a.key, b.key)))
    const kept = group === undefined ? ranked.slice(params.offset, params.offset + params.limit) : groupsOf(ranked, all, group, params, ascending)
    counts[query] = kept.length
    chosen.push(...kept)
  }
  return { ...takeHits(all, chosen.map(({ row }) => row), counts), scores: Float32Array.from(chosen, ({ score }) => score) }
}

function decayOf({ decay }: HybridParams, all: SearchResult, row: number): number {
  const column = decay === undefined ? undefined : decay.field.isPrimary ? all.keys : all.columns.get(decay.field.id)
  return column === undefined ? 1 : (decay?.factor(column, row) ?? 1)
}

function concatenated(results: readonly SearchResult[]): SearchResult {
  const [first] = results
  if (first === undefined) throw new MilvusError(1100, 'a hybrid search needs at least one ann search request')
  const columns = new Map<number, Column>()
  for (const id of first.columns.keys()) columns.set(id, concatColumns(results.map((result) => result.columns.get(id) as Column)))
  const scores = new Float32Array(results.reduce((sum, result) => sum + result.scores.length, 0))
  let at = 0
  for (const result of results) {
    scores.set(result.scores, at)
    at += result.scores.length
  }
  const serviceTs = results.reduce((least, result) => (result.serviceTs < least ? result.serviceTs : least), first.serviceTs)
  return { ...first, scores, columns, keys: concatColumns<PrimaryKeys>(results.map(({ keys }) => keys)), serviceTs }
}

interface Hit {
  readonly row: number
  readonly score: number
}

/** Hits of the best groups, group after group. */
function groupsOf(ranked: readonly Hit[], all: SearchResult, field: FieldSchema, { groupBy, groupScorer, limit, offset }: HybridParams, ascending: boolean): Hit[] {
  const column = field.isPrimary ? all.keys : all.columns.get(field.id)
  if (column === undefined || groupBy === undefined) throw new Error(`field ${field.name} is missing in a result`)
  const groups = new Map<unknown, Hit[]>()
  for (const hit of ranked) {
    const value = valueAt(column, hit.row)
    const hits = groups.get(value)
    if (hits === undefined) groups.set(value, [hit])
    else if (hits.length < groupBy.size) hits.push(hit)
  }
  const worth = (hits: readonly Hit[]): number => {
    const sum = hits.reduce((total, { score }) => total + score, 0)
    return groupScorer === 'max' ? (hits[0]?.score ?? 0) : groupScorer === 'sum' ? sum : sum / hits.length
  }
  // Sorting is stable: groups of equal worth stay in the order of their best hits.
  const order = [...groups.values()].map((hits) => ({ hits, worth: worth(hits) })).sort((a, b) => (ascending ? a.worth - b.worth : b.worth - a.worth))
  return order.slice(offset, offset + limit).flatMap(({ hits }) => hits)
}
