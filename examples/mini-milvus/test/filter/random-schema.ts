/** Tables as they come: fields in any order, nullable or not, and some younger than the rows, which then hold a default or null. */
import { DataType, type CollectionSchema, type FieldSchema, type ScalarValue } from '../../src/model/schema.ts'
import type { ColumnSource } from '../../src/model/column.ts'
import { type Dice, randomRow } from './random.ts'
import { type Cell, type Row, schema, sourceOf } from './table.ts'

export interface RandomTable {
  readonly schema: CollectionSchema
  readonly rows: readonly Row[]
  readonly source: ColumnSource
}

/** The value below a null, which a field that is not nullable holds. */
const zeros: Readonly<Record<number, Cell>> = {
  [DataType.Bool]: false, [DataType.Int64]: 0n, [DataType.Timestamptz]: 0n, [DataType.VarChar]: '', [DataType.Geometry]: '', [DataType.Array]: [], [DataType.JSON]: {},
}

export function randomTable(d: Dice, count: number): RandomTable {
  const young = new Map<string, Cell>()
  const fields = shuffled(d, schema.fields).map((field, place): FieldSchema => {
    const base = { ...field, id: 100 + place }
    if (field.isPrimary || field.isDynamic || field.type >= 100) return base
    const example = randomRow(d, 0)[field.name] ?? null
    if (d.chance(0.15) && field.type !== DataType.JSON && field.type !== DataType.Array) {
      const defaultValue = d.chance(0.6) && example !== null ? (example as ScalarValue) : undefined
      young.set(field.name, defaultValue ?? null)
      return { ...base, nullable: true, defaultValue }
    }
    return { ...base, nullable: d.chance(0.7) }
  })
  const of = { ...schema, fields }
  const rows = Array.from({ length: count }, (_, id): Row => {
    const row = randomRow(d, id)
    return Object.fromEntries(fields.map((field) => [field.name, cellOf(field, row[field.name] ?? null, young)]))
  })
  return { schema: of, rows, source: sourceOf(rows, of, [...young.keys()]) }
}

function cellOf(field: FieldSchema, cell: Cell, young: ReadonlyMap<string, Cell>): Cell {
  const known = young.get(field.name)
  if (known !== undefined) return known
  return cell === null && !field.nullable ? (zeros[field.type] ?? 0) : cell
}

function shuffled<T>(d: Dice, items: readonly T[]): T[] {
  const left = [...items]
  return items.map(() => left.splice(d.below(left.length), 1)[0] as T)
}
