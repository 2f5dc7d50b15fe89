/** Sparse vectors from the wire: pairs of a dimension (uint32) and its value (float32), checked as Milvus checks them, and sorted. */
import type { SparseColumn } from '../model/column.ts'
import { DataType } from '../model/schema.ts'
import { CodecError } from './errors.ts'

/** Bytes of one pair. */
export const SPARSE_PAIR = 8
const MAX_DIMENSION = 0xffff_ffff

/** @throws {CodecError} for pairs that are cut, repeat a dimension, or have a value that is negative or no number. */
export function sparseColumn(rows: readonly Uint8Array[], name: string): SparseColumn {
  const offsets = new Uint32Array(rows.length + 1)
  rows.forEach((row, i) => {
    if (row.length % SPARSE_PAIR !== 0) throw wrong(name, i, `invalid data length in sparse float vector: ${row.length}`)
    offsets[i + 1] = (offsets[i] as number) + row.length
  })
  const data = new Uint8Array(offsets[rows.length] as number)
  rows.forEach((row, i) => data.set(row, offsets[i]))
  const dims = new Uint32Array(data.buffer)
  const values = new Float32Array(data.buffer)
  rows.forEach((_row, i) => checkRow(dims, values, (offsets[i] as number) >>> 2, (offsets[i + 1] as number) >>> 2, name, i))
  return { kind: 'sparse', type: DataType.SparseFloatVector, valid: undefined, length: rows.length, offsets, data }
}

/** One row: its words [begin, end), dimension and value by turns. */
function checkRow(dims: Uint32Array, values: Float32Array, begin: number, end: number, name: string, row: number): void {
  let sorted = true
  for (let at = begin; at < end; at += 2) {
    const value = values[at + 1] as number
    if (dims[at] === MAX_DIMENSION) throw wrong(name, row, 'invalid index in sparse float vector: must be less than 2^32-1')
    if (!Number.isFinite(value)) throw wrong(name, row, `value '${value}' is not a number or infinity`)
    if (value < 0) throw wrong(name, row, 'negative value in sparse float vector')
    if (at > begin && (dims[at] as number) <= (dims[at - 2] as number)) sorted = false
  }
  if (sorted) return
  const pairs = Array.from({ length: (end - begin) / 2 }, (_, i): [number, number] => [dims[begin + 2 * i] as number, values[begin + 2 * i + 1] as number])
  pairs.sort((a, b) => a[0] - b[0])
  pairs.forEach(([dim, value], i) => {
    if (i > 0 && pairs[i - 1]?.[0] === dim) throw wrong(name, row, `same indices in sparse float vector: ${dim}`)
    dims[begin + 2 * i] = dim
    values[begin + 2 * i + 1] = value
  })
}

function wrong(name: string, row: number, reason: string): CodecError {
  return new CodecError(`field ${name}: ${reason}, row number: ${row}`)
}

/** The number of dimensions that rows need: one more than their greatest. */
export function sparseDim({ offsets, data }: Pick<SparseColumn, 'offsets' | 'data'>, rows: Uint32Array | readonly number[]): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let dim = 0
  for (const row of rows) {
    const end = offsets[row + 1] as number
    if (end > (offsets[row] as number)) dim = Math.max(dim, view.getUint32(end - SPARSE_PAIR, true) + 1)
  }
  return dim
}
