/**
 * Columns: how rows travel through the node, from the wire to the log, the growing segment and the file.
 *
 * Every column holds `length` rows. `valid`, where it is present, has one byte per row: 1 for a value, 0 for null; the
 * value below a null is a zero or empty. Payloads are full length (not compact as on the wire). Arrays may be longer than
 * `length` needs (growing columns have spare capacity): never trust their own lengths. Columns are read-only to their readers.
 */
import type { DataType } from './schema.ts'

interface ColumnBase {
  readonly length: number
  readonly valid: Uint8Array | undefined
}

export interface BoolColumn extends ColumnBase {
  readonly kind: 'bool'
  readonly type: DataType
  readonly values: Uint8Array
}

/** Int8, Int16, Int32, Float, Double. */
export interface NumberColumn extends ColumnBase {
  readonly kind: 'number'
  readonly type: DataType
  readonly values: Int8Array | Int16Array | Int32Array | Float32Array | Float64Array
}

/** Int64, and Timestamptz as microseconds since 1970 UTC. */
export interface Int64Column extends ColumnBase {
  readonly kind: 'int64'
  readonly type: DataType
  readonly values: BigInt64Array
}

/** VarChar, String, Text, Geometry (WKT): UTF-8. Row i is `data[offsets[i] .. offsets[i + 1])`. */
export interface StringColumn extends ColumnBase {
  readonly kind: 'string'
  readonly type: DataType
  readonly offsets: Uint32Array
  readonly data: Uint8Array
}

/** JSON text as UTF-8. A valid row of zero bytes is what the Node SDK sends for null, and is kept. */
export interface JsonColumn extends ColumnBase {
  readonly kind: 'json'
  readonly type: DataType
  readonly offsets: Uint32Array
  readonly data: Uint8Array
}

/** Row i is elements `offsets[i] .. offsets[i + 1])` of `elements`. */
export interface ArrayColumn extends ColumnBase {
  readonly kind: 'array'
  readonly type: DataType
  readonly elementType: DataType
  readonly offsets: Uint32Array
  readonly elements: BoolColumn | NumberColumn | Int64Column | StringColumn
}

/** Dense vectors, packed little-endian: row i is `data[i * bytesPerRow .. (i + 1) * bytesPerRow)`. */
export interface VectorColumn extends ColumnBase {
  readonly kind: 'vector'
  readonly type: DataType
  readonly dim: number
  readonly bytesPerRow: number
  readonly data: Uint8Array
}

/**
 * Sparse vectors: row i is `data[offsets[i] .. offsets[i + 1])`, little-endian pairs of a dimension (uint32) and its value (float32),
 * ascending by dimension, each once; `data` begins at a multiple of four.
 */
export interface SparseColumn extends ColumnBase {
  readonly kind: 'sparse'
  readonly type: DataType
  readonly offsets: Uint32Array
  readonly data: Uint8Array
}

/** Lists of vectors (ArrayOfVector): row i is elements `offsets[i] .. offsets[i + 1])` of `elements`. */
export interface VectorListColumn extends ColumnBase {
  readonly kind: 'vectors'
  readonly type: DataType
  readonly elementType: DataType
  readonly offsets: Uint32Array
  readonly elements: VectorColumn
}

/** A list a row, of values or of vectors. */
export type ListColumn = ArrayColumn | VectorListColumn

export type ScalarColumn = BoolColumn | NumberColumn | Int64Column | StringColumn | JsonColumn | ArrayColumn
export type Column = ScalarColumn | VectorColumn | SparseColumn | VectorListColumn

/** Rows by field id. `ids` and `timestamps` are no columns of it: batches and segments carry them beside. */
export interface ColumnSource {
  readonly length: number
  column(fieldId: number): Column | undefined
}

/** A batch of rows of one collection, all columns of equal length. */
export interface RowBatch {
  readonly length: number
  readonly columns: ReadonlyMap<number, Column>
}

const decoder = new TextDecoder()

export function isNull(column: Column, row: number): boolean {
  return column.valid !== undefined && column.valid[row] === 0
}

/** UTF-8 text of one row of a string or JSON column (nulls give ''). */
export function textAt(column: StringColumn | JsonColumn, row: number): string {
  return decoder.decode(column.data.subarray(column.offsets[row], column.offsets[row + 1]))
}
