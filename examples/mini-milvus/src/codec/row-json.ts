/** Rows as JSON objects, as the REST side takes and gives them. */
import type { Column, RowBatch, SparseColumn, VectorColumn } from '../model/column.ts'
import { isNull, textAt } from '../model/column.ts'
import { functionInto } from '../model/functions.ts'
import { DataType, dynamicField, isVectorType } from '../model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { CodecError } from './errors.ts'
import { fromBFloat16, fromFloat16 } from './half.ts'
import { payloadOfJson, toJsonText } from './json-values.ts'
import type { RawField } from './raw-field.ts'
import { toRowBatch } from './row-batch.ts'
import type { RowBatchOptions } from './row-batch.ts'
import { foldStruct, unfoldStructs } from './struct-rows.ts'
import { formatTimestamptz } from './timestamptz.ts'

const encoder = new TextEncoder()
type JsonRow = ReadonlyMap<string, unknown>

/**
 * Rows of objects (or Maps) by field name: int64 as bigint, safe integer or decimal text; vectors as arrays of numbers; Timestamptz as
 * ISO text; keys that no field has go to the dynamic field. An absent key is null or the default.
 * @throws {CodecError} for rows that do not fit the schema.
 */
export function rowsFromJson(rows: readonly unknown[], schema: CollectionSchema, options: RowBatchOptions = { allowInsertAutoId: false }): RowBatch {
  const records = rows.map((row, at) => unfoldStructs(toRecord(row, at), schema, at))
  const fields: RawField[] = []
  for (const field of schema.fields) {
    if (field.isDynamic) continue
    const raw = fieldOf(field, records, functionInto(schema, field.id) !== undefined)
    if (raw !== undefined) fields.push(raw)
  }
  const dynamic = dynamicOf(schema, records)
  if (dynamic !== undefined) fields.push(dynamic)
  return toRowBatch({ dbName: '', collectionName: schema.name, partitionName: '', numRows: rows.length, schemaTimestamp: 0n, fields }, schema, options)
}

function toRecord(row: unknown, index: number): JsonRow {
  if (row instanceof Map) return row as JsonRow
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new CodecError(`row number ${index} is not a JSON object`)
  return new Map(Object.entries(row))
}

/** @param isFilled a function fills it: no row needs to give it */
function fieldOf(field: FieldSchema, records: readonly JsonRow[], isFilled: boolean): RawField | undefined {
  const values = records.map((record) => record.get(field.name) ?? null)
  const valid = Uint8Array.from(values, (value) => (value === null ? 0 : 1))
  const count = valid.reduce((sum, bit) => sum + bit, 0)
  if (count === 0 && (isFilled || field.autoId || field.nullable || field.defaultValue !== undefined)) return undefined
  if (count < values.length && !field.nullable && field.defaultValue === undefined) {
    throw new CodecError(`field ${field.name} is required, row number: ${valid.indexOf(0)}`)
  }
  const payload = payloadOfJson(field, values)
  return { name: field.name, type: field.type, isDynamic: false, valid: count === values.length ? undefined : valid, payload }
}

function dynamicOf(schema: CollectionSchema, records: readonly JsonRow[]): RawField | undefined {
  const known = new Set(schema.fields.filter((field) => !field.isDynamic).map((field) => field.name))
  const field = dynamicField(schema)
  const texts = records.map((record, row) => {
    const members: string[] = []
    for (const [key, value] of record) if (!known.has(key) && value !== undefined) members.push(`${JSON.stringify(key)}:${toJsonText(value, row)}`)
    if (members.length > 0 && field === undefined) throw new CodecError(`row number ${row} has more fields than collection ${schema.name}, which has no dynamic field`)
    return encoder.encode(`{${members.join(',')}}`)
  })
  if (field === undefined) return undefined
  const offsets = new Uint32Array(texts.length + 1)
  texts.forEach((text, i) => (offsets[i + 1] = (offsets[i] as number) + text.length))
  const data = new Uint8Array(offsets[texts.length] as number)
  texts.forEach((text, i) => data.set(text, offsets[i]))
  return { name: field.name, type: DataType.JSON, isDynamic: true, valid: undefined, payload: { member: 'json', length: texts.length, offsets, data } }
}

/**
 * One row of `fields` as an object without a prototype: int64 as bigint, vectors as arrays of numbers, Timestamptz as ISO text, null
 * for null; the keys of the dynamic field stand among the others.
 */
export function rowToJson(fields: readonly FieldSchema[], columns: ReadonlyMap<number, Column>, row: number): Record<string, unknown> {
  const json = Object.create(null) as Record<string, unknown>
  for (const field of fields) {
    const column = columns.get(field.id)
    if (column === undefined) continue
    if (field.struct !== undefined) {
      const { struct } = field
      // All of it with the first of its sub-fields.
      if (!Object.hasOwn(json, struct)) json[struct] = foldStruct(fields.filter((other) => other.struct === struct), columns, row, valueOf)
      continue
    }
    const value = valueOf(column, row)
    if (!field.isDynamic) json[field.name] = value
    else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) json[key] = item
  }
  return json
}

function valueOf(column: Column, row: number): unknown {
  if (isNull(column, row)) return null
  switch (column.kind) {
    case 'bool':
      return column.values[row] === 1
    case 'number':
      return column.type === DataType.Float ? shortest(column.values[row] as number) : column.values[row]
    case 'int64':
      return column.type === DataType.Timestamptz ? formatTimestamptz(column.values[row] as bigint) : column.values[row]
    case 'string':
      return textAt(column, row)
    case 'json':
      return column.offsets[row] === column.offsets[row + 1] ? null : (JSON.parse(textAt(column, row)) as unknown)
    case 'array':
    case 'vectors': {
      const start = column.offsets[row] as number
      return Array.from({ length: (column.offsets[row + 1] as number) - start }, (_, i) => valueOf(column.elements, start + i))
    }
    case 'vector':
      return vectorOf(column, row)
    case 'sparse':
      return sparseOf(column, row)
  }
}

function vectorOf({ data, bytesPerRow, type, dim }: VectorColumn, row: number): number[] {
  const start = row * bytesPerRow
  const view = new DataView(data.buffer, data.byteOffset + start, bytesPerRow)
  if (!isVectorType(type)) throw new TypeError('not a vector')
  if (type === DataType.FloatVector) return Array.from({ length: dim }, (_, i) => view.getFloat32(i * 4, true))
  if (type === DataType.Float16Vector) return Array.from({ length: dim }, (_, i) => fromFloat16(view.getUint16(i * 2, true)))
  if (type === DataType.BFloat16Vector) return Array.from({ length: dim }, (_, i) => fromBFloat16(view.getUint16(i * 2, true)))
  if (type === DataType.Int8Vector) return Array.from({ length: dim }, (_, i) => view.getInt8(i))
  return Array.from({ length: bytesPerRow }, (_, i) => view.getUint8(i))
}

function sparseOf({ offsets, data }: SparseColumn, row: number): Record<string, number> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const pairs: [string, number][] = []
  for (let at = offsets[row] as number; at < (offsets[row + 1] as number); at += 8) pairs.push([String(view.getUint32(at, true)), shortest(view.getFloat32(at + 4, true))])
  return Object.fromEntries(pairs)
}

/** A float32 with the digits it needs: 0.1, not 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}
