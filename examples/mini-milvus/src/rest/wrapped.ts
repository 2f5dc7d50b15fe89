/**
 * Bodies that no one would write as raw protobuf: the schema as an object instead of bytes, columns as lists of values, query vectors as
 * lists of numbers. The forms of Milvus 2.2's `/api/v1`; the raw forms are read too.
 */
import { DataType } from '../model/schema.ts'
import type { RpcName } from '../server/handlers.ts'
import { encodeMessage, type FieldData, type FieldSchema, type Init, messageTypeOf } from '../wire/index.ts'
import { asText, Body, isObject, type JsonObject } from './body.ts'
import { invalidParameter } from './errors.ts'
import { fillMessage } from './message-in.ts'
import { columnOf, isVector } from './rows-in.ts'
import { VectorError, vectorBytesOf } from './vectors-in.ts'

type Unwrap = (values: JsonObject) => JsonObject

/** From what the client wrote to what `fillMessage` reads, and then what it made to the request. */
export const wrapped: ReadonlyMap<RpcName, { readonly before: Unwrap; readonly after: (message: Record<string, unknown>, values: JsonObject) => object }> = new Map([
  ['CreateCollection', { before: without('schema'), after: (message, values) => ({ ...message, schema: schemaBytes(values) }) }],
  ['Insert', { before: without('fields_data', 'fieldsData'), after: withColumns }],
  ['Search', { before: without('vectors', 'binary_vectors'), after: withQueries }],
  ['CalcDistance', { before: without('op_left', 'op_right'), after: (message, values) => ({ ...message, op_left: operand(values, 'op_left'), op_right: operand(values, 'op_right') }) }],
])

function without(...names: readonly string[]): Unwrap {
  return (values) => Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)))
}

function schemaBytes(values: JsonObject): Uint8Array {
  const { schema = {} } = values
  if (typeof schema === 'string') return Buffer.from(schema, 'base64')
  if (!isObject(schema)) throw invalidParameter('schema', 'an object')
  const name = values['collection_name'] ?? values['collectionName']
  const filled = fillMessage(messageTypeOf('schema.CollectionSchema'), { name, ...schema }, 'schema')
  return encodeMessage('schema.CollectionSchema', filled)
}

function withColumns(message: Record<string, unknown>, values: JsonObject): object {
  const columns = new Body(values).objects(values['fields_data'] === undefined ? 'fieldsData' : 'fields_data')
  const rows = columns.map((column) => (column.value('field') === undefined ? undefined : column.list('field').length)).find((count) => count !== undefined)
  const fields_data = columns.map((column, i) => (column.value('field') === undefined ? raw(column, i) : wrappedColumn(column)))
  return { num_rows: rows ?? 0, ...message, fields_data }
}

function raw(column: Body, i: number): object {
  return fillMessage(messageTypeOf('schema.FieldData'), column.all(), `fields_data[${i}]`)
}

/** `{ type, field_name, field: [values] }`; a vector's length is its first value's. */
function wrappedColumn(column: Body): Init<FieldData> {
  const values = column.list('field')
  const type = typeNumber(column.value('type'))
  const field = fieldLike(column.text('field_name') || column.text('fieldName'), type, typeNumber(column.value('element_type') ?? 0), values[0])
  return columnOf(field, values)
}

function typeNumber(value: unknown): number {
  if (typeof value === 'number') return value
  const named = typeof value === 'string' && Object.hasOwn(DataType, value) ? DataType[value as keyof typeof DataType] : undefined
  if (named === undefined) throw invalidParameter('type', 'a data type by number or name')
  return named
}

function fieldLike(name: string, type: number, elementType: number, sample: unknown): FieldSchema {
  const length = Array.isArray(sample) ? sample.length : typeof sample === 'string' ? Buffer.from(sample, 'base64').length : 0
  const dim = type === DataType.BinaryVector ? length * 8 : Array.isArray(sample) ? length : length / 2
  return {
    name,
    data_type: type,
    element_type: elementType,
    type_params: isVector(type) ? [{ key: 'dim', value: String(dim) }] : [],
    default_value: null,
    nullable: false,
  } as unknown as FieldSchema
}

function withQueries(message: Record<string, unknown>, values: JsonObject): object {
  const floats = values['vectors']
  const binary = values['binary_vectors']
  const base = { dsl_type: 1, ...message }
  if (floats === undefined && binary === undefined) return base
  const type = floats === undefined ? DataType.BinaryVector : DataType.FloatVector
  const queries = new Body(values).list(floats === undefined ? 'binary_vectors' : 'vectors')
  const bytes = queries.map((query, i) => queryBytes(fieldLike('vectors', type, 0, query), query, i))
  const group = encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type, values: bytes }] })
  return { nq: BigInt(queries.length), ...base, placeholder_group: group }
}

function queryBytes(field: FieldSchema, query: unknown, i: number): Uint8Array {
  try {
    return vectorBytesOf(field, query)
  } catch (error) {
    if (error instanceof VectorError) throw invalidParameter(`vectors[${i}]`, error.message)
    throw error
  }
}

/** `{ dim, vectors | binary_vectors | ids }`, or as the message has it. */
function operand(values: JsonObject, name: string): object {
  const body = new Body(values).object(name)
  const vectors = body.value('vectors')
  if (Array.isArray(vectors)) {
    const rows = body.list('vectors').map((row) => new Body({ row }).list('row').map(Number))
    const dim = rows[0]?.length ?? 0
    if (rows.some((row) => row.length !== dim || row.some(Number.isNaN))) throw invalidParameter(`${name}.vectors`, 'vectors of one length')
    return { data_array: { dim: BigInt(dim), float_vector: { data: rows.flat() } } }
  }
  if (body.value('binary_vectors') !== undefined) {
    const rows = body.texts('binary_vectors').map((row) => Buffer.from(row, 'base64'))
    return { data_array: { dim: BigInt(asText(body.value('dim') ?? (rows[0]?.length ?? 0) * 8)), binary_vector: Buffer.concat(rows) } }
  }
  const ids = body.value('ids')
  return fillMessage(messageTypeOf('milvus.VectorsArray'), ids === undefined ? body.all() : { id_array: ids }, name)
}
