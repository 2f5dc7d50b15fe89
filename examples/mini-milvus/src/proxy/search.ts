/** Search: the nearest rows of each query, plain, grouped, ordered by fields, or page by page. */
import { encodeFieldData } from '../codec/index.ts'
import type { Column } from '../model/column.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { primaryField, type FieldSchema } from '../model/schema.ts'
import type { SearchRequest as NodeRequest, SearchResult } from '../querynode/api.ts'
import { ascendingMetric } from '../querynode/merge-hits.ts'
import type { CallContext } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import { ErrorCode, type HighlightResult, type Init, type SearchRequest, type SearchResultData, type SearchResults } from '../wire/index.ts'
import { comparableField, orderFields, rowOrder, type OrderField } from './column-values.ts'
import { ITERATOR_KEEP_MS, partitionIds, type DqlOptions } from './dql-context.ts'
import { createRescoring, withoutFirst } from './function-score.ts'
import { guaranteeTimestamp } from './guarantee.ts'
import { createHighlighter } from './highlighter.ts'
import { readPage } from './iterator-moment.ts'
import { atOneMoment } from './one-moment.ts'
import { resolveOutputFields, type OutputFields } from './output-fields.ts'
import { queryVectors, vectorField } from './query-vectors.ts'
import { searchParams, type SearchParams } from './read-params.ts'
import { fieldBytes, primaryKeyIds } from './response-columns.ts'
import { groupedSearch } from './search-groups.ts'
import { takeHits } from './search-hits.ts'
import { iteratorSearch, nextPage } from './search-iterator.ts'
import { filterTemplates } from './templates.ts'

/** The response without its fields, and the fields as bytes. */
export interface SearchResponse {
  readonly message: Init<SearchResults>
  readonly fields: readonly Uint8Array[]
}

/** Fields that a search reads beside those it returns. */
export interface Extras {
  readonly group: FieldSchema | undefined
  readonly order: readonly OrderField[]
  readonly read?: readonly FieldSchema[] | undefined
}

export async function runSearch(options: DqlOptions, request: SearchRequest, call: CallContext): Promise<SearchResponse> {
  const collection = options.meta.collection(call.dbName, request.collection_name)
  const { schema } = collection
  const params = searchParams(request.search_params)
  const output = resolveOutputFields(schema, request.output_fields)
  const highlighter = createHighlighter(schema, request, { field: vectorField(collection, params.annsField), metric: params.metric })
  const extras: Extras = {
    read: highlighter?.fields,
    group: params.groupBy === undefined ? undefined : comparableField(schema, params.groupBy.field, 'group by'),
    order: params.orderBy === undefined ? [] : orderFields(schema, params.orderBy),
  }
  const answer = async (result: SearchResult, nq: number): Promise<SearchResponse> => {
    const made = response(collection, request, params, output, result, nq, extras)
    return highlighter === undefined ? made : withHighlights(made, await highlighter.mark(result, options.pause))
  }
  const rescoring = createRescoring(schema, request.function_score)
  if (rescoring !== undefined) {
    if (params.groupBy !== undefined || params.iterator !== undefined || params.orderBy !== undefined) {
      throw new MilvusError(1100, 'function_score takes no group_by_field, no order_by_fields and no search iterator')
    }
    const scored = await nodeRequest(options, collection, request, { ...params, offset: 0, limit: params.limit + params.offset }, output, { ...extras, read: [...(extras.read ?? []), ...rescoring.fields] }, call)
    const hits = await atOneMoment(options.queryNode, scored, async (asked) => rescoring.rescore(options.queryNode, asked, await options.queryNode.search(asked)))
    return answer(withoutFirst(hits, params.offset), scored.nq)
  }
  const asked = await nodeRequest(options, collection, request, params, output, extras, call)
  const found = await atItsMoment(options, asked, params, extras)
  const result = extras.order.length === 0 ? found : ordered(found, extras.order, primaryField(schema))
  return answer(result, asked.nq)
}

export async function nodeRequest(
  options: DqlOptions,
  collection: CollectionMeta,
  request: SearchRequest,
  params: SearchParams,
  output: OutputFields,
  extras: Extras,
  call: CallContext,
): Promise<NodeRequest> {
  const field = vectorField(collection, params.annsField)
  const partitions = partitionIds(options.meta, collection, request.partition_names, ErrorCode.UnexpectedError)
  checkRange(params, options.meta.indexes(collection.id).find((index) => index.fieldId === field.id)?.metricType || params.metric)
  const { queries, queryOffsets, nq } = await queryVectors(options, collection, field, request, call)
  const read = [...output.fields, ...extras.order.map((item) => item.field), ...(extras.group === undefined ? [] : [extras.group]), ...(extras.read ?? [])]
  return {
    collectionId: collection.id,
    partitionIds: partitions,
    filter: request.dsl,
    templates: filterTemplates(request.expr_template_values),
    guaranteeTs: await guaranteeTimestamp(request, collection, options),
    ignoreGrowing: params.ignoreGrowing,
    outputFields: [...new Set(read.filter((item) => !item.isPrimary).map(({ id }) => id))],
    signal: call.signal,
    fieldId: field.id,
    queries,
    queryOffsets,
    nq,
    k: params.limit + params.offset,
    offset: params.offset,
    metric: params.metric,
    ef: params.ef,
    radius: params.radius,
    rangeFilter: params.rangeFilter,
  }
}

/** As segcore does: an empty range is a mistake, not an empty answer. */
function checkRange({ radius, rangeFilter }: SearchParams, metric: string): void {
  if (radius === undefined || rangeFilter === undefined || metric === '') return
  const isDistance = ascendingMetric(metric)
  if (isDistance ? rangeFilter < radius : rangeFilter > radius) return
  throw new MilvusError(1100, `metric type (${metric}), range_filter(${rangeFilter}) must be ${isDistance ? 'less' : 'greater'} than radius(${radius})`)
}

function atItsMoment(options: DqlOptions, asked: NodeRequest, params: SearchParams, extras: Extras): Promise<SearchResult> {
  const look = (at: NodeRequest): Promise<SearchResult> => find(options, at, params, extras)
  if (params.iterator !== undefined) return readPage(options.queryNode, asked, { ts: params.iterator.ts, keepMs: options.iteratorKeepMs ?? ITERATOR_KEEP_MS }, look)
  return params.groupBy === undefined ? look(asked) : atOneMoment(options.queryNode, asked, look)
}

function find({ queryNode }: DqlOptions, request: NodeRequest, params: SearchParams, { group }: Extras): Promise<SearchResult> {
  if (group !== undefined && params.groupBy !== undefined) return groupedSearch(queryNode, request, params.limit, group, params.groupBy)
  if (params.iterator !== undefined) return iteratorSearch(queryNode, request, params.iterator)
  return queryNode.search(request)
}

/** The hits of each query in the order of fields instead of scores. */
function ordered(result: SearchResult, order: readonly OrderField[], primary: FieldSchema): SearchResult {
  const compare = rowOrder(order, new Map<number, Column>([...result.columns, [primary.id, result.keys]]))
  const rows: number[] = []
  for (const count of result.counts) rows.push(...Array.from({ length: count }, (_, i) => rows.length + i).sort(compare))
  return takeHits(result, rows, result.counts)
}

export function response(
  { schema }: CollectionMeta,
  request: Pick<SearchRequest, 'collection_name'>,
  params: Pick<SearchParams, 'limit' | 'roundDecimal' | 'iterator'>,
  output: OutputFields,
  result: SearchResult,
  nq: number,
  { group }: Extras,
): SearchResponse {
  const primary = primaryField(schema)
  const columns = new Map<number, Column>([...result.columns, [primary.id, result.keys]])
  const { length } = result.keys
  const groupColumn = group === undefined ? undefined : columns.get(group.id)
  const results: Init<SearchResultData> = {
    num_queries: BigInt(nq),
    top_k: BigInt(params.limit),
    topks: Array.from(result.counts, BigInt),
    scores: roundedScores(result, params),
    ids: primaryKeyIds(result.keys),
    output_fields: output.names,
    primary_field_name: primary.name,
    all_search_count: BigInt(length),
    ...(result.elements === undefined ? {} : { element_indices: { data: Array.from(result.elements, BigInt) } }),
    ...(group === undefined || groupColumn === undefined ? {} : { group_by_field_value: encodeFieldData(group, groupColumn, Array.from({ length }, (_, row) => row)) }),
    ...(params.iterator === undefined ? {} : { search_iterator_v2_results: nextPage(params.iterator, result) }),
  }
  return { message: { collection_name: request.collection_name, session_ts: result.serviceTs, results }, fields: fieldBytes(output, columns, length) }
}

function withHighlights({ message, fields }: SearchResponse, highlight_results: readonly HighlightResult[]): SearchResponse {
  return { message: { ...message, results: { ...message.results, highlight_results } }, fields }
}

function roundedScores({ scores }: SearchResult, { roundDecimal }: Pick<SearchParams, 'roundDecimal'>): number[] {
  if (roundDecimal < 0) return Array.from(scores)
  const factor = 10 ** roundDecimal
  return Array.from(scores, (score) => Math.round(score * factor) / factor)
}
