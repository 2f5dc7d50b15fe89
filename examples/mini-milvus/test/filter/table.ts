import type { Column, ColumnSource } from '../../src/model/column.ts'
import { DataType } from '../../src/model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../../src/model/schema.ts'
import { numberArray } from '../../src/codec/fill.ts'
import { compileFilter } from '../../src/filter/index.ts'
import type { TemplateValue } from '../../src/filter/index.ts'

export type Cell = boolean | number | bigint | string | null | readonly (boolean | number | bigint | string)[] | Record<string, unknown>
export type Row = Readonly<Record<string, Cell>>

let nextId = 100

export function field(name: string, type: DataType, more: Partial<FieldSchema> = {}): FieldSchema {
  return {
    id: nextId++, name, description: '', type, isPrimary: false, autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false,
    nullable: false, typeParams: {}, indexParams: {}, ...more,
  }
}

export const schema: CollectionSchema = {
  name: 'c',
  description: '',
  enableDynamicField: true,
  fields: [
    field('id', DataType.Int64, { isPrimary: true }),
    field('flag', DataType.Bool, { nullable: true }),
    field('i8', DataType.Int8, { nullable: true }),
    field('i16', DataType.Int16, { nullable: true }),
    field('i32', DataType.Int32, { nullable: true }),
    field('i64', DataType.Int64, { nullable: true }),
    field('f32', DataType.Float, { nullable: true }),
    field('f64', DataType.Double, { nullable: true }),
    field('name', DataType.VarChar, { nullable: true, maxLength: 100 }),
    field('other', DataType.VarChar, { nullable: true, maxLength: 100 }),
    field('doc', DataType.JSON, { nullable: true }),
    field('ints', DataType.Array, { nullable: true, elementType: DataType.Int64, maxCapacity: 10 }),
    field('words', DataType.Array, { nullable: true, elementType: DataType.VarChar, maxCapacity: 10, maxLength: 20 }),
    field('at', DataType.Timestamptz, { nullable: true }),
    field('vec', DataType.FloatVector, { dim: 2 }),
    field('shape', DataType.Geometry),
    field('$meta', DataType.JSON, { isDynamic: true }),
  ],
}

export const staticSchema: CollectionSchema = { ...schema, enableDynamicField: false, fields: schema.fields.filter((f) => !f.isDynamic) }

const encoder = new TextEncoder()

export function texts(cells: readonly string[]): { offsets: Uint32Array; data: Uint8Array } {
  const encoded = cells.map((cell) => encoder.encode(cell))
  const offsets = new Uint32Array(cells.length + 1)
  encoded.forEach((bytes, i) => (offsets[i + 1] = (offsets[i] ?? 0) + bytes.length))
  const data = new Uint8Array(offsets[cells.length] ?? 0)
  encoded.forEach((bytes, i) => data.set(bytes, offsets[i]))
  return { offsets, data }
}

export function columnOf(f: FieldSchema, cells: readonly Cell[]): Column {
  const { length } = cells
  const valid = f.nullable ? Uint8Array.from(cells, (cell) => (cell === null ? 0 : 1)) : undefined
  const base = { length, valid, type: f.type }
  switch (f.type) {
    case DataType.Bool:
      return { ...base, kind: 'bool', values: Uint8Array.from(cells, (cell) => (cell === true ? 1 : 0)) }
    case DataType.Int64:
    case DataType.Timestamptz:
      return { ...base, kind: 'int64', values: BigInt64Array.from(cells, (cell) => (typeof cell === 'bigint' ? cell : 0n)) }
    case DataType.VarChar:
    case DataType.Geometry:
      return { ...base, kind: 'string', ...texts(cells.map((cell) => (typeof cell === 'string' ? cell : ''))) }
    case DataType.JSON:
      return { ...base, kind: 'json', ...texts(cells.map((cell) => (cell === null ? '' : typeof cell === 'string' ? cell : JSON.stringify(cell)))) }
    case DataType.FloatVector:
      return { ...base, kind: 'vector', dim: 2, bytesPerRow: 8, data: new Uint8Array(length * 8) }
    case DataType.Array: {
      const lists = cells.map((cell) => (Array.isArray(cell) ? (cell as Cell[]) : []))
      const offsets = new Uint32Array(length + 1)
      lists.forEach((list, i) => (offsets[i + 1] = (offsets[i] ?? 0) + list.length))
      const elements = columnOf({ ...f, type: f.elementType ?? 0, nullable: false }, lists.flat())
      if (elements.kind === 'json' || elements.kind === 'array' || elements.kind === 'vector' || elements.kind === 'vectors' || elements.kind === 'sparse') throw new Error('no such array')
      return { ...base, kind: 'array', elementType: f.elementType ?? 0, offsets, elements }
    }
    default: {
      const values = numberArray(f.type, length)
      cells.forEach((cell, i) => (values[i] = Number(cell ?? 0)))
      return { ...base, kind: 'number', values }
    }
  }
}

export function sourceOf(rows: readonly Row[], of: CollectionSchema = schema, without: readonly string[] = []): ColumnSource {
  const columns = new Map(
    of.fields.filter((f) => !without.includes(f.name)).map((f) => [f.id, columnOf(f, rows.map((row) => row[f.name] ?? (f.isDynamic ? '{}' : null)))]),
  )
  return { length: rows.length, column: (id) => columns.get(id) }
}

/** Indexes of the rows that match. */
export function match(text: string, rows: readonly Row[], templates: Record<string, TemplateValue> = {}, of = schema): number[] {
  const mask = new Uint8Array(rows.length).fill(7)
  compileFilter(text, of, new Map(Object.entries(templates))).evaluate(sourceOf(rows, of), 0, rows.length, mask)
  return [...mask].flatMap((bit, i) => (bit === 1 ? [i] : []))
}
