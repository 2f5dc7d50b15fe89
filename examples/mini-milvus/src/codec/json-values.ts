/** Values of JSON as payloads of their field, and JSON as text with exact integers. */
import { DataType, dataTypeName, isVectorType, vectorBytes } from '../model/schema.ts'
import type { FieldSchema } from '../model/schema.ts'
import { elementField } from '../model/structs.ts'
import { CodecError } from './errors.ts'
import { toBFloat16, toFloat16 } from './half.ts'
import type { RawPayload, VectorMember } from './raw-field.ts'

const MAX_DEPTH = 64
const encoder = new TextEncoder()

/** The values that are not null, compact; `values` is by row. */
export function payloadOfJson(field: FieldSchema, values: readonly unknown[]): RawPayload {
  if (field.type === DataType.SparseFloatVector) return sparsePayload(field, values)
  if (field.type === DataType.ArrayOfVector) return vectorListPayload(field, values)
  if (isVectorType(field.type)) return vectorPayload(field, values)
  const reader = new ValueReader(field)
  const present: unknown[] = []
  values.forEach((value, row) => {
    reader.row = row
    if (value !== null) present.push(reader.read(value))
  })
  return scalarPayload(field, present)
}

function scalarPayload(field: FieldSchema, values: readonly unknown[]): RawPayload {
  const { length } = values
  switch (field.type) {
    case DataType.Bool:
      return { member: 'bool', length, values: Uint8Array.from(values, (value) => (value === true ? 1 : 0)) }
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
      return { member: 'int', length, values: Int32Array.from(values as number[]) }
    case DataType.Int64:
      return { member: 'long', length, values: BigInt64Array.from(values as bigint[]) }
    case DataType.Float:
      return { member: 'float', length, data: new Uint8Array(Float32Array.from(values as number[]).buffer) }
    case DataType.Double:
      return { member: 'double', length, data: new Uint8Array(Float64Array.from(values as number[]).buffer) }
    case DataType.Array: {
      const element = { ...field, type: field.elementType ?? DataType.None, elementType: undefined }
      return { member: 'array', length, elementType: element.type, rows: (values as unknown[][]).map((items) => scalarPayload(element, items)) }
    }
    case DataType.JSON:
      return textPayload('json', values as string[])
    case DataType.Geometry:
      return textPayload('wkt', values as string[])
    default:
      return textPayload('string', values as string[])
  }
}

function textPayload(member: 'json' | 'wkt' | 'string', texts: readonly string[]): RawPayload {
  const encoded = texts.map((text) => encoder.encode(text))
  const offsets = new Uint32Array(encoded.length + 1)
  encoded.forEach((bytes, i) => (offsets[i + 1] = (offsets[i] as number) + bytes.length))
  const data = new Uint8Array(offsets[encoded.length] as number)
  encoded.forEach((bytes, i) => data.set(bytes, offsets[i]))
  return { member, length: texts.length, offsets, data }
}

/** Checks one value of JSON against a field's type and gives it in the payload's form. */
class ValueReader {
  readonly #field: FieldSchema
  row = 0

  constructor(field: FieldSchema) {
    this.#field = field
  }

  read(value: unknown, type: DataType = this.#field.type): unknown {
    switch (type) {
      case DataType.Bool:
        if (typeof value === 'boolean') return value
        break
      case DataType.Int8:
      case DataType.Int16:
      case DataType.Int32: {
        const integer = toInteger(value)
        if (integer !== undefined && BigInt.asIntN(32, integer) === integer) return Number(integer)
        break
      }
      case DataType.Int64: {
        const integer = toInteger(value)
        if (integer !== undefined && BigInt.asIntN(64, integer) === integer) return integer
        break
      }
      case DataType.Float:
      case DataType.Double:
        if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
        break
      case DataType.JSON:
        return toJsonText(value, this.row)
      case DataType.Array:
        if (Array.isArray(value)) return value.map((item: unknown) => this.read(item, this.#field.elementType ?? DataType.None))
        break
      default:
        if (typeof value === 'string') return value
    }
    throw this.#error(value, type)
  }

  #error(value: unknown, type: DataType): CodecError {
    const got = typeof value === 'object' ? (Array.isArray(value) ? 'an array' : 'an object') : `${String(value).slice(0, 40)} (${typeof value})`
    return new CodecError(`field ${this.#field.name}: expected ${dataTypeName(type)}, got ${got}, row number: ${this.row}`)
  }
}

function toInteger(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? BigInt(value) : undefined
}

const MEMBERS: ReadonlyMap<DataType, VectorMember> = new Map([
  [DataType.FloatVector, 'float_vector'],
  [DataType.BinaryVector, 'binary_vector'],
  [DataType.Float16Vector, 'float16_vector'],
  [DataType.BFloat16Vector, 'bfloat16_vector'],
  [DataType.Int8Vector, 'int8_vector'],
])

function vectorPayload(field: FieldSchema, values: readonly unknown[]): RawPayload {
  const member = MEMBERS.get(field.type)
  if (member === undefined) throw new CodecError(`field ${field.name}: ${dataTypeName(field.type)} is not supported`)
  const dim = field.dim ?? 0
  const bytesPerRow = vectorBytes(field.type, dim)
  const rows: [row: number, items: readonly unknown[]][] = []
  values.forEach((value, row) => {
    if (value === null) return
    if (!Array.isArray(value)) throw new CodecError(`field ${field.name}: a vector is an array of numbers, row number: ${row}`)
    const length = field.type === DataType.BinaryVector ? value.length * 8 : value.length
    if (length !== dim) throw new CodecError(`the dim (${length}) of field data(${field.name}) is not equal to schema dim (${dim}), row number: ${row}`)
    rows.push([row, value])
  })
  const data = new Uint8Array(rows.length * bytesPerRow)
  const view = new DataView(data.buffer)
  rows.forEach(([row, items], at) => {
    items.forEach((item, i) => {
      if (typeof item !== 'number' || !Number.isFinite(item)) throw new CodecError(`field ${field.name}: a vector is an array of numbers, row number: ${row}`)
      writeItem(view, at * bytesPerRow, i, item, field, row)
    })
  })
  return { member, dim, data }
}

function vectorListPayload(field: FieldSchema, values: readonly unknown[]): RawPayload {
  const ofElement = elementField(field)
  const rows = values.flatMap((value, row) => {
    if (value === null) return []
    if (!Array.isArray(value)) throw new CodecError(`field ${field.name}: expected a list of vectors, row number: ${row}`)
    const missing = (value as readonly unknown[]).indexOf(null)
    if (missing >= 0) throw new CodecError(`field ${field.name}: a vector is an array of numbers, row number: ${row}, array index: ${missing}`)
    return [vectorPayload(ofElement, value)]
  })
  return { member: 'vector_array', length: rows.length, elementType: ofElement.type, rows }
}

/** `{"1": 0.5, "17": 2}` or `{"indices": [1, 17], "values": [0.5, 2]}`. */
function sparsePayload(field: FieldSchema, values: readonly unknown[]): RawPayload {
  const rows = values.flatMap((value, row) => (value === null ? [] : [sparseRow(field, value, row)]))
  return { member: 'sparse_float_vector', rows }
}

function sparseRow(field: FieldSchema, value: unknown, row: number): Uint8Array {
  const wrong = () => new CodecError(`field ${field.name}: a sparse vector is an object of dimensions and values, row number: ${row}`)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong()
  const given = new Map<string, unknown>(value instanceof Map ? (value as ReadonlyMap<string, unknown>) : Object.entries(value))
  const [indices, items] = [given.get('indices'), given.get('values')]
  const isLists = Array.isArray(indices) && Array.isArray(items)
  if (isLists && indices.length !== items.length) throw wrong()
  const pairs = isLists ? indices.map((index: unknown, i): [unknown, unknown] => [index, items[i]]) : [...given]
  const view = new DataView(new ArrayBuffer(pairs.length * 8))
  pairs.forEach(([index, item], i) => {
    const dim = Number(index)
    if (index === '' || !Number.isInteger(dim) || dim < 0 || dim >= 2 ** 32 || (typeof item !== 'number' && typeof item !== 'bigint')) throw wrong()
    view.setUint32(i * 8, dim, true)
    view.setFloat32(i * 8 + 4, Number(item), true)
  })
  return new Uint8Array(view.buffer)
}

function writeItem(view: DataView, start: number, index: number, item: number, field: FieldSchema, row: number): void {
  switch (field.type) {
    case DataType.FloatVector:
      view.setFloat32(start + index * 4, item, true)
      return
    case DataType.Float16Vector:
      view.setUint16(start + index * 2, toFloat16(item), true)
      return
    case DataType.BFloat16Vector:
      view.setUint16(start + index * 2, toBFloat16(item), true)
      return
    default: {
      const [low, high] = field.type === DataType.Int8Vector ? [-128, 127] : [0, 255]
      if (!Number.isInteger(item) || item < low || item > high) throw new CodecError(`the ${index}th element (${item}) out of range: [${low}, ${high}] of field ${field.name}, row number: ${row}`)
      view.setUint8(start + index, item & 0xff)
    }
  }
}

/** JSON text of a value that may hold bigints (written as integers) and Maps; keys such as `__proto__` are ordinary. */
export function toJsonText(value: unknown, row: number, depth = 0): string {
  if (depth > MAX_DEPTH) throw new CodecError(`a JSON value is nested deeper than ${MAX_DEPTH} levels, row number: ${row}`)
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return `[${value.map((item: unknown) => toJsonText(item, row, depth + 1)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = value instanceof Map ? (value as ReadonlyMap<string, unknown>).entries() : Object.entries(value)
    const members: string[] = []
    for (const [key, item] of entries) if (item !== undefined) members.push(`${JSON.stringify(key)}:${toJsonText(item, row, depth + 1)}`)
    return `{${members.join(',')}}`
  }
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new CodecError(`a value is not JSON (${typeof value}), row number: ${row}`)
  return text
}
