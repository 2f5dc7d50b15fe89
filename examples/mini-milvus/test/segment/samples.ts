import type { Column, RowBatch } from '../../src/model/column.ts'
import { type CollectionSchema, DataType, type FieldSchema } from '../../src/model/schema.ts'

export function field(id: number, name: string, type: FieldSchema['type'], extra: Partial<FieldSchema> = {}): FieldSchema {
  return {
    id,
    name,
    type,
    description: '',
    isPrimary: false,
    autoId: false,
    isPartitionKey: false,
    isClusteringKey: false,
    isDynamic: false,
    nullable: false,
    typeParams: {},
    indexParams: {},
    ...extra,
  }
}

export function schemaOf(fields: readonly FieldSchema[]): CollectionSchema {
  return { name: 'books', description: '', fields, enableDynamicField: false }
}

export const everyType: CollectionSchema = schemaOf([
  field(100, 'id', DataType.Int64, { isPrimary: true }),
  field(101, 'flag', DataType.Bool, { nullable: true }),
  field(102, 'tiny', DataType.Int8),
  field(103, 'small', DataType.Int16),
  field(104, 'int', DataType.Int32, { nullable: true }),
  field(105, 'float', DataType.Float),
  field(106, 'double', DataType.Double),
  field(107, 'text', DataType.VarChar, { maxLength: 100, nullable: true }),
  field(108, 'json', DataType.JSON, { nullable: true }),
  field(109, 'tags', DataType.Array, { elementType: DataType.VarChar, maxCapacity: 10, nullable: true }),
  field(110, 'numbers', DataType.Array, { elementType: DataType.Int64, maxCapacity: 10 }),
  field(111, 'at', DataType.Timestamptz),
  field(112, 'vector', DataType.FloatVector, { dim: 3 }),
  field(113, 'half', DataType.Float16Vector, { dim: 4 }),
  field(114, 'bits', DataType.BinaryVector, { dim: 16, nullable: true }),
  field(115, 'flags', DataType.Array, { elementType: DataType.Bool, maxCapacity: 10 }),
  field(116, 'sparse', DataType.SparseFloatVector, { nullable: true }),
])

export function strings(texts: readonly string[]): { offsets: Uint32Array; data: Uint8Array } {
  const parts = texts.map((text) => new TextEncoder().encode(text))
  const offsets = new Uint32Array(texts.length + 1)
  parts.forEach((part, i) => (offsets[i + 1] = (offsets[i] ?? 0) + part.length))
  const data = new Uint8Array(offsets[texts.length] ?? 0)
  parts.forEach((part, i) => data.set(part, offsets[i]))
  return { offsets, data }
}

/** A batch of `everyType`: row i is the same for every n, ids are `idOf(i)`. */
export function batchOf(n: number, idOf: (row: number) => bigint = BigInt): { batch: RowBatch; timestamps: BigUint64Array } {
  const rows = Array.from({ length: n }, (_, i) => i)
  const valid = Uint8Array.from(rows, (i) => (i % 3 === 1 ? 0 : 1))
  const repeated = Uint32Array.from({ length: n + 1 }, (_, i) => i * 2)
  const elements = Array.from({ length: n * 2 }, (_, i) => i)
  const base = { length: n, valid: undefined }
  const columns = new Map<number, Column>([
    [100, { ...base, kind: 'int64', type: DataType.Int64, values: BigInt64Array.from(rows, idOf) }],
    [101, { ...base, valid, kind: 'bool', type: DataType.Bool, values: Uint8Array.from(rows, (i) => i & 1) }],
    [102, { ...base, kind: 'number', type: DataType.Int8, values: Int8Array.from(rows, (i) => i - 100) }],
    [103, { ...base, kind: 'number', type: DataType.Int16, values: Int16Array.from(rows, (i) => i * 7 - 300) }],
    [104, { ...base, valid, kind: 'number', type: DataType.Int32, values: Int32Array.from(rows, (i) => i * 70000) }],
    [105, { ...base, kind: 'number', type: DataType.Float, values: Float32Array.from(rows, (i) => i / 3) }],
    [106, { ...base, kind: 'number', type: DataType.Double, values: Float64Array.from(rows, (i) => i / 7) }],
    [107, { ...base, valid, kind: 'string', type: DataType.VarChar, ...strings(rows.map((i) => (i % 3 === 1 ? '' : `größe ${i} 🙂`))) }],
    [108, { ...base, valid, kind: 'json', type: DataType.JSON, ...strings(rows.map((i) => (i % 3 === 1 ? '' : `{"i":${i}}`))) }],
    [
      109,
      {
        ...base,
        valid,
        kind: 'array',
        type: DataType.Array,
        elementType: DataType.VarChar,
        offsets: repeated,
        elements: { kind: 'string', type: DataType.VarChar, length: n * 2, valid: undefined, ...strings(elements.map((i) => `t${i}`)) },
      },
    ],
    [
      110,
      {
        ...base,
        kind: 'array',
        type: DataType.Array,
        elementType: DataType.Int64,
        offsets: repeated,
        elements: { kind: 'int64', type: DataType.Int64, length: n * 2, valid: undefined, values: BigInt64Array.from(elements, BigInt) },
      },
    ],
    [111, { ...base, kind: 'int64', type: DataType.Timestamptz, values: BigInt64Array.from(rows, (i) => BigInt(i) * 1_000_000n) }],
    [
      112,
      {
        ...base,
        kind: 'vector',
        type: DataType.FloatVector,
        dim: 3,
        bytesPerRow: 12,
        data: new Uint8Array(Float32Array.from({ length: n * 3 }, (_, i) => i / 2).buffer),
      },
    ],
    [
      113,
      {
        ...base,
        kind: 'vector',
        type: DataType.Float16Vector,
        dim: 4,
        bytesPerRow: 8,
        data: Uint8Array.from({ length: n * 8 }, (_, i) => i),
      },
    ],
    [
      114,
      {
        ...base,
        valid,
        kind: 'vector',
        type: DataType.BinaryVector,
        dim: 16,
        bytesPerRow: 2,
        data: Uint8Array.from({ length: n * 2 }, (_, i) => i * 3),
      },
    ],
    [
      115,
      {
        ...base,
        kind: 'array',
        type: DataType.Array,
        elementType: DataType.Bool,
        offsets: repeated,
        elements: {
          kind: 'bool',
          type: DataType.Bool,
          length: n * 2,
          valid: undefined,
          values: Uint8Array.from(elements, (i) => (i % 5 === 0 ? 1 : 0)),
        },
      },
    ],
  ])
  const pairs = Float32Array.from({ length: n * 2 }, (_, i) => i)
  const offsets = Uint32Array.from({ length: n + 1 }, (_, i) => i * 8)
  columns.set(116, { ...base, valid, kind: 'sparse', type: DataType.SparseFloatVector, offsets, data: new Uint8Array(pairs.buffer) })
  return { batch: { length: n, columns }, timestamps: BigUint64Array.from(rows, (i) => BigInt(i) + (1n << 60n)) }
}

/** Plain values of one row, for comparing columns of different storage. */
export function valueAt(column: Column, row: number): unknown {
  if (column.valid !== undefined && column.valid[row] === 0) return null
  switch (column.kind) {
    case 'sparse':
      return [...column.data.subarray(column.offsets[row], column.offsets[row + 1])]
    case 'string':
    case 'json':
      return new TextDecoder().decode(column.data.subarray(column.offsets[row], column.offsets[row + 1]))
    case 'array':
    case 'vectors': {
      const items: unknown[] = []
      for (let i = column.offsets[row] ?? 0; i < (column.offsets[row + 1] ?? 0); i++) items.push(valueAt(column.elements, i))
      return items
    }
    case 'vector':
      return [...column.data.subarray(row * column.bytesPerRow, (row + 1) * column.bytesPerRow)]
    default:
      return column.values[row]
  }
}

export function rowsOf(source: RowBatch, timestamps: BigUint64Array): unknown[] {
  return Array.from({ length: source.length }, (_, row) => [
    timestamps[row],
    ...[...source.columns].sort(([a], [b]) => a - b).map(([id, column]) => [id, valueAt(column, row)]),
  ])
}

export function join(chunks: readonly Uint8Array[], shared = true): Uint8Array {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const target = new Uint8Array(shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes))
  let at = 0
  for (const chunk of chunks) {
    target.set(chunk, at)
    at += chunk.length
  }
  return target
}
