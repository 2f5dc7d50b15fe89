/** Rows with a sorted index on each field that can have one. */
import type { Column, ColumnSource } from '../../src/model/column.ts'
import { isSortedIndex } from '../../src/model/scalar-index.ts'
import type { CollectionSchema } from '../../src/model/schema.ts'
import { isIndexedColumn, readSortedFile, SortedIndex, writeSortedFile } from '../../src/scalar/index.ts'

export interface Indexes {
  get(fieldId: number): SortedIndex | undefined
}

export function indexOf(column: Column | undefined): SortedIndex {
  if (!isIndexedColumn(column)) throw new Error('a column that is not indexed')
  return new SortedIndex(readSortedFile(writeSortedFile(column).bytes, column, 'a file'), column)
}

export function indexAll(schema: CollectionSchema, source: ColumnSource): Indexes {
  const indexes = new Map<number, SortedIndex>()
  for (const field of schema.fields) {
    const column = source.column(field.id)
    if (isSortedIndex(field, { indexType: 'INVERTED' }) && column !== undefined) indexes.set(field.id, indexOf(column))
  }
  return indexes
}
