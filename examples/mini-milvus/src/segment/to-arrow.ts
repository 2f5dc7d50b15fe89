/** Columns as Arrow vectors. Buffers are shared, not copied, wherever the layouts agree (all but booleans and null maps). */
import {
  Binary,
  Bool,
  type Data,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  List,
  makeData,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow'
import type { BoolColumn, Column, Int64Column, NumberColumn, StringColumn, VectorColumn } from '../model/column.ts'
import { DataType, dataTypeName, type FieldSchema } from '../model/schema.ts'

export const FIELD_ID = 'mini_milvus.field_id'
export const FIELD_TYPE = 'mini_milvus.type'
export const ELEMENT_TYPE = 'mini_milvus.element_type'
export const DIMENSIONS = 'mini_milvus.dim'

export interface ArrowColumn {
  readonly field: Field
  readonly data: Data
}

/** An Arrow field that says which field of the collection it holds, and the vector of its rows. */
export function toArrowColumn(field: FieldSchema, column: Column, rows: number): ArrowColumn {
  const data = toData(column, rows)
  const metadata = new Map([
    [FIELD_ID, String(field.id)],
    [FIELD_TYPE, dataTypeName(column.type)],
  ])
  if ('elementType' in column) metadata.set(ELEMENT_TYPE, dataTypeName(column.elementType))
  if (column.kind === 'vectors') metadata.set(DIMENSIONS, String(column.elements.dim))
  if (column.kind === 'vector') metadata.set(DIMENSIONS, String(column.dim))
  return { field: new Field(field.name, data.type, column.valid !== undefined, metadata), data }
}

function toData(column: Column, rows: number): Data {
  switch (column.kind) {
    case 'json':
      return makeData({ type: new Utf8(), ...common(column, rows), ...variable(column, rows) })
    case 'sparse':
      return makeData({ type: new Binary(), ...common(column, rows), ...variable(column, rows) })
    case 'array': {
      const count = column.offsets[rows] ?? 0
      const elements = toFlatData(column.elements, count)
      const type = new List(new Field('item', elements.type, column.elements.valid !== undefined))
      return makeData({ type, ...common(column, rows), valueOffsets: offsetsOf(column.offsets, rows), child: elements })
    }
    case 'vectors': {
      const elements = toVectorData(column.elements, column.offsets[rows] ?? 0)
      const type = new List(new Field('item', elements.type, false))
      return makeData({ type, ...common(column, rows), valueOffsets: offsetsOf(column.offsets, rows), child: elements })
    }
    case 'vector':
      return toVectorData(column, rows)
    default:
      return toFlatData(column, rows)
  }
}

function toVectorData(column: VectorColumn, rows: number): Data {
  if (column.type !== DataType.FloatVector) {
    const data = column.data.subarray(0, rows * column.bytesPerRow)
    return makeData({ type: new FixedSizeBinary(column.bytesPerRow), ...common(column, rows), data })
  }
  const length = rows * column.dim
  const child = makeData({ type: new Float32(), length, nullCount: 0, data: floats(column.data, length) })
  return makeData({ type: new FixedSizeList(column.dim, new Field('item', new Float32(), false)), ...common(column, rows), child })
}

function toFlatData(column: BoolColumn | NumberColumn | Int64Column | StringColumn, rows: number): Data {
  switch (column.kind) {
    case 'bool':
      return makeData({ type: new Bool(), ...common(column, rows), data: toBitmap(column.values, rows) })
    case 'int64': {
      const data = column.values.subarray(0, rows)
      if (column.type === DataType.Timestamptz) return makeData({ type: new TimestampMicrosecond('UTC'), ...common(column, rows), data })
      return makeData({ type: new Int64(), ...common(column, rows), data })
    }
    case 'string':
      return makeData({ type: new Utf8(), ...common(column, rows), ...variable(column, rows) })
    case 'number':
      return toNumberData(column, rows)
  }
}

function toNumberData(column: NumberColumn, rows: number): Data {
  const { values } = column
  if (values instanceof Int8Array) return makeData({ type: new Int8(), ...common(column, rows), data: values.subarray(0, rows) })
  if (values instanceof Int16Array) return makeData({ type: new Int16(), ...common(column, rows), data: values.subarray(0, rows) })
  if (values instanceof Int32Array) return makeData({ type: new Int32(), ...common(column, rows), data: values.subarray(0, rows) })
  if (values instanceof Float32Array) return makeData({ type: new Float32(), ...common(column, rows), data: values.subarray(0, rows) })
  return makeData({ type: new Float64(), ...common(column, rows), data: values.subarray(0, rows) })
}

function common(column: Column, rows: number): { length: number; nullCount: number; nullBitmap: Uint8Array | null } {
  if (column.valid === undefined) return { length: rows, nullCount: 0, nullBitmap: null }
  let nullCount = 0
  for (let i = 0; i < rows; i++) if (column.valid[i] === 0) nullCount++
  return { length: rows, nullCount, nullBitmap: toBitmap(column.valid, rows) }
}

function variable(
  column: { readonly offsets: Uint32Array; readonly data: Uint8Array },
  rows: number,
): { valueOffsets: Int32Array; data: Uint8Array } {
  return { valueOffsets: offsetsOf(column.offsets, rows), data: column.data.subarray(0, column.offsets[rows] ?? 0) }
}

/** Arrow's offsets are signed: 2 GiB of text, or 2^31 elements, are the most that one segment holds in a column. */
function offsetsOf(offsets: Uint32Array, rows: number): Int32Array {
  if ((offsets[rows] ?? 0) > 0x7fffffff)
    throw new RangeError(`expected a column of at most 2147483647 bytes or elements, got ${offsets[rows]}`)
  return rows === 0 ? new Int32Array(1) : new Int32Array(offsets.buffer, offsets.byteOffset, rows + 1)
}

/** One bit a row, least significant first, from one byte a row. */
export function toBitmap(bytes: Uint8Array, rows: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(rows / 64) * 8)
  for (let i = 0; i < rows; i++) if (bytes[i] !== 0) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7))
  return bitmap
}

function floats(bytes: Uint8Array, length: number): Float32Array {
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, length)
  return new Float32Array(new Uint8Array(bytes.subarray(0, length * 4)).buffer)
}
