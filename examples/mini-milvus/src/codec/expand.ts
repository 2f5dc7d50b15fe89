/** Compact columns, as nullable fields come, to full length: nulls, or the default where the field has one. */
import type { Column } from '../model/column.ts'
import type { FieldSchema } from '../model/schema.ts'
import { fillColumn } from './fill.ts'
import { concatColumns, gatherColumn } from './gather.ts'

/** @param valid one byte a row; as many ones as the column has rows */
export function expandColumn(field: FieldSchema, compact: Column, valid: Uint8Array): Column {
  const { length } = valid
  if (compact.length === length) return { ...compact, valid: field.nullable && field.defaultValue === undefined ? valid : undefined }
  // One more row behind the values is what every null row becomes; then each row is picked.
  const filler = { ...fillColumn({ ...field, nullable: true }, 1), valid: undefined }
  const rows = new Uint32Array(length)
  for (let row = 0, next = 0; row < length; row++) rows[row] = valid[row] === 1 ? next++ : compact.length
  const full = gatherColumn(concatColumns<Column>([compact, filler]), rows)
  return { ...full, valid: field.defaultValue === undefined ? valid.slice() : undefined }
}
