import { describe, expect, test } from 'vitest'
import { CodecError, decodeInsert, decodeUpsert, encodeFieldData, encodeInsertField, rowToJson, toRowBatch } from '../../src/codec/index.ts'
import { DataType } from '../../src/model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../../src/model/schema.ts'
import { field, samples, schemaOf } from './samples.ts'
import type { Sample } from './samples.ts'
import { decode, encode } from './wire.ts'

const strict = { allowInsertAutoId: false }
const pk = field('id', DataType.Int64, { isPrimary: true })
const ids = (n: number) => ({ field_name: 'id', type: 5, scalars: { long_data: { data: Array.from({ length: n }, (_, i) => i + 1) } } })

function insert(fields: object[], n = 3): Uint8Array {
  return encode('milvus.InsertRequest', { db_name: 'd', collection_name: 'c', partition_name: 'p', num_rows: n, schema_timestamp: '18446744073709551615', fields_data: fields })
}

function batchOf(schema: CollectionSchema, fields: object[], n = 3, options = strict) {
  return toRowBatch(decodeInsert(insert(fields, n)), schema, options)
}

const pairs = (...items: number[]) => Uint8Array.from(items.flatMap((item, i) => [...new Uint8Array(i % 2 === 0 ? Uint32Array.of(item).buffer : Float32Array.of(item).buffer)]))
const sparse = (row: Uint8Array) => ({ vectors: { sparse_float_vector: { contents: [row] } } })

const given = (sample: Sample, payload: object, more: object = {}) => ({ field_name: sample.field.name, type: sample.field.type, ...payload, ...more })

describe('insert messages', () => {
  test('names, counts and timestamps', () => {
    const message = decodeInsert(insert([ids(3)]))
    expect(message).toMatchObject({ dbName: 'd', collectionName: 'c', partitionName: 'p', numRows: 3, schemaTimestamp: 18446744073709551615n })
    expect(message.partialUpdate).toBeUndefined()
    const upsert = decodeUpsert(encode('milvus.UpsertRequest', { collection_name: 'c', partial_update: true, field_ops: [{ field_name: 'a', op: 1 }, { field_name: 'b', op: 2 }, { field_name: 'c' }] }))
    expect(upsert).toMatchObject({ partialUpdate: true, fieldOps: [{ fieldName: 'a', op: 'array-append' }, { fieldName: 'b', op: 'array-remove' }, { fieldName: 'c', op: 'replace' }] })
  })

  test.each(samples(false).map((sample) => [sample.field.name, sample] as const))('%s', (_, sample) => {
    const schema = schemaOf(pk, sample.field)
    const { columns, length } = batchOf(schema, [ids(3), given(sample, sample.data)])
    expect(length).toBe(3)
    expect([0, 1, 2].map((row) => rowToJson(schema.fields, columns, row)[sample.field.name])).toEqual(sample.rows)
  })

  test.each(samples(true).map((sample) => [sample.field.name, sample] as const))('%s with nulls', (_, sample) => {
    const schema = schemaOf(pk, sample.field)
    const expected = [sample.rows[0], null, sample.rows[2]]
    const rowsOf = (more: object) => {
      const { columns } = batchOf(schema, [ids(3), given(sample, sample.compact, more)])
      return [0, 1, 2].map((row) => rowToJson(schema.fields, columns, row)[sample.field.name])
    }
    expect(rowsOf({ valid_data: [true, false, true] })).toEqual(expected)
    const none = batchOf(schema, [ids(3), given(sample, {}, { valid_data: [false, false, false] })])
    expect([0, 1, 2].map((row) => rowToJson(schema.fields, none.columns, row)[sample.field.name])).toEqual([null, null, null])
    const missing = batchOf(schema, [ids(3)])
    expect(rowToJson(schema.fields, missing.columns, 2)[sample.field.name]).toBeNull()
  })

  test.each([...samples(false), ...samples(true)].map((sample) => [`${sample.field.name} ${sample.field.nullable}`, sample] as const))('%s comes out as it went in', (_, sample) => {
    const schema = schemaOf(pk, sample.field)
    const nullable = sample.field.nullable
    const sent = given(sample, nullable ? sample.compact : sample.data, nullable ? { valid_data: [true, false, true] } : {})
    const { columns } = batchOf(schema, [ids(3), sent])
    const column = columns.get(sample.field.id)
    if (column === undefined) throw new Error('no column')
    const again = toRowBatch(decodeInsert(insert([ids(2), encodeInsertField(sample.field, column, [2, 1])], 2)), schema, strict)
    expect([0, 1].map((row) => rowToJson(schema.fields, again.columns, row)[sample.field.name])).toEqual(nullable ? [sample.rows[2], null] : [sample.rows[2], sample.rows[1]])
    const result = decode('schema.FieldData', encode('schema.FieldData', encodeFieldData(sample.field, column, [0, 1, 2])))
    expect(result['valid_data']).toEqual(nullable ? [true, false, true] : [])
    expect(result['field_name']).toBe(sample.field.name)
    if (column.kind === 'vector' || column.kind === 'sparse') {
      const want = decode('schema.FieldData', encode('schema.FieldData', given(sample, nullable ? sample.compact : sample.data)))
      expect(result['vectors']).toEqual(want['vectors'])
    } else {
      const member = Object.values(result['scalars'] as object).find((value) => typeof value === 'object') as { data: unknown[] }
      expect(member.data).toHaveLength(3)
    }
  })

  test('legacy and new places of valid_data are read', () => {
    const f = field('n', DataType.Int64, { nullable: true })
    const tail = Uint8Array.of(0x8a, 0x01, 2, 1, 0)
    const scalars = Uint8Array.of(0x1a, 3, 0x0a, 1, 7)
    const body = Uint8Array.of(0x12, 1, 0x6e, 0x08, 5, 0x1a, scalars.length + tail.length, ...scalars, ...tail)
    const message = Uint8Array.of(...insert([ids(2)], 2), 0x2a, body.length, ...body)
    const { columns } = toRowBatch(decodeInsert(message), schemaOf(pk, f), strict)
    expect([0, 1].map((row) => rowToJson([f], columns, row)['n'])).toEqual([7n, null])
  })

  test('unpacked and split repeated fields, and unknown fields, are read', () => {
    const long = Uint8Array.of(0x08, 1, 0x0a, 2, 0x81, 0x01, 0x08, 3)
    const field1 = Uint8Array.of(0x12, 2, 0x69, 0x64, 0x1a, long.length + 2, 0x1a, long.length, ...long, 0x9a, 0x06, 1, 0xff)
    const message = Uint8Array.of(0xfa, 0x3f, 2, 1, 2, 0xf8, 0x3e, 5, 0x38, 3, 0x2a, field1.length, ...field1, 0xfd, 0x3e, 1, 2, 3, 4)
    const { columns } = toRowBatch(decodeInsert(message), schemaOf(pk), strict)
    expect([0, 1, 2].map((row) => rowToJson([pk], columns, row)['id'])).toEqual([1n, 129n, 3n])
  })

  test('packed floats and byte vectors stay views of the message', () => {
    const bytes = insert([{ field_name: 'vec', type: 101, vectors: { dim: 2, float_vector: { data: [1, 2, 3, 4, 5, 6] } } }])
    const payload = decodeInsert(bytes).fields[0]?.payload
    expect(payload !== undefined && 'data' in payload && payload.data.buffer === bytes.buffer).toBe(true)
  })

  test('malformed bytes throw plainly and soon', () => {
    const good = insert([...samples(false).map((sample) => given(sample, sample.data)), ids(3)])
    let thrown = 0
    for (let seed = 0; seed < 4000; seed++) {
      const bytes = good.slice(0, seed % 3 === 0 ? (seed * 7919) % good.length : good.length)
      for (let i = 0; i <= seed % 3; i++) bytes[(seed * 31 + i * 104_729) % bytes.length] = (seed * 97 + i * 13) & 0xff
      try {
        toRowBatch(decodeInsert(bytes), schemaOf(pk, ...samples(false).map((sample) => sample.field)), strict)
      } catch (error) {
        if (!(error instanceof CodecError) && !(error instanceof Error && error.message.startsWith('malformed message'))) throw new Error(`seed ${seed}`, { cause: error })
        thrown += 1
      }
    }
    expect(thrown).toBeGreaterThan(1000)
  })
})

describe('checks', () => {
  const name = field('name', DataType.VarChar, { maxLength: 4 })
  const strings = (...data: string[]) => ({ field_name: 'name', type: 21, scalars: { string_data: { data } } })
  const one = (f: FieldSchema, payload: object, n = 1) => () => batchOf(schemaOf(pk, f), [ids(n), { field_name: f.name, type: f.type, ...payload }], n)
  const scalars = (member: string, ...data: unknown[]) => ({ scalars: { [member]: { data } } })
  const json = (text: string) => scalars('json_data', new TextEncoder().encode(text))
  const meta = field('$meta', DataType.JSON, { isDynamic: true })

  test.each<[string, () => unknown, string]>([
    ['missing field', () => batchOf(schemaOf(pk, name), [ids(1)], 1), 'fieldSchema(name) has no corresponding fieldData pass in'],
    ['unknown field', () => batchOf(schemaOf(pk), [ids(1), strings('a')], 1), 'fieldName name not exist in collection schema'],
    ['duplicate', () => batchOf(schemaOf(pk), [ids(1), ids(1)], 1), 'duplicated field name: id'],
    ['wrong count', () => batchOf(schemaOf(pk, name), [ids(2), strings('a')], 2), 'the num_rows (1) of field (name) is not equal to passed num_rows (2)'],
    ['varchar bytes', () => batchOf(schemaOf(pk, name), [ids(2), strings('abcd', 'äöü')], 2), 'length of varchar field name exceeds max length, row number: 1, length: 6, max length: 4'],
    ['another type', one(field('x', DataType.Int64), { type: 21, ...scalars('string_data', 'a') }), 'field data type mismatch'],
    ['another member', one(field('x', DataType.Int64), scalars('int_data', 1)), 'field data type mismatch'],
    ['int8 range', one(field('x', DataType.Int8), scalars('int_data', 128)), 'the 0th element (128) out of range: [-128, 127]'],
    ['int16 range', one(field('x', DataType.Int16), scalars('int_data', -32769)), 'out of range'],
    ['NaN', one(field('x', DataType.Float), scalars('float_data', NaN)), 'is not a number or infinity'],
    ['infinity', one(field('x', DataType.Double), scalars('double_data', Infinity)), 'is not a number or infinity'],
    ['NaN in a vector', one(field('x', DataType.FloatVector, { dim: 2 }), { vectors: { dim: 2, float_vector: { data: [1, NaN] } } }), 'not a number or infinity, row number: 0'],
    ['infinity in float16', one(field('x', DataType.Float16Vector, { dim: 2 }), { vectors: { dim: 2, float16_vector: Uint8Array.of(0, 0x3c, 0, 0xfc) } }), 'not a number or infinity'],
    ['NaN in bfloat16', one(field('x', DataType.BFloat16Vector, { dim: 2 }), { vectors: { dim: 2, bfloat16_vector: Uint8Array.of(0, 0, 0xc0, 0x7f) } }), 'not a number or infinity'],
    ['another dim', one(field('x', DataType.FloatVector, { dim: 2 }), { vectors: { dim: 3, float_vector: { data: [1, 2, 3] } } }), 'the dim (3) of field data(x) is not equal to schema dim (2)'],
    ['a broken row', one(field('x', DataType.FloatVector, { dim: 2 }), { vectors: { dim: 2, float_vector: { data: [1, 2, 3] } } }), 'the length(3) of float_vector data of field x should divide the dim(2)'],
    ['sparse for dense', one(field('x', DataType.FloatVector, { dim: 2 }), { vectors: { dim: 2, sparse_float_vector: { contents: [new Uint8Array(8)] } } }), 'field data type mismatch: field x is of type FloatVector, got sparse_float_vector data'],
    ['half a pair', one(field('x', DataType.SparseFloatVector), sparse(new Uint8Array(9))), 'invalid data length in sparse float vector: 9'],
    ['a dimension twice', one(field('x', DataType.SparseFloatVector), sparse(pairs(7, 1, 3, 1, 7, 2))), 'same indices in sparse float vector: 7'],
    ['a negative value', one(field('x', DataType.SparseFloatVector), sparse(pairs(7, -1))), 'negative value in sparse float vector'],
    ['NaN in a sparse vector', one(field('x', DataType.SparseFloatVector), sparse(pairs(7, NaN))), "value 'NaN' is not a number or infinity"],
    ['a dimension too large', one(field('x', DataType.SparseFloatVector), sparse(pairs(4294967295, 1))), 'must be less than 2^32-1'],
    ['bad JSON', one(field('x', DataType.JSON), json('{a:1}')), 'invalid JSON data of field x, row number: 0'],
    ['long JSON', one(field('x', DataType.JSON), json(`"${'a'.repeat(65_535)}"`)), 'the length (65537) of json field (x) exceeds max length (65536)'],
    ['long array', one(field('x', DataType.Array, { elementType: DataType.Int64, maxCapacity: 1 }), { scalars: { array_data: { element_type: 5, data: [{ long_data: { data: [1, 2] } }] } } }), 'the length (2) of 0th array exceeds max capacity (1)'],
    ['elements of another type', one(field('x', DataType.Array, { elementType: DataType.Int64 }), { scalars: { array_data: { element_type: 21, data: [{ string_data: { data: ['a'] } }] } } }), 'holds Int64'],
    ['long elements', one(field('x', DataType.Array, { elementType: DataType.VarChar, maxLength: 1 }), { scalars: { array_data: { element_type: 21, data: [{ string_data: { data: ['a', 'bb'] } }] } } }), 'array index: 1, length: 2, max length: 1'],
    ['bad time', one(field('x', DataType.Timestamptz), scalars('string_data', 'noon')), 'got invalid timestamptz string'],
    ['bad WKT', one(field('x', DataType.Geometry), scalars('geometry_wkt_data', 'circle')), 'not valid WKT'],
    ['nulls where there may be none', one(field('x', DataType.Int64), { valid_data: [false], ...scalars('long_data') }), 'field x is not nullable, row number: 0'],
    ['short valid_data', one(field('x', DataType.Int64, { nullable: true }), { valid_data: [true, true], ...scalars('long_data', 1) }), 'the length of valid_data of field(x) is wrong'],
    ['full payload beside nulls', one(field('x', DataType.Int64, { nullable: true }), { valid_data: [true, false], ...scalars('long_data', 1, 2) }, 2), 'the length of field x is wrong'],
    ['auto id', () => batchOf(schemaOf({ ...pk, autoId: true }), [ids(1)], 1), 'can not assign primary field data when auto id enabled and allow_insert_auto_id is false'],
    ['$meta that is a list', one(meta, { is_dynamic: true, ...json('[1]') }), 'must be a JSON object'],
    ['$meta with a declared key', one(meta, { is_dynamic: true, ...json('{"id": 1}') }), 'dynamic json cannot include the static field: id'],
    ['$meta in $meta', one(meta, { is_dynamic: true, ...json('{"$meta": 1}') }), 'dynamic json cannot include $meta'],
    ['a dynamic field where there is none', () => batchOf(schemaOf(pk), [ids(1), { field_name: '', type: 23, is_dynamic: true, ...json('{}') }], 1), 'has no dynamic field'],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(CodecError)
    expect(run).toThrow(message)
  })

  test('auto ids: allowed or absent', () => {
    const schema = schemaOf({ ...pk, autoId: true }, name)
    expect(batchOf(schema, [ids(1), strings('a')], 1, { allowInsertAutoId: true }).columns.has(pk.id)).toBe(true)
    expect(batchOf(schema, [strings('a')], 1).columns.has(pk.id)).toBe(false)
  })

  test('defaults win over nulls and fill what is missing', () => {
    const fields = [field('n', DataType.Int32, { nullable: true, defaultValue: 7 }), field('s', DataType.VarChar, { defaultValue: 'd', maxLength: 5 }), field('t', DataType.Timestamptz, { defaultValue: 5n })]
    const schema = schemaOf(pk, ...fields)
    const { columns } = batchOf(schema, [ids(2), { field_name: 'n', type: 4, scalars: { int_data: { data: [1] } }, valid_data: [false, true] }, { field_name: 's', type: 21, scalars: { string_data: { data: ['x'] } }, valid_data: [true, false] }], 2)
    expect([0, 1].map((row) => rowToJson(fields, columns, row))).toEqual([
      Object.assign(Object.create(null), { n: 7, s: 'x', t: '1970-01-01T00:00:00.000005Z' }),
      Object.assign(Object.create(null), { n: 1, s: 'd', t: '1970-01-01T00:00:00.000005Z' }),
    ])
  })

  test('a JSON of no bytes stays a valid row of no bytes', () => {
    const f = field('x', DataType.JSON, { nullable: true })
    const { columns } = batchOf(schemaOf(pk, f), [ids(1), { field_name: 'x', type: 23, valid_data: [true], ...json('') }], 1)
    const column = columns.get(f.id)
    if (column === undefined) throw new Error('no column')
    expect(encodeFieldData(f, column, [0])).toMatchObject({ valid_data: [true], scalars: { json_data: { data: [new Uint8Array(0)] } } })
  })

  test('dynamic rows: absent is an empty object; odd keys stay', () => {
    const schema = schemaOf(pk, meta)
    expect(rowToJson([meta], batchOf(schema, [ids(1)], 1).columns, 0)).toEqual(Object.create(null))
    const { columns } = batchOf(schema, [ids(1), { field_name: '', type: 23, is_dynamic: true, ...json('{"__proto__": {"a": 1}, "constructor": 2}') }], 1)
    const row = rowToJson([meta], columns, 0)
    expect(Object.keys(row)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(row)).toBeNull()
  })
})
