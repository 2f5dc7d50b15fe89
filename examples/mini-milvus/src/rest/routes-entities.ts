/** `/v2/vectordb/entities`: rows in, rows out. */
import { DataType, dataTypeName } from '../model/schema.ts'
import { MilvusError } from '../server/status.ts'
import {
  type CollectionSchema,
  type DescribeCollectionResponse,
  FieldPartialUpdateOp_OpType,
  type FieldSchema,
  type IDs,
  type Init,
  type TemplateValue,
} from '../wire/index.ts'
import { type Body, named } from './body.ts'
import { consistencyLevels } from './levels.ts'
import { invalidParameter, RestCode, RestError } from './errors.ts'
import { int64, type Reply, type Route, type Session, v2Route } from './route.ts'
import { rowsToFields } from './rows-in.ts'
import { fieldsToRows, rowCount, rowToObject } from './rows-out.ts'
import { deletedCount, insertedKeys, rowList, upsertedKeys } from './schemas.ts'

export const DEFAULT_LIMIT = 100
const COUNT = 'count(*)'

const reading = ['outputFields', 'partitionNames', 'consistencyLevel'] as const

export const entityRoutes: readonly Route[] = [
  v2Route('entities/insert', 'Insert', ['collectionName*', 'partitionName', 'data*'], insertedKeys, insert),
  v2Route('entities/upsert', 'Upsert', ['collectionName*', 'partitionName', 'data*', 'partialUpdate', 'fieldOps'], upsertedKeys, upsert),
  v2Route('entities/delete', 'Delete', ['collectionName*', 'partitionName', 'filter*', 'exprParams'], deletedCount, remove),
  v2Route('entities/query', 'Query', ['collectionName*', 'filter', 'exprParams', 'limit', 'offset', 'orderByFields', ...reading], rowList, query),
  v2Route('entities/get', 'Query', ['collectionName*', 'id*', ...reading], rowList, get),
]

export async function schemaOf(body: Body, session: Session): Promise<DescribeCollectionResponse & { readonly schema: CollectionSchema }> {
  const found = await session.call('DescribeCollection', named(body))
  const { schema } = found
  if (schema === null) throw new MilvusError(65535, 'the collection has no schema')
  return { ...found, schema }
}

function idsOf(ids: IDs | null, session: Session): readonly (bigint | string)[] {
  return ids?.int_id?.data.map((id) => int64(id, session)) ?? ids?.str_id?.data ?? []
}

function fieldOp(body: Body): { field_name: string; op: number } {
  const op: number | undefined = new Map<string, number>(Object.entries(FieldPartialUpdateOp_OpType)).get(body.text('op'))
  if (op === undefined) throw invalidParameter('fieldOps', `op to be one of ${Object.keys(FieldPartialUpdateOp_OpType).join(', ')}`)
  return { field_name: body.required('fieldName'), op }
}

async function rowsRequest(body: Body, session: Session, isPartial = false) {
  const { schema, update_timestamp: stamp } = await schemaOf(body, session)
  const { rows, fields } = rowsToFields(body.value('data'), schema, isPartial)
  return { ...named(body), partition_name: body.text('partitionName'), fields_data: fields, num_rows: rows, schema_timestamp: stamp }
}

export async function insert(body: Body, session: Session): Promise<Reply> {
  const result = await session.call('Insert', await rowsRequest(body, session))
  return { data: { insertCount: Number(result.insert_cnt), insertIds: idsOf(result.IDs, session) } }
}

export async function upsert(body: Body, session: Session): Promise<Reply> {
  const isPartial = body.flag('partialUpdate')
  const request = { ...(await rowsRequest(body, session, isPartial)), partial_update: isPartial, field_ops: body.objects('fieldOps').map(fieldOp) }
  const result = await session.call('Upsert', request)
  return { data: { upsertCount: Number(result.upsert_cnt), upsertIds: idsOf(result.IDs, session) } }
}

export async function remove(body: Body, session: Session): Promise<Reply> {
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
export function templates(params: Body): Record<string, Init<TemplateValue>> {
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

export function outputFields(body: Body, fallback: readonly string[]): readonly string[] {
  const asked = body.texts('outputFields')
  return asked.length > 0 ? asked : fallback
}

export const consistency = (body: Body) => {
  const name = body.text('consistencyLevel')
  if (name === '') return { use_default_consistency: true }
  const level = consistencyLevels.indexOf(name)
  if (level < 0) throw invalidParameter('consistencyLevel', consistencyLevels.join(', '))
  return { consistency_level: level, use_default_consistency: false }
}

export async function query(body: Body, session: Session): Promise<Reply> {
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

export async function get(body: Body, session: Session): Promise<Reply> {
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

export function primaryOf(schema: CollectionSchema): FieldSchema {
  const key = schema.fields.find((field) => field.is_primary_key)
  if (key === undefined) throw new MilvusError(65535, 'the collection has no primary key')
  return key
}

export function keyOf(key: FieldSchema, id: unknown): bigint | string {
  const wrong = new RestError(RestCode.InvalidPrimaryKey, `invalid primary key: expected ${dataTypeName(key.data_type)}`)
  if (key.data_type === DataType.VarChar) {
    if (typeof id !== 'string') throw wrong
    return id
  }
  const isKey = typeof id === 'bigint' || Number.isSafeInteger(id) || (typeof id === 'string' && /^-?\d{1,19}$/.test(id))
  if (!isKey) throw wrong
  return BigInt(id as string)
}

/** `["price:desc", "id"]` */
export function orderBy(body: Body): { key: string; value: string }[] {
  const fields = body.texts('orderByFields')
  return fields.length === 0 ? [] : [{ key: 'order_by_fields', value: fields.join(',') }]
}
