/** Columns out of nothing: empty ones, and what rows hold that were written before a field was there. */
import type { Column } from '../model/column.ts'
import { DataType, dataTypeName, isVectorType, vectorBytes, type FieldSchema } from '../model/schema.ts'

const encoder = new TextEncoder()

export function emptyColumn(field: FieldSchema): Column {
  return fillColumn(field, 0)
}

/** `length` rows of the field's default, or of null where it has none. */
export function fillColumn(field: FieldSchema, length: number): Column {
  const value = field.defaultValue
  const valid = value === undefined ? new Uint8Array(length) : undefined
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
      return { ...base, kind: 'int64', values: new BigInt64Array(length).fill(typeof value === 'bigint' ? value : BigInt(Number(value ?? 0))) }
    case DataType.Int8:
      return { ...base, kind: 'number', values: new Int8Array(length).fill(Number(value ?? 0)) }
    case DataType.Int16:
      return { ...base, kind: 'number', values: new Int16Array(length).fill(Number(value ?? 0)) }
    case DataType.Int32:
      return { ...base, kind: 'number', values: new Int32Array(length).fill(Number(value ?? 0)) }
    case DataType.Float:
      return { ...base, kind: 'number', values: new Float32Array(length).fill(Number(value ?? 0)) }
    case DataType.Double:
      return { ...base, kind: 'number', values: new Float64Array(length).fill(Number(value ?? 0)) }
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
    default:
      throw new TypeError(`fields of type ${dataTypeName(field.type)} have no columns`)
  }
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
  if (column.kind === 'vector' || column.kind === 'json' || column.kind === 'array') throw new TypeError(`array field ${field.name} cannot hold ${dataTypeName(column.type)}`)
  return { ...column, valid: undefined }
}
