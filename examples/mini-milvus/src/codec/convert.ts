/** One payload of the wire as a column of its field's type, compact as it came and without nulls. Kinds and widths are checked here. */
import type { ArrayColumn, Column, VectorColumn, VectorListColumn } from '../model/column.ts'
import { DataType, dataTypeName, isVectorType, vectorBytes } from '../model/schema.ts'
import type { FieldSchema } from '../model/schema.ts'
import { elementField } from '../model/structs.ts'
import { CodecError } from './errors.ts'
import { emptyColumn } from './fill.ts'
import { concatColumns } from './gather.ts'
import type { RawPayload, VectorMember } from './raw-field.ts'
import { sparseColumn } from './sparse.ts'
import { parseTimestamptz } from './timestamptz.ts'

const decoder = new TextDecoder()

export function columnOfPayload(field: FieldSchema, payload: RawPayload | undefined): Column {
  if (payload === undefined) return withoutNulls(emptyColumn(field))
  if (payload.member === 'unsupported') throw new CodecError(`field ${field.name}: ${payload.what} are not supported`)
  if (field.type === DataType.SparseFloatVector) {
    if (payload.member !== 'sparse_float_vector') throw mismatch(field, payload)
    return sparseColumn(payload.rows, field.name)
  }
  if (isVectorType(field.type)) return vectorColumn(field, payload)
  if (field.type === DataType.ArrayOfVector) return vectorListColumn(field, payload)
  if (field.type === DataType.Array) return arrayColumn(field, payload)
  return scalarColumn(field, payload)
}

function withoutNulls<C extends Column>(column: C): C {
  return { ...column, valid: undefined }
}

function mismatch(field: FieldSchema, payload: RawPayload): CodecError {
  return new CodecError(`field data type mismatch: field ${field.name} is of type ${dataTypeName(field.type)}, got ${payload.member} data`)
}

function scalarColumn(field: FieldSchema, payload: RawPayload): Column {
  const { type } = field
  const base = { type, valid: undefined }
  switch (type) {
    case DataType.Bool:
      if (payload.member === 'bool') return { ...base, kind: 'bool', length: payload.length, values: payload.values }
      break
    case DataType.Int8:
      if (payload.member === 'int') return { ...base, kind: 'number', length: payload.length, values: Int8Array.from(inRange(field, payload.values, -128, 127)) }
      break
    case DataType.Int16:
      if (payload.member === 'int') return { ...base, kind: 'number', length: payload.length, values: Int16Array.from(inRange(field, payload.values, -32_768, 32_767)) }
      break
    case DataType.Int32:
      if (payload.member === 'int') return { ...base, kind: 'number', length: payload.length, values: payload.values }
      break
    case DataType.Int64:
      if (payload.member === 'long') return { ...base, kind: 'int64', length: payload.length, values: payload.values }
      break
    case DataType.Float:
      if (payload.member === 'float') return { ...base, kind: 'number', length: payload.length, values: new Float32Array(...aligned(payload.data, 4)) }
      break
    case DataType.Double:
      if (payload.member === 'double') return { ...base, kind: 'number', length: payload.length, values: new Float64Array(...aligned(payload.data, 8)) }
      break
    case DataType.VarChar:
    case DataType.String:
    case DataType.Text:
      if (payload.member === 'string') return { ...base, kind: 'string', length: payload.length, offsets: payload.offsets, data: payload.data }
      break
    case DataType.Geometry:
      if (payload.member === 'wkt') return { ...base, kind: 'string', length: payload.length, offsets: payload.offsets, data: payload.data }
      break
    case DataType.JSON:
      if (payload.member === 'json') return { ...base, kind: 'json', length: payload.length, offsets: payload.offsets, data: payload.data }
      break
    case DataType.Timestamptz:
      return timestampColumn(field, payload)
    default:
  }
  throw mismatch(field, payload)
}

function inRange(field: FieldSchema, values: Int32Array, low: number, high: number): Int32Array {
  const wrong = values.findIndex((value) => value < low || value > high)
  if (wrong >= 0) throw new CodecError(`the ${wrong}th element (${values[wrong]}) out of range: [${low}, ${high}] of field ${field.name}`)
  return values
}

/** Arguments for a typed array over the bytes: a view where they are aligned, else a copy. */
function aligned(data: Uint8Array, size: number): [buffer: ArrayBufferLike, byteOffset: number, length: number] {
  const own = data.byteOffset % size === 0 ? data : new Uint8Array(data)
  return [own.buffer, own.byteOffset, own.length / size]
}

function timestampColumn(field: FieldSchema, payload: RawPayload): Column {
  if (payload.member === 'timestamptz') return { kind: 'int64', type: field.type, valid: undefined, length: payload.length, values: payload.values }
  if (payload.member !== 'string') throw mismatch(field, payload)
  const values = new BigInt64Array(payload.length)
  for (let row = 0; row < payload.length; row++) {
    const text = decoder.decode(payload.data.subarray(payload.offsets[row], payload.offsets[row + 1]))
    const micros = parseTimestamptz(text)
    if (micros === undefined) throw new CodecError(`got invalid timestamptz string for field ${field.name}, row number: ${row}: ${JSON.stringify(text.slice(0, 64))}`)
    values[row] = micros
  }
  return { kind: 'int64', type: field.type, valid: undefined, length: payload.length, values }
}

const MEMBERS: ReadonlyMap<DataType, VectorMember> = new Map([
  [DataType.FloatVector, 'float_vector'],
  [DataType.BinaryVector, 'binary_vector'],
  [DataType.Float16Vector, 'float16_vector'],
  [DataType.BFloat16Vector, 'bfloat16_vector'],
  [DataType.Int8Vector, 'int8_vector'],
])

function vectorColumn(field: FieldSchema, payload: RawPayload): VectorColumn {
  const { type } = field
  const dim = field.dim ?? 0
  if (payload.member !== MEMBERS.get(type) || !('dim' in payload)) throw mismatch(field, payload)
  const bytesPerRow = vectorBytes(type, dim)
  const { data } = payload
  if (payload.dim !== dim) throw new CodecError(`the dim (${payload.dim}) of field data(${field.name}) is not equal to schema dim (${dim})`)
  if (bytesPerRow === 0 || data.length % bytesPerRow !== 0) {
    throw new CodecError(`the length(${data.length / (vectorBytes(type, 8) / 8)}) of ${payload.member} data of field ${field.name} should divide the dim(${dim})`)
  }
  return { kind: 'vector', type, valid: undefined, dim, bytesPerRow, length: data.length / bytesPerRow, data }
}

function arrayColumn(field: FieldSchema, payload: RawPayload): ArrayColumn {
  if (payload.member !== 'array') throw mismatch(field, payload)
  const elementType = field.elementType ?? DataType.None
  if (payload.elementType !== 0 && payload.elementType !== elementType && !(payload.elementType === DataType.String && elementType === DataType.VarChar)) {
    throw new CodecError(`array field ${field.name} holds ${dataTypeName(elementType)}, got elements of type ${dataTypeName(payload.elementType)}`)
  }
  const ofElement = elementField(field)
  const offsets = new Uint32Array(payload.length + 1)
  const parts: ArrayColumn['elements'][] = [asElements(withoutNulls(emptyColumn(ofElement)))]
  payload.rows.forEach((row, i) => {
    const part = row === undefined ? undefined : asElements(columnOfPayload(ofElement, row))
    if (part !== undefined) parts.push(part)
    offsets[i + 1] = (offsets[i] as number) + (part?.length ?? 0)
  })
  return { kind: 'array', type: DataType.Array, valid: undefined, length: payload.length, elementType, offsets, elements: concatColumns(parts) }
}

function vectorListColumn(field: FieldSchema, payload: RawPayload): VectorListColumn {
  if (payload.member !== 'vector_array') throw mismatch(field, payload)
  const ofElement = elementField(field)
  const { type: elementType } = ofElement
  if (payload.elementType !== 0 && payload.elementType !== elementType) {
    throw new CodecError(`field ${field.name} holds lists of ${dataTypeName(elementType)}, got ${dataTypeName(payload.elementType)}`)
  }
  const offsets = new Uint32Array(payload.length + 1)
  const none = withoutNulls(emptyColumn(ofElement))
  if (none.kind !== 'vector') throw mismatch(field, payload)
  const parts: VectorColumn[] = [none]
  payload.rows.forEach((row, i) => {
    // An empty list may lack its vectors, or their dimensions.
    const part = row === undefined || ('data' in row && row.data.length === 0) ? undefined : vectorColumn(ofElement, row)
    if (part !== undefined) parts.push(part)
    offsets[i + 1] = (offsets[i] as number) + (part?.length ?? 0)
  })
  return { kind: 'vectors', type: DataType.ArrayOfVector, valid: undefined, length: payload.length, elementType, offsets, elements: concatColumns(parts) }
}

function asElements(column: Column): ArrayColumn['elements'] {
  if (column.kind === 'json' || column.kind === 'array' || column.kind === 'vector' || column.kind === 'vectors' || column.kind === 'sparse') throw new CodecError(`arrays of ${dataTypeName(column.type)} are not supported`)
  return column
}
