/** Rows chosen from several segments, and their values as columns in the order of choice. */
import { concatColumns, gatherColumn } from '../codec/gather.ts'
import { emptyColumn, fillColumn } from '../codec/fill.ts'
import type { Column } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField, type CollectionSchema, type FieldSchema } from '../model/schema.ts'
import type { SegmentView } from './segment-view.ts'

type Picked = Pick<SegmentView, 'column' | 'keys'>

export interface PickedRows {
  readonly views: readonly Picked[]
  /** Per picked row: which view, and the row in it. */
  readonly viewIndexes: Uint32Array
  readonly rows: Uint32Array
}

export function pickedColumns(picked: PickedRows, schema: CollectionSchema, fieldIds: readonly number[]): Map<number, Column> {
  const columns = new Map<number, Column>()
  for (const fieldId of fieldIds) {
    const field = schema.fields.find((candidate) => candidate.id === fieldId)
    if (field !== undefined) columns.set(fieldId, pickedColumn(picked, field))
  }
  return columns
}

export function pickedKeys(picked: PickedRows, schema: CollectionSchema): PrimaryKeys {
  return pickedColumn(picked, primaryField(schema)) as PrimaryKeys
}

function pickedColumn({ views, viewIndexes, rows }: PickedRows, field: FieldSchema): Column {
  const used = [...new Set(viewIndexes)]
  if (used.length === 0) return emptyColumn(field)
  const [only] = used
  if (used.length === 1 && only !== undefined) return columnRows(views[only] as Picked, field, rows)
  const perView = new Map(used.map((index) => [index, [] as number[]]))
  viewIndexes.forEach((view, index) => perView.get(view)?.push(index))
  const order = new Uint32Array(rows.length)
  let next = 0
  const parts: Column[] = []
  for (const [view, indexes] of perView) {
    parts.push(columnRows(views[view] as Picked, field, Uint32Array.from(indexes, (index) => rows[index] as number)))
    for (const index of indexes) order[index] = next++
  }
  return gatherColumn(concatColumns(parts), order)
}

function columnRows(view: Picked, field: FieldSchema, rows: Uint32Array): Column {
  const column = view.column(field.id)
  return column === undefined ? fillColumn(field, rows.length) : gatherColumn(column, rows)
}
