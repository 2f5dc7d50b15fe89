/** Columns out of nothing: empty ones, and what rows hold that were written before a field was there. */
import type { Column, VectorColumn } from '../model/column.ts'
import { DataType, dataTypeName, isVectorType, vectorBytes, type FieldSchema } from '../model/schema.ts'
import { parseTimestamptz } from './timestamptz.ts'

const encoder = new TextEncoder()

export function emptyColumn(field: FieldSchema): Column {
  return fillColumn(field, 0)
}

/** `length` rows of the field's default, or of null where it has none. */
export function fillColumn(field: FieldSchema, length: number): Column {
  const value = field.defaultValue
  const valid = value === undefined ? new Uint8Array(length) : undefined
  if (field.type === DataType.SparseFloatVector) {
    return { kind: 'sparse', type: field.type, length, valid, offsets: new Uint32Array(length + 1), data: new Uint8Array(0) }
  }
  if (isVectorType(field.type)) {
    const bytesPerRow = vectorBytes(field.type, field.dim ?? 0)
    return { kind: 'vector', type: field.type, dim: field.dim ?? 0, bytesPerRow, length, valid, data: new Uint8Array(length * bytesPerRow) }
  }
  const base = { type: field.type, length, valid }
  switch (field.type) {
    case DataType.Bool:
      return { ...base, kind: 'bool', values: new Uint8Array(length).fill(value === true ? 1 : 0) }
    case DataType.Int64:
    case DataType.Timestamptz:
      return { ...base, kind: 'int64', values: new BigInt64Array(length).fill(int64Of(value)) }
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
    case DataType.Float:
    case DataType.Double:
      return { ...base, kind: 'number', values: numberArray(field.type, length).fill(Number(value ?? 0)) }
    case DataType.String:
    case DataType.VarChar:
    case DataType.Text:
    case DataType.Geometry:
      return { ...base, kind: 'string', ...repeatText(value, length) }
    case DataType.JSON:
      // The dynamic field of old rows is an empty object, not null.
      return field.isDynamic
        ? { ...base, kind: 'json', valid: undefined, ...repeatText('{}', length) }
        : { ...base, kind: 'json', ...repeatText(value, length) }
    case DataType.Array:
      return { ...base, kind: 'array', elementType: elementTypeOf(field), offsets: new Uint32Array(length + 1), elements: emptyElements(field) }
    case DataType.ArrayOfVector:
      return { ...base, kind: 'vectors', elementType: elementTypeOf(field), offsets: new Uint32Array(length + 1), elements: noVectors(field) }
    default:
      throw new TypeError(`fields of type ${dataTypeName(field.type)} have no columns`)
  }
}

/** Texts as the offsets and bytes of a column. */
export function textColumn(texts: readonly string[]): { readonly offsets: Uint32Array; readonly data: Uint8Array } {
  const encoded = texts.map((text) => encoder.encode(text))
  const offsets = new Uint32Array(texts.length + 1)
  encoded.forEach((bytes, row) => (offsets[row + 1] = (offsets[row] as number) + bytes.length))
  const data = new Uint8Array(offsets[texts.length] as number)
  encoded.forEach((bytes, row) => data.set(bytes, offsets[row]))
  return { offsets, data }
}

function repeatText(value: FieldSchema['defaultValue'], length: number): { offsets: Uint32Array; data: Uint8Array } {
  const text = encoder.encode(typeof value === 'string' ? value : '')
  const offsets = new Uint32Array(length + 1)
  const data = new Uint8Array(text.length * length)
  for (let row = 0; row < length; row++) {
    data.set(text, row * text.length)
    offsets[row + 1] = (row + 1) * text.length
  }
  return { offsets, data }
}

function elementTypeOf(field: FieldSchema): DataType {
  if (field.elementType === undefined) throw new TypeError(`array field ${field.name} has no element type`)
  return field.elementType
}

function emptyElements(field: FieldSchema) {
  const column = fillColumn({ ...field, type: elementTypeOf(field), elementType: undefined, defaultValue: undefined, nullable: false }, 0)
  if (column.kind === 'vector' || column.kind === 'vectors' || column.kind === 'sparse' || column.kind === 'json' || column.kind === 'array') throw new TypeError(`array field ${field.name} cannot hold ${dataTypeName(column.type)}`)
  return { ...column, valid: undefined }
}

function noVectors(field: FieldSchema): VectorColumn {
  const { dim = 0 } = field
  const type = elementTypeOf(field)
  return { kind: 'vector', type, length: 0, valid: undefined, dim, bytesPerRow: vectorBytes(type, dim), data: new Uint8Array(0) }
}

function int64Of(value: FieldSchema['defaultValue']): bigint {
  if (typeof value === 'bigint') return value
  return typeof value === 'string' ? (parseTimestamptz(value) ?? 0n) : BigInt(Number(value ?? 0))
}

/** The typed array that holds `length` numbers of one of the number types. */
export function numberArray(type: DataType, length: number): Int8Array | Int16Array | Int32Array | Float32Array | Float64Array {
  switch (type) {
    case DataType.Int8:
      return new Int8Array(length)
    case DataType.Int16:
      return new Int16Array(length)
    case DataType.Int32:
      return new Int32Array(length)
    case DataType.Float:
      return new Float32Array(length)
    case DataType.Double:
      return new Float64Array(length)
    default:
      throw new TypeError(`${dataTypeName(type)} is not a type of numbers`)
  }
}
