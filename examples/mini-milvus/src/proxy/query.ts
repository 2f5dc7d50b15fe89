/** Query: rows by filter, in the order of their keys or by fields, or only their number. */
import { encodeFieldBytes } from '../codec/index.ts'
import { gatherColumn } from '../codec/gather.ts'
import type { Column } from '../model/column.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { primaryKeyAt, primaryKeyList, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import type { QueryRequest as NodeRequest, QueryResult } from '../querynode/api.ts'
import type { CallContext } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import type { Init, QueryRequest, QueryResults } from '../wire/index.ts'
import { orderFields, rowOrder, type OrderField } from './column-values.ts'
import { ITERATOR_KEEP_MS, partitionIds, type DqlOptions } from './dql-context.ts'
import { guaranteeTimestamp, MARKS } from './guarantee.ts'
import { readPage, type IteratorPage } from './iterator-moment.ts'
import { atOneMoment } from './one-moment.ts'
import { resolveOutputFields } from './output-fields.ts'
import { MAX_TOPK, queryParams, type QueryParams } from './read-params.ts'
import { fieldBytes } from './response-columns.ts'
import { filterTemplates } from './templates.ts'

/** The response without its fields, and the fields as bytes. */
export interface QueryResponse {
  readonly message: Init<QueryResults>
  readonly fields: readonly Uint8Array[]
}

const COUNT = 'count(*)'

export async function runQuery(options: DqlOptions, request: QueryRequest, call: CallContext): Promise<QueryResponse> {
  const collection = options.meta.collection(call.dbName, request.collection_name)
  const params = queryParams(request.query_params)
  const count = request.output_fields.some((name) => name.trim().toLowerCase() === COUNT)
  checkQuery(request, params, count)
  const output = resolveOutputFields(collection.schema, count ? [] : request.output_fields)
  const base = await baseRequest(options, collection, request, params, call)
  const outputFields = output.fields.filter((item) => !item.isPrimary).map(({ id }) => id)
  const order = params.orderBy === undefined || count ? undefined : orderFields(collection.schema, params.orderBy)
  const look = (asked: NodeRequest): Promise<QueryResult> => (order === undefined ? options.queryNode.query(asked) : orderedQuery(options, collection, order, asked))
  const page = pageOf(options, request, params)
  const asked = { ...base, outputFields, count }
  const result = page !== undefined ? await readPage(options.queryNode, asked, page, look) : order === undefined ? await look(asked) : await atOneMoment(options.queryNode, asked, look)
  const primary = primaryField(collection.schema)
  const elements = result.elements?.map((places) => ({ indices: { data: Array.from(places, BigInt) } }))
  const message = { collection_name: request.collection_name, session_ts: result.serviceTs, primary_field_name: primary.name, ...(elements === undefined || count ? {} : { element_indices: elements }) }
  if (count) {
    const column = { type: 5, field_name: COUNT, scalars: { long_data: { data: [BigInt(result.count)] } } }
    return { message: { ...message, output_fields: [COUNT], fields_data: [column] }, fields: [] }
  }
  const fields = fieldBytes(output, new Map([...result.columns, [primary.id, result.keys]]), result.keys.length)
  if (output.hasPrimary) return { message: { ...message, output_fields: [...output.names] }, fields }
  // A key always comes back, asked for or not, as in Milvus.
  const keys = encodeFieldBytes(primary, result.keys, everyRow(result.keys.length))
  return { message: { ...message, output_fields: [...output.names, primary.name] }, fields: [...fields, keys] }
}

/** An iterator says that it is one, and names its moment by the timestamp that its first call was answered with, as in Milvus. */
function pageOf({ iteratorKeepMs: keepMs = ITERATOR_KEEP_MS }: DqlOptions, { guarantee_timestamp: given }: QueryRequest, { isIterator }: QueryParams): IteratorPage | undefined {
  if (!isIterator) return undefined
  return { ts: given >= MARKS ? given : undefined, keepMs }
}

function checkQuery(request: QueryRequest, params: QueryParams, count: boolean): void {
  if (count && request.output_fields.length > 1) throw new MilvusError(1100, 'count entities with other output fields is not allowed')
  if (!count && request.expr.trim() === '' && params.limit === undefined) throw new MilvusError(1100, 'empty expression should be used with limit')
}

async function baseRequest(options: DqlOptions, collection: CollectionMeta, request: QueryRequest, params: QueryParams, call: CallContext) {
  return {
    collectionId: collection.id,
    partitionIds: partitionIds(options.meta, collection, request.partition_names),
    filter: request.expr,
    templates: filterTemplates(request.expr_template_values),
    guaranteeTs: await guaranteeTimestamp(request, collection, options),
    ignoreGrowing: params.ignoreGrowing,
    signal: call.signal,
    limit: params.limit,
    offset: params.offset,
  }
}

/** First the order of all that match, by the fields of the order alone; then the values of one page. */
async function orderedQuery({ queryNode }: DqlOptions, collection: CollectionMeta, order: readonly OrderField[], request: NodeRequest): Promise<QueryResult> {
  const primary = primaryField(collection.schema)
  const orderIds = [...new Set(order.map(({ field }) => field.id))].filter((id) => id !== primary.id)
  const all = await queryNode.query({ ...request, outputFields: orderIds, limit: undefined, offset: 0 })
  const rows = [...everyRow(all.keys.length)].sort(rowOrder(order, new Map<number, Column>([...all.columns, [primary.id, all.keys]])))
  const page = rows.slice(request.offset, request.offset + (request.limit ?? MAX_TOPK))
  const keys = page.map((row) => primaryKeyAt(all.keys, row))
  if (keys.length === 0) return { ...all, keys: gatherColumn(all.keys, []), columns: (await queryNode.query({ ...request, limit: 1, offset: 0, keys: [] })).columns }
  const found = await queryNode.query({ ...request, filter: '', limit: undefined, offset: 0, keys })
  const rowOf = new Map(primaryKeyList(found.keys).map((key, row) => [key, row]))
  // One that expired between the two looks is left out.
  const picked = keys.map((key) => rowOf.get(key)).filter((row): row is number => row !== undefined)
  const columns = new Map([...found.columns].map(([id, column]) => [id, gatherColumn(column, picked)]))
  const elements = all.elements === undefined ? undefined : page.filter((row) => rowOf.has(primaryKeyAt(all.keys, row))).map((row) => all.elements?.[row] ?? new Uint32Array(0))
  return { ...found, keys: gatherColumn<PrimaryKeys>(found.keys, picked), columns, elements }
}

function everyRow(length: number): Uint32Array {
  return Uint32Array.from({ length }, (_, row) => row)
}
