/** Single values of result columns, to sort and to group by. */
import { compareValues, type Value } from '../filter/order.ts'
import { isNull, textAt, type Column } from '../model/column.ts'
import { dataTypeName, type CollectionSchema, type FieldSchema } from '../model/schema.ts'
import { MilvusError } from '../server/status.ts'

/** One value; undefined for null. */
export function valueAt(column: Column, row: number): Value | undefined {
  if (isNull(column, row)) return undefined
  switch (column.kind) {
    case 'bool':
      return column.values[row] === 1
    case 'number':
    case 'int64':
      return column.values[row]
    case 'string':
      return textAt(column, row)
    default:
      throw new MilvusError(1100, `values of type ${dataTypeName(column.type)} have no order`)
  }
}

export interface OrderField {
  readonly field: FieldSchema
  readonly descending: boolean
}

const KINDS = /^(?:Bool|Int8|Int16|Int32|Int64|Float|Double|VarChar|String|Timestamptz)$/

/** A field whose values `valueAt` gives. Throws 1100 for others. */
export function comparableField(schema: CollectionSchema, name: string, purpose: string): FieldSchema {
  const field = schema.fields.find((candidate) => candidate.name === name)
  if (field === undefined) throw new MilvusError(1100, `${purpose} field ${name} not exist`)
  if (!KINDS.test(dataTypeName(field.type))) throw new MilvusError(1100, `${purpose} field ${name} of type ${dataTypeName(field.type)} is not supported`)
  return field
}

/** @param text `price:desc,id` */
export function orderFields(schema: CollectionSchema, text: string): OrderField[] {
  return text.split(',').map((part) => {
    const [name = '', order = 'asc', ...rest] = part.split(':').map((piece) => piece.trim())
    if (rest.length > 0 || !/^(?:asc|desc)$/i.test(order)) throw new MilvusError(1100, `order_by_fields: expected field:asc or field:desc, got ${part.slice(0, 80)}`)
    return { field: comparableField(schema, name, 'order by'), descending: order.toLowerCase() === 'desc' }
  })
}

/** Compares two rows; nulls are greater than all values. */
export function rowOrder(fields: readonly OrderField[], columns: ReadonlyMap<number, Column>): (a: number, b: number) => number {
  const keys = fields.map(({ field, descending }) => {
    const column = columns.get(field.id)
    if (column === undefined) throw new Error(`field ${field.name} is missing in a result`)
    return { column, sign: descending ? -1 : 1 }
  })
  return (a, b) => {
    for (const { column, sign } of keys) {
      const order = compareNullable(valueAt(column, a), valueAt(column, b))
      if (order !== 0) return sign * order
    }
    return a - b
  }
}

function compareNullable(a: Value | undefined, b: Value | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return compareValues(a, b) ?? 0
}
