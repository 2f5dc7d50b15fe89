/** Rows of JSON to the wire's columns, by the schema that DescribeCollection gives. */
import { DataType, dataTypeName } from '../model/schema.ts'
import type { CollectionSchema, FieldData, FieldSchema, Init, ScalarField } from '../wire/index.ts'
import { isObject, type JsonObject } from './body.ts'
import { badRow, RestCode, RestError } from './errors.ts'
import { stringifyJson } from './json.ts'
import { structColumn } from './struct-rows.ts'
import { dimOf, vectorBytesOf, vectorColumn, VectorError } from './vectors-in.ts'

const encoder = new TextEncoder()

/**
 * @param data one row or an array of rows. Throws RestError 1804.
 * @param isPartial fields that no row has are left as they are
 */
export function rowsToFields(
  data: unknown,
  schema: CollectionSchema,
  isPartial = false,
): { readonly rows: number; readonly fields: readonly Init<FieldData>[] } {
  const rows = Array.isArray(data) ? (data as readonly unknown[]) : [data]
  if (rows.length === 0) throw new RestError(RestCode.InvalidInsertData, 'fail to deal the insert data, error: no rows')
  const objects = rows.map((row, i) => {
    if (!isObject(row)) throw badRow(i, 'expected an object')
    return row
  })
  const fields = schema.fields.flatMap((field) => column(field, objects, isPartial))
  const structs = schema.struct_array_fields.flatMap((struct) => structColumn(struct, objects, isPartial, columnOf))
  return { rows: rows.length, fields: [...fields, ...structs, ...dynamicColumn(schema, objects)] }
}

function present(row: JsonObject, name: string): unknown {
  return Object.hasOwn(row, name) ? (row[name] ?? undefined) : undefined
}

/** No column at all where no row has a value and it may be left out. */
function column(field: FieldSchema, rows: readonly JsonObject[], isPartial: boolean): Init<FieldData>[] {
  const values = rows.map((row) => present(row, field.name))
  const optional = field.nullable || field.default_value !== null
  const mayLack = field.autoID || optional || field.is_function_output || (isPartial && !field.is_primary_key)
  if (mayLack && values.every((value) => value === undefined)) return []
  const valid = values.map((value) => value !== undefined)
  const lacking = valid.indexOf(false)
  if (lacking >= 0 && !optional) throw badRow(lacking, `missing field ${field.name}`)
  const kept = values.map((value, row) => ({ value, row })).filter(({ value }) => value !== undefined)
  const head = { type: field.data_type, field_name: field.name, ...(optional ? { valid_data: valid } : {}) }
  return [{ ...head, ...payload(field, kept) }]
}

interface Cell {
  readonly value: unknown
  readonly row: number
}

/** A column of values that are all there. Throws RestError 1804. */
export function columnOf(field: FieldSchema, values: readonly unknown[]): Init<FieldData> {
  const head = { type: field.data_type, field_name: field.name }
  return { ...head, ...payload(field, values.map((value, row) => ({ value, row }))) }
}

function payload(field: FieldSchema, cells: readonly Cell[]): Pick<Init<FieldData>, 'vectors' | 'scalars'> {
  return isVector(field.data_type) ? { vectors: vectors(field, cells) } : { scalars: scalars(field, field.data_type, cells) }
}

export function isVector(type: number): boolean {
  return type >= DataType.BinaryVector
}

function vectors(field: FieldSchema, cells: readonly Cell[]): Init<FieldData>['vectors'] {
  if (field.data_type === DataType.FloatVector) return floatVectors(field, cells)
  return vectorColumn(
    field,
    cells.map(({ value, row }) => {
      try {
        return vectorBytesOf(field, value)
      } catch (error) {
        if (error instanceof VectorError) throw wrong(field, row, error.message)
        throw error
      }
    }),
  )
}

/** By far the most frequent kind goes from number to number. */
function floatVectors(field: FieldSchema, cells: readonly Cell[]): Init<FieldData>['vectors'] {
  const dim = dimOf(field)
  const data: number[] = []
  for (const { value, row } of cells) {
    if (!Array.isArray(value) || value.length !== dim) throw wrong(field, row, `${dim} numbers`)
    for (const item of value as readonly unknown[]) data.push(asNumber(field, item, row))
  }
  return { dim: BigInt(dim), float_vector: { data } }
}

function wrong(field: FieldSchema, row: number, expected: string): RestError {
  return badRow(row, `field ${field.name}: expected ${expected}`)
}

function asNumber(field: FieldSchema, value: unknown, row: number): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number') throw wrong(field, row, 'a number')
  return number
}

function asInteger(field: FieldSchema, value: unknown, row: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(field, row, 'an integer')
  return value
}

const INT64 = 2n ** 63n

function asInt64(field: FieldSchema, value: unknown, row: number): bigint {
  const ok =
    typeof value === 'bigint' ||
    (typeof value === 'number' && Number.isSafeInteger(value)) ||
    (typeof value === 'string' && /^-?\d{1,19}$/.test(value))
  const integer = ok ? BigInt(value) : INT64
  if (integer < -INT64 || integer >= INT64) throw wrong(field, row, 'a 64-bit integer, as number or decimal text')
  return integer
}

function asString(field: FieldSchema, value: unknown, row: number): string {
  if (typeof value !== 'string') throw wrong(field, row, 'a string')
  return value
}

/** Text that is JSON is taken as such (Milvus); any other value is its own JSON. */
function asJson(value: unknown): Uint8Array {
  if (typeof value !== 'string') return encoder.encode(stringifyJson(value))
  try {
    JSON.parse(value)
    return encoder.encode(value)
  } catch {
    return encoder.encode(JSON.stringify(value))
  }
}

function scalars(field: FieldSchema, type: number, cells: readonly Cell[]): Init<ScalarField> {
  const each = <T>(convert: (field: FieldSchema, value: unknown, row: number) => T): { data: T[] } => ({
    data: cells.map(({ value, row }) => convert(field, value, row)),
  })
  switch (type) {
    case DataType.Bool:
      return {
        bool_data: each((_, value, row) => {
          if (typeof value !== 'boolean') throw wrong(field, row, 'a boolean')
          return value
        }),
      }
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
      return { int_data: each(asInteger) }
    case DataType.Int64:
      return { long_data: each(asInt64) }
    case DataType.Float:
      return { float_data: each(asNumber) }
    case DataType.Double:
      return { double_data: each(asNumber) }
    case DataType.VarChar:
    case DataType.Timestamptz:
      return { string_data: each(asString) }
    case DataType.Geometry:
      return { geometry_wkt_data: each(asString) }
    case DataType.JSON:
      return { json_data: { data: cells.map(({ value }) => asJson(value)) } }
    case DataType.Array:
      return { array_data: { element_type: field.element_type, data: cells.map((cell) => arrayCell(field, cell)) } }
    default:
      throw new RestError(
        RestCode.InvalidInsertData,
        `fail to deal the insert data, error: type ${dataTypeName(type)} of field ${field.name} is not served over REST yet`,
      )
  }
}

function arrayCell(field: FieldSchema, { value, row }: Cell): Init<ScalarField> {
  if (!Array.isArray(value)) throw wrong(field, row, 'an array')
  return scalars(
    field,
    field.element_type,
    (value as readonly unknown[]).map((item) => ({ value: item, row })),
  )
}

function dynamicColumn(schema: CollectionSchema, rows: readonly JsonObject[]): Init<FieldData>[] {
  const known = new Set([...schema.fields, ...schema.struct_array_fields].map(({ name }) => name))
  const data = rows.map((row, i) => {
    const extra = Object.entries(row).filter(([key]) => !known.has(key))
    if (extra.length > 0 && !schema.enable_dynamic_field)
      throw badRow(i, `the collection has no field ${JSON.stringify(extra[0]?.[0])} and no dynamic field`)
    return encoder.encode(stringifyJson(Object.fromEntries(extra)))
  })
  return schema.enable_dynamic_field
    ? [{ type: DataType.JSON, field_name: '$meta', is_dynamic: true, scalars: { json_data: { data } } }]
    : []
}
