/** Arrow vectors as columns: views into the file's bytes, but for booleans and null maps. */
import type { Data, Field } from 'apache-arrow'
import type { Column, ScalarColumn, VectorColumn } from '../model/column.ts'
import { DataType, dataTypeName, type FieldSchema, vectorBytes } from '../model/schema.ts'
import { SegmentError } from './errors.ts'
import { DIMENSIONS, ELEMENT_TYPE, FIELD_TYPE } from './to-arrow.ts'

type Elements = Extract<ScalarColumn, { kind: 'bool' | 'number' | 'int64' | 'string' }>

/** The column of one field. Throws `SEGMENT_SCHEMA` when the file holds another type. */
export function fromArrowColumn(field: FieldSchema, arrow: Field, data: Data, file: string): Column {
  const stored = arrow.metadata.get(FIELD_TYPE)
  const expected = dataTypeName(field.type)
  if (stored !== expected) throw wrongType(field, file, expected, stored ?? 'no type')
  const length = data.length
  const valid = validOf(data)
  if (field.type === DataType.Array) {
    const elementType = field.elementType ?? DataType.None
    const itsType = arrow.metadata.get(ELEMENT_TYPE) ?? 'no type'
    if (itsType !== dataTypeName(elementType)) throw wrongType(field, file, `Array of ${dataTypeName(elementType)}`, `Array of ${itsType}`)
    const child = data.children[0]
    if (child === undefined) throw wrongType(field, file, 'an Arrow list', String(data.type))
    return {
      kind: 'array',
      type: field.type,
      elementType,
      length,
      valid,
      offsets: offsetsOf(data),
      elements: flat(elementType, child, validOf(child), field, file),
    }
  }
  if (field.type === DataType.JSON)
    return { kind: 'json', type: field.type, length, valid, offsets: offsetsOf(data), data: bytesOf(data.values) }
  if (field.type === DataType.SparseFloatVector)
    return { kind: 'sparse', type: field.type, length, valid, offsets: offsetsOf(data), data: bytesOf(data.values) }
  if (field.type < 100) return flat(field.type, data, valid, field, file)
  if (field.type !== DataType.ArrayOfVector) return vectors(field, field.type, arrow, data, file)
  const itsType = arrow.metadata.get(ELEMENT_TYPE) ?? 'no type'
  const elementType = field.elementType ?? DataType.None
  const child = data.children[0]
  if (itsType !== dataTypeName(elementType) || child === undefined) throw wrongType(field, file, `lists of ${dataTypeName(elementType)}`, `lists of ${itsType}`)
  const elements = vectors(field, elementType, arrow, child, file)
  return { kind: 'vectors', type: field.type, elementType, length, valid, offsets: offsetsOf(data), elements }
}

function vectors(field: FieldSchema, type: DataType, arrow: Field, data: Data, file: string): VectorColumn {
  const { length } = data
  const dim = field.dim ?? 0
  const itsDim = arrow.metadata.get(DIMENSIONS) ?? 'none'
  const expected = dataTypeName(type)
  if (itsDim !== String(dim)) throw wrongType(field, file, `${expected} of ${dim} dimensions`, `${expected} of ${itsDim}`)
  const bytesPerRow = vectorBytes(type, dim)
  const values: unknown = type === DataType.FloatVector ? data.children[0]?.values : data.values
  const packed = bytesOf(values)
  if (packed.length < length * bytesPerRow) throw wrongType(field, file, `${length * bytesPerRow} bytes of vectors`, `${packed.length}`)
  return { kind: 'vector', type, length, valid: validOf(data), dim, bytesPerRow, data: packed.subarray(0, length * bytesPerRow) }
}

function flat(type: DataType, data: Data, valid: Uint8Array | undefined, field: FieldSchema, file: string): Elements {
  const length = data.length
  const values: unknown = data.values
  switch (type) {
    case DataType.Bool:
      return { kind: 'bool', type, length, valid, values: fromBitmap(bytesOf(values), data.offset, length) }
    case DataType.Int64:
    case DataType.Timestamptz:
      if (values instanceof BigInt64Array) return { kind: 'int64', type, length, valid, values }
      break
    case DataType.VarChar:
    case DataType.String:
    case DataType.Text:
    case DataType.Geometry:
      return { kind: 'string', type, length, valid, offsets: offsetsOf(data), data: bytesOf(values) }
    default:
      if (isNumbers(values)) return { kind: 'number', type, length, valid, values }
  }
  throw wrongType(field, file, dataTypeName(type), String(data.type))
}

function isNumbers(values: unknown): values is Int8Array | Int16Array | Int32Array | Float32Array | Float64Array {
  return [Int8Array, Int16Array, Int32Array, Float32Array, Float64Array].some((kind) => values instanceof kind)
}

function offsetsOf(data: Data): Uint32Array {
  const offsets: unknown = data.valueOffsets
  if (!(offsets instanceof Int32Array) || offsets.length <= data.length) return new Uint32Array(data.length + 1)
  return new Uint32Array(offsets.buffer, offsets.byteOffset, data.length + 1)
}

function bytesOf(values: unknown): Uint8Array {
  return ArrayBuffer.isView(values) ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength) : new Uint8Array()
}

function validOf(data: Data): Uint8Array | undefined {
  if (data.nullCount === 0) return undefined
  return fromBitmap(data.nullBitmap, data.offset, data.length)
}

function fromBitmap(bitmap: Uint8Array, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = ((bitmap[(offset + i) >> 3] ?? 0) >> ((offset + i) & 7)) & 1
  return bytes
}

function wrongType(field: FieldSchema, file: string, expected: string, got: string): SegmentError {
  const details = { file, field: field.name, expected, got }
  return new SegmentError('SEGMENT_SCHEMA', `${file}: field ${field.name} must be ${expected}, the file has ${got}`, { details })
}
