/** Arrays of structs in rows of JSON: a list of objects there, a list for each sub-field here. */
import type { Column } from '../model/column.ts'
import { isNull } from '../model/column.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { nameInStruct, structsOf, subFields } from '../model/structs.ts'
import { CodecError } from './errors.ts'

/** The row with its lists of objects as lists by sub-field; itself where the collection has no structs. */
export function unfoldStructs(row: ReadonlyMap<string, unknown>, schema: CollectionSchema, at: number): ReadonlyMap<string, unknown> {
  if (schema.structs === undefined) return row
  const unfolded = new Map(row)
  for (const { name } of structsOf(schema)) {
    const value = row.get(name)
    unfolded.delete(name)
    if (value === undefined || value === null) continue
    if (!Array.isArray(value)) throw new CodecError(`field ${name}: expected an array of objects, row number: ${at}`)
    const items = value.map((item: unknown, index) => membersOf(name, item, at, index))
    const fields = subFields(schema, name)
    for (const field of fields) unfolded.set(field.name, items.map((item, index) => memberOf(field, item, at, index)))
    checkMembers(name, items, new Set(fields.map(nameInStruct)), at)
  }
  return unfolded
}

type Members = ReadonlyMap<string, unknown>

function membersOf(struct: string, item: unknown, row: number, index: number): Members {
  if (item instanceof Map) return item as Members
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw new CodecError(`field ${struct}: expected an object, row number: ${row}, array index: ${index}`)
  return new Map(Object.entries(item))
}

function memberOf(field: FieldSchema, item: Members, row: number, index: number): unknown {
  const value = item.get(nameInStruct(field))
  if (value === undefined || value === null) throw new CodecError(`field ${field.name} is required, row number: ${row}, array index: ${index}`)
  return value
}

function checkMembers(struct: string, items: readonly Members[], known: ReadonlySet<string>, row: number): void {
  items.forEach((item, index) => {
    for (const key of item.keys()) if (!known.has(key)) throw new CodecError(`field ${struct} has no sub-field ${JSON.stringify(key.slice(0, 64))}, row number: ${row}, array index: ${index}`)
  })
}

/**
 * One row of an array of structs as a list of objects without a prototype, or null.
 * @param fields of one struct, at least one
 * @param listAt the values of one sub-field in that row
 */
export function foldStruct(fields: readonly FieldSchema[], columns: ReadonlyMap<number, Column>, row: number, listAt: (column: Column, row: number) => unknown): readonly object[] | null {
  const lists = fields.flatMap((field) => {
    const column = columns.get(field.id)
    return column === undefined || isNull(column, row) ? [] : [{ key: nameInStruct(field), items: listAt(column, row) as readonly unknown[] }]
  })
  const [first] = lists
  if (first === undefined) return null
  return first.items.map((_, index) => {
    const item = Object.create(null) as Record<string, unknown>
    for (const { key, items } of lists) item[key] = items[index]
    return item
  })
}
