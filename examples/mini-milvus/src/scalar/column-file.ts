import { DataType } from '../model/schema.ts'
import { writeBoxFile } from './box-file.ts'
import type { IndexedColumn } from './column.ts'
import { type SortedFile, writeSortedFile } from './sorted-file.ts'

/** The index of a column that needs to know nothing else: of geometries by their boxes, of all others by the order of values. */
export function writeColumnFile(column: IndexedColumn): SortedFile {
  return column.kind === 'string' && column.type === DataType.Geometry ? writeBoxFile(column) : writeSortedFile(column)
}
