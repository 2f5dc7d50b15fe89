/** Arrays of structs between rows of JSON (a list of objects) and the wire (a column of lists for each sub-field). */
import { DataType } from '../model/schema.ts'
import type { FieldData, FieldSchema, Init, StructArrayFieldSchema, VectorField } from '../wire/index.ts'
import { isObject, type JsonObject } from './body.ts'
import { badRow } from './errors.ts'
import { dimOf, vectorBytesOf, vectorColumn, VectorError } from './vectors-in.ts'

/** A column of lists of values, as `rows-in` makes it of a field. */
export type ListColumnOf = (field: FieldSchema, lists: readonly unknown[]) => Init<FieldData>

/** No column where no row has a value and it may be left out. Throws RestError 1804. */
export function structColumn(struct: StructArrayFieldSchema, rows: readonly JsonObject[], isPartial: boolean, listColumn: ListColumnOf): Init<FieldData>[] {
  const { name, nullable } = struct
  const values = rows.map((row) => (Object.hasOwn(row, name) ? (row[name] ?? undefined) : undefined))
  if ((nullable || isPartial) && values.every((value) => value === undefined)) return []
  const lacking = values.indexOf(undefined)
  if (lacking >= 0 && !nullable) throw badRow(lacking, `missing field ${name}`)
  const lists = values.flatMap((value, row) => (value === undefined ? [] : [itemsOf(struct, value, row)]))
  const fields = struct.fields.map((field) => {
    const cells = lists.map((items) => items.map((item) => item[field.name]))
    return field.data_type === DataType.ArrayOfVector ? vectorLists(field, cells) : listColumn(field, cells)
  })
  const valid_data = nullable ? values.map((value) => value !== undefined) : []
  return [{ type: DataType.ArrayOfStruct, field_name: name, struct_arrays: { fields }, valid_data }]
}

function itemsOf({ name, fields }: StructArrayFieldSchema, value: unknown, row: number): readonly JsonObject[] {
  if (!Array.isArray(value)) throw badRow(row, `field ${name}: expected an array of objects`)
  return (value as readonly unknown[]).map((item, index) => {
    if (!isObject(item)) throw badRow(row, `field ${name}[${index}]: expected an object`)
    const missing = fields.find((field) => item[field.name] === undefined || item[field.name] === null)
    if (missing !== undefined) throw badRow(row, `field ${name}[${index}]: missing ${missing.name}`)
    const extra = Object.keys(item).find((key) => !fields.some((field) => field.name === key))
    if (extra !== undefined) throw badRow(row, `field ${name}[${index}]: no sub-field ${JSON.stringify(extra.slice(0, 64))}`)
    return item
  })
}

/** A sub-field's element as a vector field of its own. */
export function vectorOfList(field: FieldSchema): FieldSchema {
  return { ...field, data_type: field.element_type, element_type: 0 }
}

function vectorLists(field: FieldSchema, lists: readonly (readonly unknown[])[]): Init<FieldData> {
  const single = vectorOfList(field)
  const dim = BigInt(dimOf(field))
  const data = lists.map((items, row): Init<VectorField> => {
    try {
      return vectorColumn(single, items.map((item) => vectorBytesOf(single, item))) ?? {}
    } catch (error) {
      if (error instanceof VectorError) throw badRow(row, `field ${field.name}: expected ${error.message}`)
      throw error
    }
  })
  return { type: field.data_type, field_name: field.name, vectors: { dim, vector_array: { dim, element_type: field.element_type, data } } }
}

/** Lists of objects, by row. @param cellsOf the lists of one sub-field, by row */
export function structCells(fields: readonly FieldData[], length: number, cellsOf: (field: FieldData) => readonly unknown[]): readonly (readonly object[])[] {
  const columns = fields.map((field) => ({ name: field.field_name, lists: cellsOf(field) }))
  return Array.from({ length }, (_, row) => {
    const items = (columns[0]?.lists[row] ?? []) as readonly unknown[]
    return items.map((_item, index) => Object.fromEntries(columns.map(({ name, lists }) => [name, (lists[row] as readonly unknown[])[index]])))
  })
}
