/** `/v2/vectordb/entities` searches: by vectors, texts or primary keys, alone or several at once. */
import { DataType } from '../model/schema.ts'
import { LIST_PLACEHOLDER, subFieldName } from '../model/structs.ts'
import { type CollectionSchema, encodeMessage, type FieldSchema, type IDs, type Init, type SearchRequest, type SearchResults } from '../wire/index.ts'
import { asText, type Body, isObject, named } from './body.ts'
import { invalidParameter, missing } from './errors.ts'
import { functionScoreOf } from './functions.ts'
import { int64, type Reply, type Route, type Session, v2Route } from './route.ts'
import { consistency, DEFAULT_LIMIT, keyOf, orderBy, outputFields, primaryOf, schemaOf, templates } from './routes-entities.ts'
import { isVector } from './rows-in.ts'
import { fieldsToRows, rowToObject } from './rows-out.ts'
import { rowList } from './schemas.ts'
import { vectorOfList } from './struct-rows.ts'
import { vectorBytesOf, VectorError } from './vectors-in.ts'

/** BoolExprV1: the filter is text. */
const DSL_TYPE = 1

const common = ['collectionName*', 'limit', 'offset', 'outputFields', 'partitionNames', 'consistencyLevel', 'groupingField', 'groupSize', 'strictGroupSize', 'functionScore'] as const
const hybridTakes = [...common, 'search*', 'rerank'] as const

export const searchRoutes: readonly Route[] = [
  v2Route('entities/search', 'Search', [...common, 'data', 'ids', 'annsField', 'filter', 'exprParams', 'searchParams', 'orderByFields'], rowList, search),
  v2Route('entities/hybrid_search', 'HybridSearch', hybridTakes, rowList, hybridSearch),
  // The name that it had first.
  v2Route('entities/advanced_search', 'HybridSearch', hybridTakes, rowList, hybridSearch),
]

export async function search(body: Body, session: Session): Promise<Reply> {
  const { schema } = await schemaOf(body, session)
  const asked = body.object('searchParams')
  const result = await session.call('Search', {
    ...targetOf(body, schema, asked, [...orderBy(body), ...grouping(body)]),
    ...named(body),
    output_fields: outputFields(body, []),
    partition_names: body.texts('partitionNames'),
    function_score: functionScoreOf(body),
    ...consistency(body),
  })
  return hits(result, schema, session)
}

/** What is searched for: the same in a plain search and in each part of a hybrid one. */
function targetOf(body: Body, schema: CollectionSchema, asked: Body, more: readonly { key: string; value: string }[]): Init<SearchRequest> {
  const field = annsField(body, schema)
  const searched = (body.value('ids') ?? undefined) === undefined ? byValue(body, field) : byKeys(body, primaryOf(schema))
  return {
    ...searched,
    dsl: body.text('filter'),
    dsl_type: DSL_TYPE,
    expr_template_values: templates(body.object('exprParams')),
    search_params: [...searchParams(body, asked, field.name), ...more],
  }
}

function byKeys(body: Body, key: FieldSchema): Init<SearchRequest> {
  const keys = body.list('ids').map((id) => keyOf(key, id))
  const ids: Init<IDs> = key.data_type === DataType.Int64 ? { int_id: { data: keys.map(BigInt) } } : { str_id: { data: keys.map(String) } }
  return { ids, nq: BigInt(keys.length) }
}

function byValue(body: Body, field: FieldSchema): Init<SearchRequest> {
  const data = body.list('data')
  if (data.length === 0) throw missing('data')
  const isText = data.every((item) => typeof item === 'string') && field.data_type === DataType.SparseFloatVector
  if (field.data_type === DataType.ArrayOfVector) return byLists(data, vectorOfList(field))
  const values = data.map((item, i) => (isText ? new TextEncoder().encode(item as string) : queryVector(field, item, i)))
  const type = isText ? DataType.VarChar : field.data_type
  return { placeholder_group: encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type, values }] }), nq: BigInt(values.length) }
}

/** Single vectors find elements; lists of them, all of one kind, find rows. */
function byLists(data: readonly unknown[], field: FieldSchema): Init<SearchRequest> {
  const isList = data.every((item) => Array.isArray(item) && Array.isArray(item[0]))
  const values = data.map((item, i) => (isList ? Buffer.concat((item as readonly unknown[]).map((vector) => queryVector(field, vector, i))) : queryVector(field, item, i)))
  const type = field.data_type + (isList ? LIST_PLACEHOLDER : 0)
  return { placeholder_group: encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type, values }] }), nq: BigInt(values.length) }
}

function queryVector(field: FieldSchema, value: unknown, i: number): Uint8Array {
  try {
    return vectorBytesOf(field, value)
  } catch (error) {
    if (error instanceof VectorError) throw invalidParameter(`data[${i}]`, error.message)
    throw error
  }
}

function annsField(body: Body, { fields, struct_array_fields: structs }: CollectionSchema): FieldSchema {
  const name = body.text('annsField')
  const inStructs = structs.flatMap((struct) => struct.fields.map((field) => ({ ...field, name: subFieldName(struct.name, field.name) })))
  const vectors = [...fields, ...inStructs].filter((field) => isVector(field.data_type))
  const found = name === '' ? vectors : vectors.filter((field) => field.name === name)
  if (found.length > 1) throw missing('annsField')
  const [field] = found
  if (field === undefined) throw invalidParameter('annsField', 'the name of a vector field')
  return field
}

/** As the Node SDK sends them: all flat, and `params` as JSON text beside. */
function searchParams(body: Body, asked: Body, field: string): { key: string; value: string }[] {
  const nested = isObject(asked.value('params')) ? asked.object('params') : undefined
  const own = asked.entries().filter(([key]) => !['params', 'metricType', 'metric_type'].includes(key))
  const params = new Map([...own, ...(nested?.entries() ?? [])])
  return [
    { key: 'anns_field', value: field },
    { key: 'topk', value: String(body.integer('limit', DEFAULT_LIMIT)) },
    { key: 'offset', value: String(body.integer('offset', 0)) },
    { key: 'metric_type', value: asked.text('metricType') || asked.text('metric_type') },
    { key: 'params', value: JSON.stringify(Object.fromEntries(params)) },
    ...[...params].map(([key, value]) => ({ key, value: asText(value) })),
  ]
}

function grouping(body: Body): { key: string; value: string }[] {
  const field = body.text('groupingField')
  if (field === '') return []
  return [
    { key: 'group_by_field', value: field },
    { key: 'group_size', value: String(body.integer('groupSize', 1)) },
    { key: 'strict_group_size', value: String(body.flag('strictGroupSize')) },
  ]
}

async function hybridSearch(body: Body, session: Session): Promise<Reply> {
  const { schema } = await schemaOf(body, session)
  const rerank = body.object('rerank')
  const result = await session.call('HybridSearch', {
    ...named(body),
    requests: body.objects('search').map((part) => partOf(part, body, schema)),
    rank_params: [
      { key: 'strategy', value: rerank.text('strategy') || 'rrf' },
      { key: 'params', value: asText(rerank.value('params') ?? {}) },
      { key: 'limit', value: String(body.integer('limit', DEFAULT_LIMIT)) },
      { key: 'offset', value: String(body.integer('offset', 0)) },
      ...grouping(body),
    ],
    output_fields: outputFields(body, []),
    partition_names: body.texts('partitionNames'),
    function_score: functionScoreOf(body),
    ...consistency(body),
  })
  return hits(result, schema, session)
}

/** Metric and params stand beside each other in a part, and may also stand in `searchParams` as they do in a plain search. */
function partOf(part: Body, body: Body, schema: CollectionSchema): Init<SearchRequest> {
  const asked = part.value('searchParams') === undefined ? part.only(['metricType', 'params']) : part.object('searchParams')
  return { ...targetOf(part, schema, asked, grouping(part)), ...named(body), partition_names: body.texts('partitionNames'), ...consistency(body) }
}

/** One flat list; `topks` says how many hits each query has. */
export function hits({ results: found }: SearchResults, schema: CollectionSchema, session: Session): Reply {
  if (found === null) return { data: [], topks: [] }
  const keys = found.ids?.int_id?.data.map((id) => int64(id, session)) ?? found.ids?.str_id?.data ?? []
  const keyName = found.primary_field_name || primaryOf(schema).name
  const rows = fieldsToRows(found.fields_data, found.scores.length, session)
  rows.forEach((row, i) => {
    row.set('distance', found.scores[i])
    if (i < keys.length) row.set(keyName, keys[i])
  })
  return { data: rows.map(rowToObject), topks: found.topks.map(Number) }
}
