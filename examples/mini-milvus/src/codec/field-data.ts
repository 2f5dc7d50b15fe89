/** Columns as FieldData messages (see spec of Milvus's schema.proto): what results carry, and what inserts carry. */
import type { ArrayColumn, Column, JsonColumn, ScalarColumn, SparseColumn, StringColumn, VectorColumn, VectorListColumn } from '../model/column.ts'
import { textAt } from '../model/column.ts'
import { DataType, dataTypeName } from '../model/schema.ts'
import type { FieldSchema } from '../model/schema.ts'
import type { FieldData, Init, ScalarField, VectorField } from '../wire/index.ts'
import { gatherColumn } from './gather.ts'
import { sparseDim } from './sparse.ts'
import { formatTimestamptz } from './timestamptz.ts'

type Rows = Uint32Array | readonly number[]

/**
 * The rows as a result carries them: scalars at full length, vectors without the nulls, `valid_data` for both where the field may
 * be null; Timestamptz as ISO text.
 */
export function encodeFieldData(field: FieldSchema, column: Column, rows: Rows): Init<FieldData> {
  const valid_data = validData(field, column, rows)
  const chosen = column.kind === 'vector' || column.kind === 'sparse' ? validRows(column, rows) : rows
  return { ...head(field), ...payload(column, chosen), valid_data }
}

/** The rows as an insert carries them: without the nulls, for scalars too. */
export function encodeInsertField(field: FieldSchema, column: Column, rows: Rows): Init<FieldData> {
  const valid_data = validData(field, column, rows)
  return { ...head(field), ...payload(column, validRows(column, rows)), valid_data }
}

function head(field: FieldSchema): Init<FieldData> {
  return { type: field.type, field_name: field.name, field_id: BigInt(field.id), is_dynamic: field.isDynamic }
}

function validData(field: FieldSchema, { valid }: Column, rows: Rows): boolean[] {
  if (!field.nullable && valid === undefined) return []
  return Array.from(rows, (row) => valid === undefined || valid[row] === 1)
}

function validRows({ valid }: Column, rows: Rows): Rows {
  return valid === undefined ? rows : rows.filter((row: number) => valid[row] === 1)
}

function payload(column: Column, rows: Rows): Init<FieldData> {
  if (column.kind === 'sparse') return { vectors: sparseVectors(column, rows) }
  if (column.kind === 'vectors') return { vectors: vectorLists(column, rows) }
  return column.kind === 'vector' ? { vectors: vectors(column, rows) } : { scalars: scalars(column, rows) }
}

function sparseVectors(column: SparseColumn, rows: Rows): Init<VectorField> {
  const dim = BigInt(sparseDim(column, rows))
  return { dim, sparse_float_vector: { dim, contents: Array.from(rows, (row) => bytesAt(column, row)) } }
}

function scalars(column: ScalarColumn, rows: Rows): Init<ScalarField> {
  switch (column.kind) {
    case 'bool':
      return { bool_data: { data: Array.from(rows, (row) => column.values[row] === 1) } }
    case 'number': {
      const data = Array.from(rows, (row) => column.values[row] as number)
      if (column.type === DataType.Float) return { float_data: { data } }
      return column.type === DataType.Double ? { double_data: { data } } : { int_data: { data } }
    }
    case 'int64': {
      const { values } = column
      if (column.type === DataType.Timestamptz) return { string_data: { data: Array.from(rows, (row) => formatTimestamptz(values[row] as bigint)) } }
      return { long_data: { data: Array.from(rows, (row) => values[row] as bigint) } }
    }
    case 'string': {
      const data = Array.from(rows, (row) => textAt(column, row))
      return column.type === DataType.Geometry ? { geometry_wkt_data: { data } } : { string_data: { data } }
    }
    case 'json':
      return { json_data: { data: Array.from(rows, (row) => bytesAt(column, row)) } }
    case 'array':
      return { array_data: { element_type: column.elementType, data: Array.from(rows, (row) => arrayAt(column, row)) } }
  }
}

function bytesAt(column: StringColumn | JsonColumn | SparseColumn, row: number): Uint8Array {
  return column.data.subarray(column.offsets[row], column.offsets[row + 1])
}

function arrayAt({ offsets, elements }: ArrayColumn, row: number): Init<ScalarField> {
  const start = offsets[row] as number
  return scalars(elements, Array.from({ length: (offsets[row + 1] as number) - start }, (_, i) => start + i))
}

function vectorLists({ elements, elementType, offsets }: VectorListColumn, rows: Rows): Init<VectorField> {
  const dim = BigInt(elements.dim)
  const data = Array.from(rows, (row) => {
    const start = offsets[row] as number
    return vectors(elements, Array.from({ length: (offsets[row + 1] as number) - start }, (_, i) => start + i))
  })
  return { dim, vector_array: { dim, element_type: elementType, data } }
}

function vectors(column: VectorColumn, rows: Rows): Init<VectorField> {
  const dim = BigInt(column.dim)
  const { data } = gatherColumn(column, rows)
  switch (column.type) {
    case DataType.FloatVector:
      return { dim, float_vector: { data: Array.from(new Float32Array(data.buffer, data.byteOffset, data.length / 4)) } }
    case DataType.BinaryVector:
      return { dim, binary_vector: data }
    case DataType.Float16Vector:
      return { dim, float16_vector: data }
    case DataType.BFloat16Vector:
      return { dim, bfloat16_vector: data }
    case DataType.Int8Vector:
      return { dim, int8_vector: data }
    default:
      throw new TypeError(`${dataTypeName(column.type)} is not supported`)
  }
}
