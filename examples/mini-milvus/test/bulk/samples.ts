/** Collections with every type of field, rows of them, and the files that other programs would write. */
import type { BulkFile } from '../../src/bulk/source.ts'
import { rowsFromJson } from '../../src/codec/row-json.ts'
import type { RowBatch } from '../../src/model/column.ts'
import { DataType, type CollectionSchema, type FieldSchema } from '../../src/model/schema.ts'

export type Random = () => number
export const DIM = 8

export function field(id: number, name: string, type: DataType, more: Partial<FieldSchema> = {}): FieldSchema {
  return { id, name, description: '', type, isPrimary: false, autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, typeParams: {}, indexParams: {}, ...more }
}

const elementTypes = [DataType.Bool, DataType.Int8, DataType.Int16, DataType.Int32, DataType.Int64, DataType.Float, DataType.Double, DataType.VarChar] as const

/** Every type, each once as it is and once nullable. */
export function wholeSchema(): CollectionSchema {
  const scalars = [DataType.Bool, DataType.Int8, DataType.Int16, DataType.Int32, DataType.Int64, DataType.Float, DataType.Double, DataType.VarChar, DataType.JSON, DataType.Geometry, DataType.Timestamptz]
  const vectors = [DataType.FloatVector, DataType.BinaryVector, DataType.Float16Vector, DataType.BFloat16Vector, DataType.Int8Vector, DataType.SparseFloatVector]
  const fields = [field(100, 'id', DataType.Int64, { isPrimary: true })]
  const add = (name: string, type: DataType, more: Partial<FieldSchema> = {}): void => {
    for (const nullable of [false, true]) fields.push(field(100 + fields.length, nullable ? `${name}_null` : name, type, { nullable, ...more }))
  }
  for (const type of scalars) add(`s${type}`, type, type === DataType.VarChar ? { maxLength: 64 } : {})
  for (const type of vectors) add(`v${type}`, type, type === DataType.SparseFloatVector ? {} : { dim: DIM })
  for (const elementType of elementTypes) add(`a${elementType}`, DataType.Array, { elementType, maxCapacity: 8, maxLength: 32 })
  const inStruct = (struct: string, nullable: boolean): void => {
    const common = { struct, nullable, maxCapacity: 4, maxLength: 32 }
    for (const elementType of [DataType.Bool, DataType.Int16, DataType.Int64, DataType.Float, DataType.VarChar]) fields.push(field(100 + fields.length, `${struct}[s${elementType}]`, DataType.Array, { ...common, elementType }))
    for (const elementType of vectors) if (elementType !== DataType.SparseFloatVector) fields.push(field(100 + fields.length, `${struct}[v${elementType}]`, DataType.ArrayOfVector, { ...common, elementType, dim: DIM }))
  }
  inStruct('items', false)
  inStruct('items_null', true)
  const structs = [{ id: 900, name: 'items', description: '', nullable: false, typeParams: {} }, { id: 901, name: 'items_null', description: '', nullable: true, typeParams: {} }]
  fields.push(field(100 + fields.length, 'given', DataType.Int32, { defaultValue: 7 }), field(101 + fields.length, '$meta', DataType.JSON, { isDynamic: true }))
  return { name: 'whole', description: '', fields, structs, enableDynamicField: true }
}

const texts = ['', 'a', 'ü€😀', 'say "hi"', 'line\nbreak', 'a,b;c', "it's", '\\', '{"x":', ' leading', 'null']
const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
const int = (random: Random, bits: number): number => Math.floor((random() - 0.5) * 2 ** bits)
const long = (random: Random): bigint => BigInt.asIntN(64, (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32)))

function scalar(type: DataType, random: Random): unknown {
  switch (type) {
    case DataType.Bool:
      return random() < 0.5
    case DataType.Int8:
      return int(random, 8)
    case DataType.Int16:
      return int(random, 16)
    case DataType.Int32:
      return int(random, 32)
    case DataType.Int64:
      return long(random)
    case DataType.Float:
      return Math.fround(random() * 100 - 50)
    case DataType.Double:
      return random() * 1e9
    case DataType.JSON:
      return pick(random, [{ a: int(random, 20), 'b c': [1, 'x', null] }, [1, 2.5], 12, true, { big: long(random) }, { nested: { text: pick(random, texts) } }])
    case DataType.Geometry:
      return `POINT (${int(random, 8)} ${int(random, 8)})`
    case DataType.Timestamptz:
      return `2025-0${1 + Math.floor(random() * 9)}-11T10:20:30.${1 + Math.floor(random() * 9)}Z`
    default:
      return pick(random, texts)
  }
}

function vector(type: DataType, random: Random): unknown {
  if (type === DataType.SparseFloatVector) return Object.fromEntries(Array.from({ length: Math.floor(random() * 4) }, (_, i) => [String(i * 1000 + Math.floor(random() * 999)), Math.fround(random())]))
  if (type === DataType.BinaryVector) return Array.from({ length: DIM / 8 }, () => Math.floor(random() * 256))
  if (type === DataType.Int8Vector) return Array.from({ length: DIM }, () => int(random, 8))
  // Sixteenths are exact in all float types.
  return Array.from({ length: DIM }, () => int(random, 8) / 16)
}

export function valueOf({ type, elementType }: FieldSchema, random: Random): unknown {
  if (type === DataType.Array) return Array.from({ length: Math.floor(random() * 5) }, () => scalar(elementType ?? DataType.None, random))
  return type >= 100 ? vector(type, random) : scalar(type, random)
}

/** Values by name, as a client would give them; some absent where they may be. */
export function sampleRows(schema: CollectionSchema, count: number, random: Random): Map<string, unknown>[] {
  return Array.from({ length: count }, (_, row) => {
    const values = new Map<string, unknown>()
    for (const { name, nullable } of schema.structs ?? []) {
      const fields = schema.fields.filter(({ struct }) => struct === name)
      const items = Array.from({ length: Math.floor(random() * 4) }, () => Object.fromEntries(fields.map((one) => [one.name.slice(name.length + 1, -1), one.type === DataType.Array ? scalar(one.elementType ?? DataType.None, random) : vector(one.elementType ?? DataType.None, random)])))
      values.set(name, nullable && random() < 0.3 ? null : items)
    }
    for (const one of schema.fields) {
      if (one.struct !== undefined) continue
      if (one.isDynamic) {
        if (random() < 0.5) values.set('color', pick(random, ['red', 'blue']))
        if (random() < 0.2) values.set('count', long(random))
      } else if (one.isPrimary) values.set(one.name, BigInt(row) - BigInt(count >> 1))
      else if (one.nullable && random() < 0.4) values.set(one.name, null)
      else if (one.defaultValue === undefined || random() < 0.5) values.set(one.name, valueOf(one, random))
    }
    return values
  })
}

export function toBatch(rows: readonly Map<string, unknown>[], schema: CollectionSchema): RowBatch {
  return rowsFromJson(rows, schema, { allowInsertAutoId: true })
}

export function fileOf(path: string, bytes: Uint8Array): BulkFile {
  return { path, bytes: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) }
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A `.npy` file. */
export function npy(descr: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  const header = bytesOf(`${text.padEnd(length - 1)}\n`)
  return joinBytes([Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 0xff, length >> 8]), header, data])
}
