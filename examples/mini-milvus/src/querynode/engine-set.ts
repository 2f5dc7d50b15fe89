/** The vectors of a column as the engine takes them: one a row, those of all lists one after the other, or the lists whole. */
import type { AddSetOptions } from '../engine/engine.ts'
import type { Column } from '../model/column.ts'
import type { VectorField } from './vector-field.ts'

/**
 * Undefined where there are none.
 * @param growing rows may come behind these: the set has all the room that the column has
 */
export function engineSet(column: Column | undefined, field: VectorField, growing: boolean): Omit<AddSetOptions, 'id'> | undefined {
  if (column === undefined || column.length === 0) return undefined
  const { dim, type, engineMetric: metric } = field
  switch (column.kind) {
    case 'vector': {
      const vectors = growing ? wholeBytes(column.data) : column.data
      return { vectors, rows: growing ? Math.floor(vectors.length / column.bytesPerRow) : column.length, dim, type, metric, settled: !growing }
    }
    case 'sparse': {
      const offsets = growing ? wholeOffsets(column.offsets) : column.offsets
      return { vectors: growing ? wholeBytes(column.data) : column.data, offsets, rows: growing ? offsets.length - 1 : column.length, dim, type, metric, settled: !growing }
    }
    case 'vectors': {
      const { data, bytesPerRow } = column.elements
      const vectors = growing ? wholeBytes(data) : data
      if (field.unit === 'element') return { vectors, rows: growing ? Math.floor(vectors.length / bytesPerRow) : (column.offsets[column.length] as number), dim, type, metric }
      const lists = growing ? wholeOffsets(column.offsets) : column.offsets.subarray(0, column.length + 1)
      return { vectors, lists, rows: lists.length - 1, dim, type, metric }
    }
    default:
      return undefined
  }
}

function wholeBytes({ buffer, byteOffset }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset)
}

function wholeOffsets({ buffer, byteOffset }: Uint32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset)
}
