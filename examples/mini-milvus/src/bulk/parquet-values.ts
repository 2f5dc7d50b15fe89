/** Rows of Parquet leaves as payloads of a field. */
import type { DecodedArray, SchemaElement } from 'hyparquet/src/types.js'
import { toBFloat16, toFloat16 } from '../codec/half.ts'
import { payloadOfJson } from '../codec/json-values.ts'
import type { RawField, RawPayload, VectorMember } from '../codec/raw-field.ts'
import { DataType, dataTypeName, isVectorType, vectorBytes, type FieldSchema } from '../model/schema.ts'
import { elementField } from '../model/structs.ts'
import { ImportError } from './errors.ts'
import { joinTexts } from './npy-reader.ts'
import type { LeafRows } from './parquet-leaf.ts'
import { parseText } from './row-text.ts'

export interface LeafShape {
  readonly element: SchemaElement
  readonly isList: boolean
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** @param leaves of the field: one, or the indices and the values of a sparse vector */
export function rawField(field: FieldSchema, shapes: readonly LeafShape[], leaves: readonly LeafRows[], rows: number): RawField {
  const [leaf] = leaves
  const [shape] = shapes
  if (leaf === undefined || shape === undefined) throw new ImportError(`field ${field.name}: no column`)
  const payload = leaves.length === 2 ? sparseOfStruct(field, leaf, leaves[1] as LeafRows) : payloadOf(field, shape, leaf, rows)
  return { name: field.name, type: field.type, isDynamic: field.isDynamic, valid: validOf(leaf, rows), payload }
}

/** Undefined where no row is null. */
function validOf({ counts }: LeafRows, rows: number): Uint8Array | undefined {
  if (counts === undefined || !counts.includes(-1)) return undefined
  return Uint8Array.from({ length: rows }, (_, row) => (counts[row] === -1 ? 0 : 1))
}

function payloadOf(field: FieldSchema, shape: LeafShape, leaf: LeafRows, rows: number): RawPayload {
  if (field.type === DataType.SparseFloatVector) return payloadOfJson(field, textsOf(leaf.values).map((text, row) => jsonOf(field, text, row)))
  if (field.type === DataType.ArrayOfVector) return vectorListPayload(field, shape, leaf, rows)
  if (isVectorType(field.type)) return vectorPayload(field, shape, leaf, rows)
  if (field.type === DataType.Array) return arrayPayload(field, shape, leaf, rows)
  if (shape.isList) throw wrong(field, 'no list', 'a list')
  return scalarPayload(field, shape.element, leaf.values)
}

function scalarPayload(field: FieldSchema, element: SchemaElement, values: DecodedArray): RawPayload {
  const { length } = values
  switch (field.type) {
    case DataType.Bool:
      if (element.type !== 'BOOLEAN') break
      return { member: 'bool', length, values: Uint8Array.from(values as boolean[], (value) => (value ? 1 : 0)) }
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
      if (element.type !== 'INT32' && element.type !== 'INT64') break
      return { member: 'int', length, values: Int32Array.from(values as ArrayLike<number | bigint>, (value, row) => int32(field, value, row)) }
    case DataType.Int64:
      if (element.type !== 'INT32' && element.type !== 'INT64') break
      return { member: 'long', length, values: longs(values) }
    case DataType.Float:
      if (element.type !== 'FLOAT' && element.type !== 'DOUBLE') break
      return { member: 'float', length, data: bytesOf(Float32Array.from(values as Float32Array)) }
    case DataType.Double:
      if (element.type !== 'FLOAT' && element.type !== 'DOUBLE') break
      return { member: 'double', length, data: bytesOf(Float64Array.from(values as Float64Array)) }
    case DataType.Timestamptz:
      if (element.type === 'INT64') return { member: 'timestamptz', length, values: micros(element, longs(values)) }
      if (element.type === 'BYTE_ARRAY') return joinTexts(field, values as Uint8Array[])
      break
    case DataType.VarChar:
    case DataType.String:
    case DataType.Text:
    case DataType.Geometry:
    case DataType.JSON:
      if (element.type !== 'BYTE_ARRAY') break
      return joinTexts(field, values as Uint8Array[])
    default:
  }
  throw wrong(field, dataTypeName(field.type), typeOf(element))
}

function arrayPayload(field: FieldSchema, shape: LeafShape, leaf: LeafRows, rows: number): RawPayload {
  const element: FieldSchema = { ...field, type: field.elementType ?? DataType.None, elementType: undefined }
  if (!shape.isList) {
    if (shape.element.type !== 'BYTE_ARRAY') throw wrong(field, 'a list', typeOf(shape.element))
    return payloadOfJson(field, textsOf(leaf.values).map((text, row) => jsonOf(field, text, row)))
  }
  const all = leaf.values
  const items: (RawPayload | undefined)[] = []
  let at = 0
  for (let row = 0; row < rows; row++) {
    const count = leaf.counts?.[row] ?? 1
    if (count < 0) continue
    items.push(scalarPayload(element, shape.element, Array.isArray(all) ? all.slice(at, at + count) : all.subarray(at, at + count)))
    at += count
  }
  return { member: 'array', length: items.length, elementType: element.type, rows: items }
}

const MEMBERS: ReadonlyMap<DataType, VectorMember> = new Map([
  [DataType.FloatVector, 'float_vector'],
  [DataType.BinaryVector, 'binary_vector'],
  [DataType.Float16Vector, 'float16_vector'],
  [DataType.BFloat16Vector, 'bfloat16_vector'],
  [DataType.Int8Vector, 'int8_vector'],
])

/** Lists of numbers (bytes, for those that have no number type in Parquet), or the vector's bytes as one value. */
function vectorPayload(field: FieldSchema, { element, isList }: LeafShape, leaf: LeafRows, rows: number): RawPayload {
  const dim = field.dim ?? 0
  const bytesPerRow = vectorBytes(field.type, dim)
  const member = MEMBERS.get(field.type)
  if (member === undefined) throw wrong(field, dataTypeName(field.type), typeOf(element))
  if (!isList) {
    if (element.type !== 'BYTE_ARRAY' && element.type !== 'FIXED_LEN_BYTE_ARRAY') throw wrong(field, 'a list', typeOf(element))
    return { member, dim, data: joinBytes(field, leaf.values as Uint8Array[], bytesPerRow) }
  }
  const isFloat = element.type === 'FLOAT' || element.type === 'DOUBLE'
  const items = field.type === DataType.FloatVector || field.type === DataType.Int8Vector || isFloat ? dim : bytesPerRow
  for (let row = 0; row < rows; row++) {
    const count = leaf.counts?.[row] ?? 1
    if (count >= 0 && count !== items) throw new ImportError(`field ${field.name}: expected ${items} items a row for dim ${dim}, got ${count}, row number: ${row}`)
  }
  return { member, dim, data: vectorData(field, element, leaf.values, isFloat, items) }
}

/** A list of vectors a row: of structs, each of which has a list of numbers or the bytes of its vector. */
function vectorListPayload(field: FieldSchema, { element }: LeafShape, { counts, inner, values }: LeafRows, rows: number): RawPayload {
  const ofElement = elementField(field)
  const vectors = inner?.length ?? values.length
  const whole = vectorPayload(ofElement, { element, isList: inner !== undefined }, { counts: inner, values }, vectors)
  if (!('dim' in whole)) throw wrong(field, 'vectors', typeOf(element))
  const bytesPerRow = vectorBytes(ofElement.type, ofElement.dim ?? 0)
  const lists: RawPayload[] = []
  let at = 0
  for (let row = 0; row < rows; row++) {
    const count = counts?.[row] ?? 1
    if (count < 0) continue
    lists.push({ ...whole, data: whole.data.subarray(at * bytesPerRow, (at + count) * bytesPerRow) })
    at += count
  }
  return { member: 'vector_array', length: lists.length, elementType: ofElement.type, rows: lists }
}

function vectorData(field: FieldSchema, element: SchemaElement, values: DecodedArray, isFloat: boolean, items: number): Uint8Array {
  if (isFloat) {
    if (field.type === DataType.FloatVector) return bytesOf(values instanceof Float32Array ? values : Float32Array.from(values as Float64Array))
    if (field.type === DataType.Float16Vector) return bytesOf(Uint16Array.from(values as Float64Array, toFloat16))
    if (field.type === DataType.BFloat16Vector) return bytesOf(Uint16Array.from(values as Float64Array, toBFloat16))
  } else if (element.type === 'INT32' && field.type !== DataType.FloatVector) {
    const [low, high] = field.type === DataType.Int8Vector ? [-128, 127] : [0, 255]
    return Uint8Array.from(values as Int32Array, (value, at) => {
      if (value < low || value > high) throw new ImportError(`field ${field.name}: ${value} is out of the range ${low} to ${high}, row number: ${Math.floor(at / items)}`)
      return value & 0xff
    })
  }
  throw wrong(field, dataTypeName(field.type), `a list of ${typeOf(element)}`)
}

function joinBytes(field: FieldSchema, values: readonly Uint8Array[], bytesPerRow: number): Uint8Array {
  const data = new Uint8Array(values.length * bytesPerRow)
  values.forEach((value, row) => {
    if (value.length !== bytesPerRow) throw new ImportError(`field ${field.name}: expected ${bytesPerRow} bytes a row, got ${value.length}, row number: ${row}`)
    data.set(value, row * bytesPerRow)
  })
  return data
}

function sparseOfStruct(field: FieldSchema, indices: LeafRows, items: LeafRows): RawPayload {
  const rows: Uint8Array[] = []
  let at = 0
  const counts = indices.counts ?? new Int32Array(0)
  counts.forEach((count, row) => {
    if (count < 0) return
    if (items.counts?.[row] !== count) throw new ImportError(`field ${field.name}: expected as many values as indices, row number: ${row}`)
    const view = new DataView(new ArrayBuffer(count * 8))
    for (let i = 0; i < count; i++, at++) {
      view.setUint32(i * 8, Number(indices.values[at]) >>> 0, true)
      view.setFloat32(i * 8 + 4, Number(items.values[at]), true)
    }
    rows.push(new Uint8Array(view.buffer))
  })
  return { member: 'sparse_float_vector', rows }
}

function textsOf(values: DecodedArray): string[] {
  return Array.from(values as ArrayLike<unknown>, (value) => {
    if (!(value instanceof Uint8Array)) throw new ImportError('expected a column of texts')
    return decoder.decode(value)
  })
}

function jsonOf(field: FieldSchema, text: string, row: number): unknown {
  const value = parseText(text)
  if (value === undefined) throw new ImportError(`field ${field.name}: a text is not JSON, row number: ${row}`)
  return value
}

function int32(field: FieldSchema, value: number | bigint, row: number): number {
  const number = Number(value)
  if ((number | 0) !== number) throw new ImportError(`field ${field.name}: ${value} is out of the range of ${dataTypeName(field.type)}, row number: ${row}`)
  return number
}

function longs(values: DecodedArray): BigInt64Array {
  return values instanceof BigInt64Array ? values : BigInt64Array.from(values as ArrayLike<number>, BigInt)
}

function micros({ converted_type: converted, logical_type: logical }: SchemaElement, values: BigInt64Array): BigInt64Array {
  const unit = logical?.type === 'TIMESTAMP' ? logical.unit : converted === 'TIMESTAMP_MILLIS' ? 'MILLIS' : 'MICROS'
  if (unit === 'MILLIS') return values.map((value) => value * 1000n)
  return unit === 'NANOS' ? values.map((value) => value / 1000n) : values
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Float64Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function typeOf({ type, converted_type: converted }: SchemaElement): string {
  return `${type ?? 'a group'}${converted === undefined ? '' : ` (${converted})`}`
}

function wrong(field: FieldSchema, expected: string, got: string): ImportError {
  return new ImportError(`field ${field.name}: expected ${expected}, got ${got}`)
}
