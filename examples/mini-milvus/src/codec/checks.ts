/** What Milvus's proxy refuses in the values of rows that are otherwise well formed. */
import { isWkt } from '../geometry/wkt.ts'
import type { ArrayColumn, Column, JsonColumn, ListColumn, StringColumn, VectorColumn } from '../model/column.ts'
import { isNull, textAt } from '../model/column.ts'
import { DataType, DYNAMIC_FIELD_NAME } from '../model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { rowNames } from '../model/structs.ts'
import { CodecError } from './errors.ts'

export const MAX_JSON_BYTES = 65_536
export const MAX_VARCHAR_BYTES = 65_535

export function checkValues(field: FieldSchema, column: Column): void {
  switch (column.kind) {
    case 'string':
      if (field.type === DataType.Geometry) checkGeometry(field, column)
      else checkText(field, column)
      return
    case 'json':
      checkJson(field, column)
      return
    case 'number':
      if (column.values instanceof Float32Array || column.values instanceof Float64Array) checkFinite(field, column.values, column.length)
      return
    case 'vector':
      checkVectors(field, column)
      return
    case 'array':
    case 'vectors':
      checkArrays(field, column)
      return
    default:
      return
  }
}

function checkText(field: FieldSchema, { offsets, length }: StringColumn): void {
  const max = field.maxLength ?? MAX_VARCHAR_BYTES
  for (let row = 0; row < length; row++) {
    const bytes = (offsets[row + 1] as number) - (offsets[row] as number)
    if (bytes > max) {
      throw new CodecError(`length of varchar field ${field.name} exceeds max length, row number: ${row}, length: ${bytes}, max length: ${max}`)
    }
  }
}

function checkGeometry(field: FieldSchema, column: StringColumn): void {
  for (let row = 0; row < column.length; row++) {
    if (!isNull(column, row) && !isWkt(textAt(column, row))) throw new CodecError(`field ${field.name}: insert data is not valid WKT, row number: ${row}`)
  }
}

function checkJson(field: FieldSchema, column: JsonColumn): void {
  const { offsets, length } = column
  for (let row = 0; row < length; row++) {
    const bytes = (offsets[row + 1] as number) - (offsets[row] as number)
    if (bytes > MAX_JSON_BYTES) {
      throw new CodecError(`the length (${bytes}) of ${field.isDynamic ? 'dynamic field' : `json field (${field.name})`} exceeds max length (${MAX_JSON_BYTES}), row number: ${row}`)
    }
    // Zero bytes are what the Node SDK sends for null.
    if (bytes > 0 && !field.isDynamic && !isNull(column, row)) parseJson(field, column, row)
  }
}

function parseJson(field: FieldSchema, column: JsonColumn, row: number): unknown {
  try {
    return JSON.parse(textAt(column, row))
  } catch (error) {
    throw new CodecError(`invalid JSON data of field ${field.name}, row number: ${row}`, { cause: error })
  }
}

/** Dynamic rows are objects whose keys are not those of declared fields. */
export function checkDynamic(column: Column, schema: CollectionSchema): void {
  const field = schema.fields.find((candidate) => candidate.isDynamic)
  if (field === undefined || column.kind !== 'json') return
  const names = rowNames(schema)
  for (let row = 0; row < column.length; row++) {
    if (column.offsets[row] === column.offsets[row + 1] || isEmptyObject(column, row)) continue
    const value = parseJson(field, column, row)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CodecError(`dynamic field ${DYNAMIC_FIELD_NAME} must be a JSON object, row number: ${row}`)
    for (const key in value) {
      if (names.has(key)) throw new CodecError(`dynamic json cannot include the static field: ${key}`)
      if (key === DYNAMIC_FIELD_NAME) throw new CodecError(`dynamic json cannot include ${DYNAMIC_FIELD_NAME}`)
    }
  }
}

function isEmptyObject({ offsets, data }: JsonColumn, row: number): boolean {
  const start = offsets[row] as number
  return (offsets[row + 1] as number) === start + 2 && data[start] === 0x7b && data[start + 1] === 0x7d
}

function checkFinite(field: FieldSchema, values: Float32Array | Float64Array, length: number): void {
  for (let row = 0; row < length; row++) {
    if (!Number.isFinite(values[row])) throw new CodecError(`value '${values[row]}' of field ${field.name} is not a number or infinity, row number: ${row}`)
  }
}

/** All bits of the exponent set are NaN or infinity: read from the bytes, which need not be aligned. */
function checkVectors(field: FieldSchema, { data, length, bytesPerRow, type }: VectorColumn): void {
  const size = type === DataType.FloatVector ? 4 : type === DataType.Float16Vector || type === DataType.BFloat16Vector ? 2 : 0
  if (size === 0) return
  const end = length * bytesPerRow
  const wrong = type === DataType.Float16Vector ? firstInfinite16(data, end) : firstInfinite(data, end, size)
  if (wrong >= 0) throw new CodecError(`value of field ${field.name} is not a number or infinity, row number: ${Math.floor(wrong / bytesPerRow)}`)
}

/** float32, and bfloat16, which is its upper half. */
function firstInfinite(data: Uint8Array, end: number, size: number): number {
  for (let at = size - 1; at < end; at += size) {
    if (((data[at] as number) & 0x7f) === 0x7f && (data[at - 1] as number) >= 0x80) return at
  }
  return -1
}

function firstInfinite16(data: Uint8Array, end: number): number {
  for (let at = 1; at < end; at += 2) if (((data[at] as number) & 0x7c) === 0x7c) return at
  return -1
}

function checkArrays(field: FieldSchema, column: ListColumn): void {
  const { offsets, length, elements } = column
  const capacity = field.maxCapacity ?? 4096
  for (let row = 0; row < length; row++) {
    const count = (offsets[row + 1] as number) - (offsets[row] as number)
    if (count > capacity) throw new CodecError(`the length (${count}) of ${row}th array exceeds max capacity (${capacity}) of field ${field.name}`)
  }
  if (column.kind === 'array' && column.elements.kind === 'string') checkElements(field, column, column.elements)
  else checkValues(field, elements)
}

function checkElements(field: FieldSchema, { offsets, length }: ArrayColumn, texts: StringColumn): void {
  const max = field.maxLength ?? MAX_VARCHAR_BYTES
  for (let row = 0; row < length; row++) {
    for (let at = offsets[row] as number; at < (offsets[row + 1] as number); at++) {
      const bytes = (texts.offsets[at + 1] as number) - (texts.offsets[at] as number)
      if (bytes <= max) continue
      const index = at - (offsets[row] as number)
      throw new CodecError(`length of Array array field "${field.name}" exceeds max length, row number: ${row}, array index: ${index}, length: ${bytes}, max length: ${max}`)
    }
  }
}
