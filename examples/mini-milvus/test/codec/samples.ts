import { DataType } from '../../src/model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../../src/model/schema.ts'

let nextId = 100

export function field(name: string, type: DataType, more: Partial<FieldSchema> = {}): FieldSchema {
  return {
    id: nextId++, name, description: '', type, isPrimary: false, autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false,
    nullable: false, typeParams: {}, indexParams: {}, ...more,
  }
}

export function schemaOf(...fields: FieldSchema[]): CollectionSchema {
  return { name: 'c', description: '', fields, enableDynamicField: fields.some((f) => f.isDynamic) }
}

const bytes = (...texts: string[]) => texts.map((text) => new TextEncoder().encode(text))

/** A field, the wire's payload for three rows of which row 1 is null where `nullable`, and what the rows are as JSON. */
export interface Sample {
  readonly field: FieldSchema
  readonly data: object
  readonly compact: object
  readonly rows: readonly unknown[]
}

function scalar(f: FieldSchema, member: string, wire: readonly unknown[], rows: readonly unknown[]): Sample {
  return { field: f, data: { scalars: { [member]: { data: wire } } }, compact: { scalars: { [member]: { data: [wire[0], wire[2]] } } }, rows }
}

function vector(f: FieldSchema, dim: number, member: string, wire: (rows: number[]) => unknown, rows: readonly unknown[]): Sample {
  return { field: f, data: { vectors: { dim, [member]: wire([0, 1, 2]) } }, compact: { vectors: { dim, [member]: wire([0, 2]) } }, rows }
}

const floats = [[1.5, -2], [3, 4.25], [0, 1e-3]].map((row) => row.map(Math.fround))
const raw = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
const pairs = [[1, 0.5, 16, 2], [], [3, 4]].map((row) => Uint8Array.from(row.flatMap((value, i) => [...new Uint8Array(i % 2 === 0 ? Uint32Array.of(value).buffer : Float32Array.of(value).buffer)])))
const rawOf = (width: number) => (rows: number[]) => Uint8Array.from(rows.flatMap((row) => (raw[row] ?? []).slice(0, width)))

export function samples(nullable: boolean): Sample[] {
  const make = (name: string, type: DataType, more: Partial<FieldSchema> = {}) => field(name, type, { nullable, ...more })
  const lists = [[1n, 2n], [], [3n]]
  const arrays = (which: readonly (readonly bigint[])[]) => ({ scalars: { array_data: { element_type: 5, data: which.map((data) => ({ long_data: { data: data.map(String) } })) } } })
  return [
    scalar(make('flag', DataType.Bool), 'bool_data', [true, false, true], [true, false, true]),
    scalar(make('i8', DataType.Int8), 'int_data', [-128, 0, 127], [-128, 0, 127]),
    scalar(make('i16', DataType.Int16), 'int_data', [-32768, 0, 32767], [-32768, 0, 32767]),
    scalar(make('i32', DataType.Int32), 'int_data', [-2147483648, 5, 2147483647], [-2147483648, 5, 2147483647]),
    scalar(make('i64', DataType.Int64), 'long_data', ['-9223372036854775808', '4294967296', '9223372036854775807'], [-9223372036854775808n, 4294967296n, 9223372036854775807n]),
    scalar(make('f32', DataType.Float), 'float_data', [0.1, 2, -3.5], [0.1, 2, -3.5]),
    scalar(make('f64', DataType.Double), 'double_data', [0.1, 1e300, -3.5], [0.1, 1e300, -3.5]),
    scalar(make('text', DataType.VarChar, { maxLength: 10 }), 'string_data', ['', 'äöü', '😀'], ['', 'äöü', '😀']),
    scalar(make('at', DataType.Timestamptz), 'string_data', ['2025-01-01T08:00:00+08:00', '1969-12-31T23:59:59.5Z', '0001-01-01T00:00:00Z'], ['2025-01-01T00:00:00Z', '1969-12-31T23:59:59.5Z', '0001-01-01T00:00:00Z']),
    scalar(make('shape', DataType.Geometry), 'geometry_wkt_data', ['POINT (1 2)', 'POINT EMPTY', 'LINESTRING (0 0, 1 1)'], ['POINT (1 2)', 'POINT EMPTY', 'LINESTRING (0 0, 1 1)']),
    scalar(make('doc', DataType.JSON), 'json_data', bytes('{"a":[1,null]}', '5', '"x"'), [{ a: [1, null] }, 5, 'x']),
    { field: make('list', DataType.Array, { elementType: DataType.Int64, maxCapacity: 3 }), data: arrays(lists), compact: arrays([lists[0] ?? [], lists[2] ?? []]), rows: lists },
    vector(make('vec', DataType.FloatVector, { dim: 2 }), 2, 'float_vector', (rows) => ({ data: rows.flatMap((row) => floats[row] ?? []) }), floats),
    vector(make('bin', DataType.BinaryVector, { dim: 16 }), 16, 'binary_vector', rawOf(2), [[1, 2], [5, 6], [9, 10]]),
    vector(make('sparse', DataType.SparseFloatVector), 17, 'sparse_float_vector', (rows) => ({ dim: 17, contents: rows.map((row) => pairs[row]) }), [{ 1: 0.5, 16: 2 }, {}, { 3: 4 }]),
    vector(make('int8v', DataType.Int8Vector, { dim: 4 }), 4, 'int8_vector', rawOf(4), raw),
  ]
}
