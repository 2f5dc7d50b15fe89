import type { ArrayColumn, BoolColumn, Column, Int64Column, NumberColumn, StringColumn } from '../model/column.ts'

/** Values that have an order. */
export type OrderedColumn = BoolColumn | NumberColumn | Int64Column | StringColumn
/** What can be indexed: a value a row, or a list of them. */
export type IndexedColumn = OrderedColumn | ArrayColumn

export function isIndexedColumn(column: Column | undefined): column is IndexedColumn {
  return column !== undefined && column.kind !== 'json' && column.kind !== 'vector' && column.kind !== 'sparse'
}
