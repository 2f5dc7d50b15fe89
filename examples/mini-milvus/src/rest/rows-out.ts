/** The wire's columns to rows of JSON. */
import { DataType } from '../model/schema.ts'
import type { FieldData, ScalarField } from '../wire/index.ts'
import { isObject } from './body.ts'
import { int64, type Session } from './route.ts'
import { parseJsonBody } from './json.ts'
import { structCells } from './struct-rows.ts'
import { vectorsToJson } from './vectors-out.ts'

const decoder = new TextDecoder()
const COUNT = 'count(*)'

export type Row = Map<string, unknown>

/** Rows as maps: a dynamic key may have any name. */
export function fieldsToRows(fields: readonly FieldData[], length: number, session: Session): Row[] {
  const rows = Array.from({ length }, (): Row => new Map())
  for (const field of fields) {
    const cells = cellsOf(field, length, session)
    rows.forEach((row, i) => {
      const value = cells[i]
      if (field.is_dynamic || field.field_name === '$meta') spread(row, value)
      else row.set(field.field_name, value ?? null)
    })
  }
  return rows
}

export function rowToObject(row: Row): object {
  return Object.fromEntries(row)
}

/** How many rows a response has: all columns agree, so the first that can tell. */
export function rowCount(fields: readonly FieldData[]): number {
  for (const field of fields) {
    if (field.valid_data.length > 0) return field.valid_data.length
    const { scalars, struct_arrays: structs } = field
    if (structs !== undefined) return rowCount(structs.fields)
    if (scalars !== undefined) return scalarList(scalars).length
    const vectors = vectorsToJson(field.vectors)
    if (vectors.length > 0) return vectors.length
  }
  return 0
}

function spread(row: Row, text: unknown): void {
  if (typeof text !== 'string' || text === '') return
  const parsed: unknown = parseJsonBody(new TextEncoder().encode(text), { maxDepth: 1_000, maxKeys: Number.POSITIVE_INFINITY })
  if (isObject(parsed)) for (const [key, value] of Object.entries(parsed)) if (!row.has(key)) row.set(key, value)
}

/** One value per row, nulls as undefined: payloads may be full length or hold valid rows only. */
function cellsOf(field: FieldData, length: number, session: Session): readonly unknown[] {
  const { struct_arrays: structs } = field
  const payload = structs === undefined ? plainCells(field, session) : structCells(structs.fields, length, (inner) => cellsOf(inner, length, session))
  const { valid_data: valid } = field
  if (valid.length === 0) return payload
  const compact = payload.length < length
  let next = 0
  return valid.map((isValid, row) => (isValid ? payload[compact ? next++ : row] : undefined))
}

function plainCells(field: FieldData, session: Session): readonly unknown[] {
  return field.scalars === undefined ? vectorsToJson(field.vectors) : scalarList(field.scalars).map((value) => toJson(value, field, session))
}

function scalarList(scalars: ScalarField): readonly unknown[] {
  for (const member of Object.values(scalars) as readonly ({ readonly data: readonly unknown[] } | undefined)[])
    if (member !== undefined) return member.data
  return []
}

function toJson(value: unknown, field: FieldData, session: Session): unknown {
  if (typeof value === 'bigint') return field.field_name === COUNT ? value : int64(value, session)
  if (value instanceof Uint8Array) return decoder.decode(value)
  if (field.type === DataType.Array && isObject(value))
    return scalarList(value as ScalarField).map((item) => (typeof item === 'bigint' ? int64(item, session) : item))
  return value
}
