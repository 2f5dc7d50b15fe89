/** Columns of a result as the wire's FieldData, in bytes. */
import { encodeFieldBytes } from '../codec/index.ts'
import { encodeStructBytes } from '../codec/struct-fields.ts'
import { textAt, type Column, type JsonColumn } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import { primaryKeyAt } from '../model/primary-keys.ts'
import type { IDs, Init } from '../wire/index.ts'
import type { FieldSchema } from '../model/schema.ts'
import type { OutputFields } from './output-fields.ts'

const encoder = new TextEncoder()

export function fieldBytes(output: OutputFields, columns: ReadonlyMap<number, Column>, length: number): Uint8Array[] {
  const rows = Uint32Array.from({ length }, (_, row) => row)
  const columnOf = (field: FieldSchema): Column => {
    const column = columns.get(field.id)
    if (column === undefined) throw new Error(`field ${field.name} is missing in a result`)
    return column
  }
  const { structs } = output
  const plain = structs.length === 0 ? output.fields : output.fields.filter(({ struct }) => struct === undefined)
  const bytes = plain.map((field) => {
    const column = columnOf(field)
    const shown = field.isDynamic && output.dynamicKeys !== undefined && column.kind === 'json' ? onlyKeys(column, output.dynamicKeys) : column
    return encodeFieldBytes(field, shown, rows)
  })
  for (const struct of structs) {
    const fields = output.fields.filter((field) => field.struct === struct.name)
    bytes.push(encodeStructBytes(struct, fields, fields.map(columnOf), rows))
  }
  return bytes
}

export function primaryKeyIds(keys: PrimaryKeys): Init<IDs> {
  if (keys.kind === 'int64') return { int_id: { data: Array.from(keys.values.subarray(0, keys.length)) } }
  return { str_id: { data: Array.from({ length: keys.length }, (_, row) => primaryKeyAt(keys, row) as string) } }
}

/** The dynamic field with nothing but these keys: what a client asked for, not what else its rows have. */
function onlyKeys(column: JsonColumn, keys: ReadonlySet<string>): JsonColumn {
  const texts = Array.from({ length: column.length }, (_, row) => encoder.encode(keptKeys(textAt(column, row), keys)))
  const offsets = new Uint32Array(column.length + 1)
  texts.forEach((text, row) => {
    offsets[row + 1] = (offsets[row] as number) + text.length
  })
  const data = new Uint8Array(offsets[column.length] as number)
  texts.forEach((text, row) => data.set(text, offsets[row]))
  return { ...column, offsets, data }
}

function keptKeys(json: string, keys: ReadonlySet<string>): string {
  if (json === '') return ''
  const all: unknown = JSON.parse(json)
  if (typeof all !== 'object' || all === null) return '{}'
  return JSON.stringify(Object.fromEntries(Object.entries(all).filter(([key]) => keys.has(key))))
}
