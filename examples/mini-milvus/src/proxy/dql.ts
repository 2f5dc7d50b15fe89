/** Search and Query as RPC handlers: from the wire's request to the query node's, and back. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { primaryKeyList } from '../model/primary-keys.ts'
import { isVectorType, primaryField, vectorBytes, type FieldSchema } from '../model/schema.ts'
import type { QueryNodeApi, SearchResult } from '../querynode/api.ts'
import type { CallContext, WireHandler, WireHandlers } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import { decodeMessage, type Init, type QueryRequest, type QueryResults, type SearchRequest, type SearchResults } from '../wire/index.ts'
import { guaranteeTimestamp, type GuaranteeOptions } from './guarantee.ts'
import { resolveOutputFields } from './output-fields.ts'
import { partitionKeyPartitions } from './partitioning.ts'
import { MAX_TOPK, queryParams, searchParams, type SearchParams } from './read-params.ts'
import { fieldsData, keyFieldData, primaryKeyIds } from './response-columns.ts'
import { filterTemplates } from './templates.ts'

export interface DqlOptions extends GuaranteeOptions {
  readonly meta: MetaReader
  readonly queryNode: QueryNodeApi
}

export function createDqlHandlers(options: DqlOptions): WireHandlers {
  const search: WireHandler<'Search'> = { kind: 'dql', run: (request, call) => runSearch(options, request, call) }
  const query: WireHandler<'Query'> = { kind: 'dql', run: (request, call) => runQuery(options, request, call) }
  return { Search: search, Query: query }
}

const COUNT = 'count(*)'

async function runSearch(options: DqlOptions, request: SearchRequest, call: CallContext): Promise<Init<SearchResults>> {
  const { meta, queryNode } = options
  const collection = meta.collection(call.dbName, request.collection_name)
  const params = searchParams(request.search_params)
  const field = vectorField(collection, params.annsField)
  const { queries, nq } = await queryVectors(options, collection, field, request, call)
  const output = resolveOutputFields(collection.schema, request.output_fields)
  const result = await queryNode.search({
    collectionId: collection.id,
    partitionIds: partitionIds(meta, collection, request.partition_names),
    filter: request.dsl,
    templates: filterTemplates(request.expr_template_values),
    guaranteeTs: await guaranteeTimestamp(request, collection, options),
    ignoreGrowing: params.ignoreGrowing,
    outputFields: output.fields.filter((item) => !item.isPrimary).map(({ id }) => id),
    signal: call.signal,
    fieldId: field.id,
    queries,
    nq,
    k: params.limit + params.offset,
    offset: params.offset,
    metric: params.metric,
    ef: params.ef,
    radius: params.radius,
    rangeFilter: params.rangeFilter,
  })
  const primary = primaryField(collection.schema)
  const columns = new Map([...result.columns, [primary.id, result.keys]])
  return {
    collection_name: request.collection_name,
    session_ts: result.serviceTs,
    results: {
      num_queries: BigInt(nq),
      top_k: BigInt(params.limit),
      topks: Array.from(result.counts, BigInt),
      scores: roundedScores(result, params),
      ids: primaryKeyIds(result.keys),
      fields_data: fieldsData(output, columns, result.keys.length),
      output_fields: output.names,
      primary_field_name: primary.name,
      all_search_count: BigInt(result.keys.length),
    },
  }
}

async function runQuery(options: DqlOptions, request: QueryRequest, call: CallContext): Promise<Init<QueryResults>> {
  const { meta, queryNode } = options
  const collection = meta.collection(call.dbName, request.collection_name)
  const params = queryParams(request.query_params)
  const count = request.output_fields.some((name) => name.trim().toLowerCase() === COUNT)
  if (count && request.output_fields.length > 1) throw new MilvusError(1100, 'count entities with other output fields is not allowed')
  if (!count && request.expr.trim() === '' && params.limit === undefined) throw new MilvusError(1100, 'empty expression should be used with limit')
  const output = resolveOutputFields(collection.schema, count ? [] : request.output_fields)
  const result = await queryNode.query({
    collectionId: collection.id,
    partitionIds: partitionIds(meta, collection, request.partition_names),
    filter: request.expr,
    templates: filterTemplates(request.expr_template_values),
    guaranteeTs: await guaranteeTimestamp(request, collection, options),
    ignoreGrowing: params.ignoreGrowing,
    outputFields: output.fields.filter((item) => !item.isPrimary).map(({ id }) => id),
    signal: call.signal,
    limit: params.limit,
    offset: params.offset,
    count,
  })
  const primary = primaryField(collection.schema)
  const base = { collection_name: request.collection_name, session_ts: result.serviceTs, primary_field_name: primary.name }
  if (count) {
    const column = { type: 5, field_name: COUNT, scalars: { long_data: { data: [BigInt(result.count)] } } }
    return { ...base, output_fields: [COUNT], fields_data: [column] }
  }
  const columns = new Map([...result.columns, [primary.id, result.keys]])
  const data = fieldsData(output, columns, result.keys.length)
  // A key always comes back, asked for or not, as in Milvus.
  if (!output.hasPrimary) return { ...base, output_fields: [...output.names, primary.name], fields_data: [...data, keyFieldData(primary, result.keys)] }
  return { ...base, output_fields: output.names, fields_data: data }
}

function vectorField(collection: CollectionMeta, name: string): FieldSchema {
  const fields = collection.schema.fields.filter((field) => isVectorType(field.type))
  if (name === '') {
    const [only] = fields
    if (fields.length !== 1 || only === undefined) {
      throw new MilvusError(1100, 'multiple anns_fields exist, please specify a anns_field in search_params')
    }
    return only
  }
  const field = fields.find((candidate) => candidate.name === name)
  if (field === undefined) throw new MilvusError(1100, `failed to get field schema by name: fieldName(${name}) not found`)
  return field
}

interface QueryVectors {
  readonly queries: Uint8Array
  readonly nq: number
}

async function queryVectors(options: DqlOptions, collection: CollectionMeta, field: FieldSchema, request: SearchRequest, call: CallContext): Promise<QueryVectors> {
  if (request.ids !== undefined) return vectorsOfIds(options, collection, field, request, call)
  const rowBytes = vectorBytes(field.type, field.dim ?? 0)
  const [placeholder] = decodePlaceholders(request.placeholder_group)
  if (placeholder === undefined || placeholder.values.length === 0) throw new MilvusError(1100, 'nq (number of search vector per search request) should be in range [1, 16384], but got 0')
  const { values, type } = placeholder
  if (values.length > MAX_TOPK) throw new MilvusError(1100, `nq (number of search vector per search request) should be in range [1, ${MAX_TOPK}], but got ${values.length}`)
  if (type !== field.type) throw new MilvusError(1100, `vector type must be the same, field ${field.name} - type ${field.type}, search info type ${type}`)
  for (const value of values) {
    if (value.length !== rowBytes) {
      throw new MilvusError(1100, `vector dimension mismatch, expected vector size(byte) ${rowBytes}, actual ${value.length}`)
    }
  }
  const [single] = values
  if (values.length === 1 && single !== undefined) return { queries: single, nq: 1 }
  const queries = new Uint8Array(rowBytes * values.length)
  values.forEach((value, index) => queries.set(value, index * rowBytes))
  return { queries, nq: values.length }
}

function decodePlaceholders(group: Uint8Array | undefined) {
  try {
    return decodeMessage('common.PlaceholderGroup', group ?? new Uint8Array(0)).placeholders
  } catch {
    throw new MilvusError(1100, 'placeholder_group is no message of type PlaceholderGroup')
  }
}

/** Search by primary keys: the stored vectors of these rows are the queries, in the order of the keys. */
async function vectorsOfIds(options: DqlOptions, collection: CollectionMeta, field: FieldSchema, request: SearchRequest, call: CallContext): Promise<QueryVectors> {
  const keys = [...(request.ids?.int_id?.data ?? request.ids?.str_id?.data ?? [])]
  if (keys.length === 0 || keys.length > MAX_TOPK) throw new MilvusError(1100, `expected 1 to ${MAX_TOPK} ids, got ${keys.length}`)
  const found = await options.queryNode.query({
    collectionId: collection.id,
    partitionIds: partitionIds(options.meta, collection, request.partition_names),
    filter: '',
    templates: new Map(),
    guaranteeTs: await guaranteeTimestamp(request, collection, options),
    ignoreGrowing: false,
    outputFields: [field.id],
    signal: call.signal,
    limit: undefined,
    offset: 0,
    count: false,
    keys,
  })
  const column = found.columns.get(field.id)
  if (column?.kind !== 'vector') throw new MilvusError(1100, `field ${field.name} holds no vectors to search by`)
  const rowOf = new Map(primaryKeyList(found.keys).map((key, row) => [key, row]))
  const queries = new Uint8Array(column.bytesPerRow * keys.length)
  keys.forEach((key, index) => {
    const row = rowOf.get(key)
    if (row === undefined) throw new MilvusError(1100, `some of the provided primary key IDs do not exist: ${String(key)}`)
    queries.set(column.data.subarray(row * column.bytesPerRow, (row + 1) * column.bytesPerRow), index * column.bytesPerRow)
  })
  return { queries, nq: keys.length }
}

function partitionIds(meta: MetaReader, collection: CollectionMeta, names: readonly string[]): bigint[] | undefined {
  if (names.length === 0) return undefined
  partitionKeyPartitions(collection)
  return names.map((name) => meta.partition(collection, name).id)
}

function roundedScores({ scores }: SearchResult, { roundDecimal }: SearchParams): number[] {
  if (roundDecimal < 0) return Array.from(scores)
  const factor = 10 ** roundDecimal
  return Array.from(scores, (score) => Math.round(score * factor) / factor)
}
