/** Rows of a column without a copy. */
import type { Column, RowBatch } from '../model/column.ts'

/** Rows `begin .. end`, over the same memory. */
export function sliceColumn<C extends Column>(column: C, begin: number, end: number): C
export function sliceColumn(column: Column, begin: number, end: number): Column {
  const base = { length: end - begin, valid: column.valid?.subarray(begin, end) }
  switch (column.kind) {
    case 'bool':
      return { ...column, ...base, values: column.values.subarray(begin, end) }
    case 'number':
      return { ...column, ...base, values: column.values.subarray(begin, end) }
    case 'int64':
      return { ...column, ...base, values: column.values.subarray(begin, end) }
    case 'string':
    case 'json':
    case 'sparse':
    case 'array':
    case 'vectors':
      return { ...column, ...base, offsets: column.offsets.subarray(begin, end + 1) }
    case 'vector':
      return { ...column, ...base, data: column.data.subarray(begin * column.bytesPerRow, end * column.bytesPerRow) }
  }
}

export function sliceRows(rows: RowBatch, begin: number, end: number): RowBatch {
  if (begin === 0 && end === rows.length) return rows
  const columns = new Map<number, Column>()
  for (const [fieldId, column] of rows.columns) columns.set(fieldId, sliceColumn(column, begin, end))
  return { length: end - begin, columns }
}
