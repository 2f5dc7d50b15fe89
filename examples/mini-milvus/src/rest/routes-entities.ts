/** `/v2/vectordb/entities`: rows in, rows out. */
import { DataType, dataTypeName } from '../model/schema.ts'
import { MilvusError } from '../server/status.ts'
import {
  type CollectionSchema,
  type DescribeCollectionResponse,
  encodeMessage,
  type FieldSchema,
  type IDs,
  type Init,
  type TemplateValue,
} from '../wire/index.ts'
import { asText, type Body, isObject, named } from './body.ts'
import { consistencyLevels } from './levels.ts'
import { invalidParameter, missing, RestCode, RestError } from './errors.ts'
import { int64, type Reply, type Route, type Session } from './route.ts'
import { rowsToFields } from './rows-in.ts'
import { fieldsToRows, rowCount, rowToObject } from './rows-out.ts'

const DEFAULT_LIMIT = 100
const COUNT = 'count(*)'
/** BoolExprV1: the filter is text. */
const DSL_TYPE = 1

export const entityRoutes: readonly Route[] = [
  { path: 'entities/insert', required: ['collectionName', 'data'], run: insert },
  { path: 'entities/upsert', required: ['collectionName', 'data'], run: upsert },
  { path: 'entities/delete', required: ['collectionName', 'filter'], run: remove },
  { path: 'entities/query', required: ['collectionName'], run: query },
  { path: 'entities/get', required: ['collectionName', 'id'], run: get },
  { path: 'entities/search', required: ['collectionName'], run: search },
]

async function schemaOf(body: Body, session: Session): Promise<DescribeCollectionResponse & { readonly schema: CollectionSchema }> {
  const found = await session.call('DescribeCollection', named(body))
  const { schema } = found
  if (schema === null) throw new MilvusError(65535, 'the collection has no schema')
  return { ...found, schema }
}

function idsOf(ids: IDs | null, session: Session): readonly (bigint | string)[] {
  return ids?.int_id?.data.map((id) => int64(id, session)) ?? ids?.str_id?.data ?? []
}

async function rowsRequest(body: Body, session: Session) {
  const { schema, update_timestamp: stamp } = await schemaOf(body, session)
  const { rows, fields } = rowsToFields(body.value('data'), schema)
  return { ...named(body), partition_name: body.text('partitionName'), fields_data: fields, num_rows: rows, schema_timestamp: stamp }
}

async function insert(body: Body, session: Session): Promise<Reply> {
  const result = await session.call('Insert', await rowsRequest(body, session))
  return { data: { insertCount: Number(result.insert_cnt), insertIds: idsOf(result.IDs, session) } }
}

async function upsert(body: Body, session: Session): Promise<Reply> {
  const request = { ...(await rowsRequest(body, session)), partial_update: body.flag('partialUpdate') }
  const result = await session.call('Upsert', request)
  return { data: { upsertCount: Number(result.upsert_cnt), upsertIds: idsOf(result.IDs, session) } }
}

async function remove(body: Body, session: Session): Promise<Reply> {
  const request = {
    ...named(body),
    partition_name: body.text('partitionName'),
    expr: body.text('filter'),
    expr_template_values: templates(body.object('exprParams')),
  }
  const result = await session.call('Delete', request)
  return { data: { deleteCount: Number(result.delete_cnt) } }
}

/** Values for `{name}` in a filter: they stay values and never become text of it. */
function templates(params: Body): Record<string, Init<TemplateValue>> {
  return Object.fromEntries(params.entries().map(([name, value]) => [name, template(name, value)]))
}

function template(name: string, value: unknown): Init<TemplateValue> {
  if (typeof value === 'boolean') return { bool_val: value }
  if (typeof value === 'string') return { string_val: value }
  if (typeof value === 'bigint') return { int64_val: value }
  if (typeof value === 'number') return Number.isSafeInteger(value) ? { int64_val: BigInt(value) } : { float_val: value }
  if (!Array.isArray(value)) throw invalidParameter(`exprParams.${name}`, 'a boolean, number, string or an array of them')
  const list = value as readonly unknown[]
  if (list.every((item) => typeof item === 'string')) return { array_val: { string_data: { data: list } } }
  if (list.every((item) => typeof item === 'boolean')) return { array_val: { bool_data: { data: list } } }
  if (list.every((item) => typeof item === 'bigint' || Number.isSafeInteger(item)))
    return { array_val: { long_data: { data: list.map((item) => BigInt(item as number)) } } }
  if (list.every((item) => typeof item === 'number')) return { array_val: { double_data: { data: list } } }
  throw invalidParameter(`exprParams.${name}`, 'an array of values of one type')
}

function outputFields(body: Body, fallback: readonly string[]): readonly string[] {
  const asked = body.texts('outputFields')
  return asked.length > 0 ? asked : fallback
}

const consistency = (body: Body) => {
  const name = body.text('consistencyLevel')
  if (name === '') return { use_default_consistency: true }
  const level = consistencyLevels.indexOf(name)
  if (level < 0) throw invalidParameter('consistencyLevel', consistencyLevels.join(', '))
  return { consistency_level: level, use_default_consistency: false }
}

async function query(body: Body, session: Session): Promise<Reply> {
  const output = outputFields(body, ['*'])
  const counting = output.includes(COUNT)
  const params = [
    { key: 'limit', value: String(body.integer('limit', DEFAULT_LIMIT)) },
    { key: 'offset', value: String(body.integer('offset', 0)) },
    ...orderBy(body),
  ]
  const result = await session.call('Query', {
    ...named(body),
    expr: body.text('filter'),
    expr_template_values: templates(body.object('exprParams')),
    output_fields: output,
    partition_names: body.texts('partitionNames'),
    query_params: counting ? [] : params,
    ...consistency(body),
  })
  return { data: fieldsToRows(result.fields_data, rowCount(result.fields_data), session).map(rowToObject) }
}

async function get(body: Body, session: Session): Promise<Reply> {
  const { schema } = await schemaOf(body, session)
  const key = primaryOf(schema)
  const asked = body.value('id')
  const ids = (Array.isArray(asked) ? (asked as readonly unknown[]) : [asked]).map((id) => keyOf(key, id))
  const array_val = key.data_type === DataType.Int64 ? { long_data: { data: ids.map(BigInt) } } : { string_data: { data: ids.map(String) } }
  const result = await session.call('Query', {
    ...named(body),
    expr: `${key.name} in {ids}`,
    expr_template_values: { ids: { array_val } },
    output_fields: outputFields(body, ['*']),
    partition_names: body.texts('partitionNames'),
    ...consistency(body),
  })
  return { data: fieldsToRows(result.fields_data, rowCount(result.fields_data), session).map(rowToObject) }
}

function primaryOf(schema: CollectionSchema): FieldSchema {
  const key = schema.fields.find((field) => field.is_primary_key)
  if (key === undefined) throw new MilvusError(65535, 'the collection has no primary key')
  return key
}

function keyOf(key: FieldSchema, id: unknown): bigint | string {
  const wrong = new RestError(RestCode.InvalidPrimaryKey, `invalid primary key: expected ${dataTypeName(key.data_type)}`)
  if (key.data_type === DataType.VarChar) {
    if (typeof id !== 'string') throw wrong
    return id
  }
  const isKey = typeof id === 'bigint' || Number.isSafeInteger(id) || (typeof id === 'string' && /^-?\d{1,19}$/.test(id))
  if (!isKey) throw wrong
  return BigInt(id as string)
}

async function search(body: Body, session: Session): Promise<Reply> {
  const { schema } = await schemaOf(body, session)
  const field = annsField(body, schema)
  const key = primaryOf(schema)
  const ids = body.value('ids') === undefined ? undefined : body.list('ids').map((id) => keyOf(key, id))
  const vectors = ids === undefined ? queryVectors(body, field) : []
  const idMessage =
    key.data_type === DataType.Int64 ? { int_id: { data: (ids ?? []).map(BigInt) } } : { str_id: { data: (ids ?? []).map(String) } }
  const result = await session.call('Search', {
    ...named(body),
    dsl: body.text('filter'),
    dsl_type: DSL_TYPE,
    expr_template_values: templates(body.object('exprParams')),
    ...(ids === undefined ? { placeholder_group: placeholders(vectors) } : { ids: idMessage }),
    nq: BigInt(ids?.length ?? vectors.length),
    output_fields: outputFields(body, []),
    partition_names: body.texts('partitionNames'),
    search_params: searchParams(body, field.name),
    ...consistency(body),
  })
  const found = result.results
  if (found === null) return { data: [], topks: [] }
  const keys = found.ids?.int_id?.data.map((id) => int64(id, session)) ?? found.ids?.str_id?.data ?? []
  const rows = fieldsToRows(found.fields_data, found.scores.length, session)
  rows.forEach((row, i) => {
    row.set('distance', found.scores[i])
    if (i < keys.length) row.set(found.primary_field_name || key.name, keys[i])
  })
  return { data: rows.map(rowToObject), topks: found.topks.map(Number) }
}

function annsField(body: Body, { fields }: CollectionSchema): FieldSchema {
  const name = body.text('annsField')
  const vectors = fields.filter((field) => field.data_type >= DataType.BinaryVector)
  const found = name === '' ? vectors : vectors.filter((field) => field.name === name)
  if (found.length > 1) throw missing('annsField')
  const [field] = found
  if (field === undefined) throw invalidParameter('annsField', 'the name of a vector field')
  if (field.data_type !== DataType.FloatVector)
    throw invalidParameter('annsField', `a FloatVector field: ${dataTypeName(field.data_type)} is not served over REST yet`)
  return field
}

function queryVectors(body: Body, field: FieldSchema): readonly Float32Array[] {
  const data = body.list('data')
  if (data.length === 0) throw missing('data')
  const dim = Number(field.type_params.find(({ key }) => key === 'dim')?.value)
  return data.map((vector, i) => {
    if (!Array.isArray(vector) || vector.length !== dim || !vector.every((item) => typeof item === 'number')) {
      throw invalidParameter(`data[${i}]`, `an array of ${dim} numbers`)
    }
    return Float32Array.from(vector)
  })
}

function placeholders(vectors: readonly Float32Array[]): Uint8Array {
  const values = vectors.map((vector) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
  return encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type: DataType.FloatVector, values }] })
}

/** As the Node SDK sends them: all flat, and `params` as JSON text beside. */
function searchParams(body: Body, field: string): { key: string; value: string }[] {
  const asked = body.object('searchParams')
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
    ...orderBy(body),
    ...grouping(body),
  ]
}

/** `["price:desc", "id"]` */
function orderBy(body: Body): { key: string; value: string }[] {
  const fields = body.texts('orderByFields')
  return fields.length === 0 ? [] : [{ key: 'order_by_fields', value: fields.join(',') }]
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
