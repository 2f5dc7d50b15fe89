/**
 * FieldData straight to bytes, for the results of searches and queries: vectors, int64, floats, text and JSON are copied as they lie,
 * without an array of JavaScript values in between. The same message as `encodeFieldData` describes.
 */
import type { Column, JsonColumn, NumberColumn, SparseColumn, StringColumn, VectorColumn } from '../model/column.ts'
import { DataType } from '../model/schema.ts'
import type { FieldSchema } from '../model/schema.ts'
import { encodeMessage } from '../wire/index.ts'
import { encodeFieldData } from './field-data.ts'
import { gatherColumn } from './gather.ts'
import { sparseDim } from './sparse.ts'
import { join, packLongs, varints, wrap } from './wire-parts.ts'

type Rows = Uint32Array | readonly number[]
const encoder = new TextEncoder()

/** One FieldData message. */
export function encodeFieldBytes(field: FieldSchema, column: Column, rows: Rows): Uint8Array {
  const payload = payloadOf(column, rows)
  if (payload === undefined) return encodeMessage('schema.FieldData', encodeFieldData(field, column, rows))
  const parts = [varints(0x08, field.type), ...wrap(0x12, [encoder.encode(field.name)]), ...payload, varints(0x28, field.id)]
  if (field.isDynamic) parts.push(Uint8Array.of(0x30, 1))
  if (field.nullable || column.valid !== undefined) parts.push(...wrap(0x3a, [validBytes(column.valid, rows)]))
  return join(parts)
}

/** Member 3 (scalars) or 4 (vectors) of FieldData; undefined for kinds that are rare. */
function payloadOf(column: Column, rows: Rows): Uint8Array[] | undefined {
  switch (column.kind) {
    case 'vector':
      return vectorPayload(column, rows)
    case 'sparse':
      return sparsePayload(column, rows)
    case 'int64':
      return column.type === DataType.Int64 ? wrap(0x1a, wrap(0x1a, wrap(0x0a, [packLongs(column.values, rows)]))) : undefined
    case 'string':
      return wrap(0x1a, wrap(column.type === DataType.Geometry ? 0x62 : 0x32, texts(column, rows)))
    case 'json':
      return wrap(0x1a, wrap(0x4a, texts(column, rows)))
    case 'number':
      if (column.type === DataType.Float) return wrap(0x1a, wrap(0x22, wrap(0x0a, [raw(gatherColumn(column, rows))])))
      return column.type === DataType.Double ? wrap(0x1a, wrap(0x2a, wrap(0x0a, [raw(gatherColumn(column, rows))]))) : undefined
    default:
      return undefined
  }
}

const VECTOR_TAGS: ReadonlyMap<DataType, number> = new Map([
  [DataType.BinaryVector, 0x1a],
  [DataType.Float16Vector, 0x22],
  [DataType.BFloat16Vector, 0x2a],
  [DataType.Int8Vector, 0x3a],
])

function vectorPayload(column: VectorColumn, rows: Rows): Uint8Array[] | undefined {
  const { valid } = column
  const { data } = gatherColumn(column, valid === undefined ? rows : rows.filter((row: number) => valid[row] === 1))
  const dim = varints(0x08, column.dim)
  if (column.type === DataType.FloatVector) return wrap(0x22, [dim, ...wrap(0x12, wrap(0x0a, [data]))])
  const tag = VECTOR_TAGS.get(column.type)
  return tag === undefined ? undefined : wrap(0x22, [dim, ...wrap(tag, [data])])
}

function sparsePayload(column: SparseColumn, rows: Rows): Uint8Array[] {
  const { valid } = column
  const present = valid === undefined ? rows : rows.filter((row: number) => valid[row] === 1)
  const dim = sparseDim(column, present)
  return wrap(0x22, [varints(0x08, dim), ...wrap(0x32, [...texts(column, present), varints(0x10, dim)])])
}

/** Repeated strings or bytes of member 1. */
function texts({ offsets, data }: StringColumn | JsonColumn | SparseColumn, rows: Rows): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (const row of rows) parts.push(...wrap(0x0a, [data.subarray(offsets[row], offsets[row + 1])]))
  return parts
}

function raw({ values }: NumberColumn): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function validBytes(valid: Uint8Array | undefined, rows: Rows): Uint8Array {
  const bytes = new Uint8Array(rows.length)
  for (let i = 0; i < rows.length; i++) bytes[i] = valid === undefined || valid[rows[i] as number] === 1 ? 1 : 0
  return bytes
}
