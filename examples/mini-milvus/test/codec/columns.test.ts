import { describe, expect, test } from 'vitest'
import {
  CodecError, concatColumns, createGrowableColumns, decodeColumns, emptyColumn, encodeColumns, fillColumn, gatherColumn, rowsFromJson, rowToJson,
} from '../../src/codec/index.ts'
import { fromBFloat16, fromFloat16, toBFloat16, toFloat16 } from '../../src/codec/half.ts'
import type { Column, RowBatch } from '../../src/model/column.ts'
import { DataType } from '../../src/model/schema.ts'
import { field, samples, schemaOf } from './samples.ts'

const pk = field('id', DataType.Int64, { isPrimary: true })
const meta = field('$meta', DataType.JSON, { isDynamic: true })
const schema = schemaOf(pk, ...samples(true).map((sample) => sample.field), meta)

/** Rows of all types; every third has nulls, every fourth a dynamic key. */
function makeRows(count: number, from = 0): Record<string, unknown>[] {
  const all = samples(true)
  return Array.from({ length: count }, (_, i) => {
    const row = from + i
    const cells = row % 3 === 1 ? [] : all.map((sample) => [sample.field.name, sample.rows[row % 3]])
    return Object.fromEntries([['id', BigInt(row)], ...cells, ...(row % 4 === 0 ? [['extra', row]] : [])]) as Record<string, unknown>
  })
}

const batch = (count: number, from = 0): RowBatch => rowsFromJson(makeRows(count, from), schema)
const show = (columns: ReadonlyMap<number, Column>, rows: Iterable<number>) => Array.from(rows, (row) => rowToJson(schema.fields, columns, row))
const range = (n: number) => Array.from({ length: n }, (_, i) => i)
const mapColumns = (from: RowBatch, change: (column: Column) => Column) => new Map([...from.columns].map(([id, column]) => [id, change(column)]))

describe('gather, concat, fill', () => {
  test('chosen rows, in their order, repeated too', () => {
    const source = batch(20)
    const rows = [19, 0, 0, 7, 8, 9, 1]
    expect(show(mapColumns(source, (column) => gatherColumn(column, rows)), range(rows.length))).toEqual(show(source.columns, rows))
    expect(show(mapColumns(source, (column) => gatherColumn(column, Uint32Array.from(rows))), [3])).toEqual(show(source.columns, [7]))
    for (const column of mapColumns(source, (c) => gatherColumn(c, [])).values()) expect(column.length).toBe(0)
  })

  test('parts one after the other', () => {
    const parts = [batch(5), batch(0), batch(1, 5), batch(9, 6)]
    const joined = new Map(schema.fields.map((f) => [f.id, concatColumns(parts.map((part) => part.columns.get(f.id) as Column))]))
    expect(show(joined, range(15))).toEqual(show(batch(15).columns, range(15)))
    expect(() => concatColumns([])).toThrow(RangeError)
  })

  test('filled columns hold the default, or null', () => {
    const fields = [field('a', DataType.Int64, { defaultValue: 5n }), field('b', DataType.VarChar, { defaultValue: 'ä' }), field('c', DataType.Bool, { defaultValue: true }), field('d', DataType.Float, { defaultValue: 0.5 })]
    const columns = new Map(fields.map((f) => [f.id, fillColumn(f, 2)]))
    expect(rowToJson(fields, columns, 1)).toEqual(Object.assign(Object.create(null), { a: 5n, b: 'ä', c: true, d: 0.5 }))
    for (const f of schema.fields.filter((f) => f.nullable)) expect(rowToJson([f], new Map([[f.id, fillColumn(f, 2)]]), 1)[f.name]).toBeNull()
    for (const f of schema.fields) expect(emptyColumn(f).length).toBe(0)
    expect(rowToJson([meta], new Map([[meta.id, fillColumn(meta, 3)]]), 2)).toEqual(Object.create(null))
  })
})

describe('bodies of log messages', () => {
  test('come back as they were, at any alignment', () => {
    const source = batch(17)
    const bytes = encodeColumns(source.columns, 17)
    for (const shift of [0, 1, 4, 8, 13]) {
      const moved = new Uint8Array(bytes.length + shift).subarray(shift)
      moved.set(bytes)
      const { length, columns } = decodeColumns(moved)
      expect(length).toBe(17)
      expect(show(columns, range(17))).toEqual(show(source.columns, range(17)))
    }
    expect(decodeColumns(encodeColumns(new Map(), 0))).toEqual({ length: 0, columns: new Map() })
  })

  test('vectors are views', () => {
    const bytes = encodeColumns(batch(3).columns, 3)
    for (const column of decodeColumns(bytes).columns.values()) if (column.kind === 'vector') expect(column.data.buffer).toBe(bytes.buffer)
  })

  test('columns with spare room are written at their length', () => {
    const growing = createGrowableColumns(schema, { shared: true })
    growing.append(batch(5))
    const columns = new Map(schema.fields.map((f) => [f.id, growing.column(f.id) as Column]))
    expect(show(decodeColumns(encodeColumns(columns, 5)).columns, range(5))).toEqual(show(batch(5).columns, range(5)))
  })

  test('broken bytes are errors', () => {
    const good = encodeColumns(batch(6).columns, 6)
    for (let end = 0; end < good.length; end += 7) expect(() => decodeColumns(good.slice(0, end))).toThrow(Error)
    for (let seed = 0; seed < 3000; seed++) {
      const bytes = good.slice()
      bytes[(seed * 7919) % Math.min(bytes.length, 400)] = (seed * 31) & 0xff
      try {
        for (const column of decodeColumns(bytes).columns.values()) expect(column.length).toBeLessThan(2 ** 32)
      } catch (error) {
        if (!(error instanceof Error) || error instanceof TypeError) throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  })
})

describe('growable columns', () => {
  test('hold all rows, and columns taken before stay right', () => {
    const growing = createGrowableColumns(schema, { shared: true })
    const taken: { columns: Map<number, Column>; length: number }[] = []
    const sizes = [1, 0, 5, 64, 3, 200, 1]
    let length = 0
    for (const size of sizes) {
      growing.append(batch(size, length))
      length += size
      expect(growing.length).toBe(length)
      taken.push({ length, columns: new Map(schema.fields.map((f) => [f.id, growing.column(f.id) as Column])) })
    }
    const expected = show(batch(length).columns, range(length))
    for (const { columns, length: rows } of taken) {
      for (const column of columns.values()) expect(column.length).toBe(rows)
      expect(show(columns, range(rows))).toEqual(expected.slice(0, rows))
    }
    for (const column of taken.at(-1)?.columns.values() ?? []) if (column.kind === 'vector') expect(column.data.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(growing.column(99_999)).toBeUndefined()
  })

  test('rows without a column of the schema get the default or null', () => {
    const growing = createGrowableColumns(schemaOf(pk, field('n', DataType.Int32, { nullable: true })), { shared: false })
    growing.append({ length: 2, columns: new Map([[pk.id, { kind: 'int64', type: DataType.Int64, length: 2, valid: undefined, values: new BigInt64Array(2) }]]) })
    expect(growing.length).toBe(2)
    expect(() => growing.append({ length: 1, columns: new Map([[pk.id, { kind: 'bool', type: DataType.Bool, length: 1, valid: undefined, values: new Uint8Array(1) }]]) })).toThrow(TypeError)
  })
})

describe('rows of JSON', () => {
  test('come out as they went in', () => {
    const rows = makeRows(12)
    const all = samples(true)
    const out = show(batch(12).columns, range(12))
    rows.forEach((row, i) => {
      const want = Object.fromEntries([['id', row['id']], ...all.map(({ field: { name } }) => [name, row[name] ?? null]), ...('extra' in row ? [['extra', row['extra']]] : [])])
      expect({ ...out[i] }).toEqual(want)
    })
  })

  test('integers are exact from bigints and decimal text', () => {
    const s = schemaOf(pk, meta)
    const { columns } = rowsFromJson([{ id: '9223372036854775807', big: 9007199254740993n }, new Map<string, unknown>([['id', -1], ['__proto__', { x: [1n] }]])], s)
    expect(rowToJson([pk], columns, 0)['id']).toBe(9223372036854775807n)
    const column = columns.get(meta.id)
    expect(column?.kind === 'json' && new TextDecoder().decode(column.data)).toBe('{"big":9007199254740993}{"__proto__":{"x":[1]}}')
  })

  test.each<[string, unknown[], string]>([
    ['no object', [5], 'row number 0 is not a JSON object'],
    ['a list', [[1]], 'row number 0 is not a JSON object'],
    ['no key', [{}], 'field id is required, row number: 0'],
    ['a fraction', [{ id: 1.5 }], 'field id: expected Int64, got 1.5 (number), row number: 0'],
    ['an unsafe integer', [{ id: 2 ** 53 }], 'expected Int64'],
    ['too large', [{ id: '9223372036854775808' }], 'expected Int64'],
    ['an object for a number', [{ id: 1, i32: {} }], 'field i32: expected Int32, got an object'],
    ['int8', [{ id: 1, i8: 200 }], 'out of range'],
    ['a vector of text', [{ id: 1, vec: ['a', 'b'] }], 'a vector is an array of numbers'],
    ['a short vector', [{ id: 1, vec: [1] }], 'the dim (1) of field data(vec) is not equal to schema dim (2), row number: 0'],
    ['no vector', [{ id: 1, vec: 'x' }], 'a vector is an array of numbers'],
    ['a vector of large bytes', [{ id: 1, int8v: [1, 2, 3, 128] }], 'out of range'],
    ['an array of text', [{ id: 1, list: ['x'] }], 'field list: expected Int64'],
    ['$meta', [{ id: 1, $meta: {} }], 'dynamic json cannot include $meta'],
    ['a function', [{ id: 1, doc: () => 1 }], 'a value is not JSON'],
  ])('%s is refused', (_, rows, message) => {
    expect(() => rowsFromJson(rows, schema)).toThrow(CodecError)
    expect(() => rowsFromJson(rows, schema)).toThrow(message)
  })

  test('more fields than the schema are refused without a dynamic field', () => {
    expect(() => rowsFromJson([{ id: 1, x: 1 }], schemaOf(pk))).toThrow('which has no dynamic field')
  })

  test('deep JSON is refused', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(() => rowsFromJson([{ id: 1, doc: deep }], schema)).toThrow('nested deeper')
  })
})

describe('16-bit floats', () => {
  test('every half and bfloat16 comes back', () => {
    for (let bits = 0; bits < 65_536; bits++) {
      if (Number.isFinite(fromFloat16(bits))) expect(toFloat16(fromFloat16(bits))).toBe(bits)
      if (Number.isFinite(fromBFloat16(bits))) expect(toBFloat16(fromBFloat16(bits))).toBe(bits)
    }
  })
  test('rounding and the ends', () => {
    expect([toFloat16(65_504), toFloat16(65_536), toFloat16(-1e9), toFloat16(2 ** -25), toFloat16(1 + 2 ** -11), toFloat16(1 + 3 * 2 ** -11)]).toEqual([0x7bff, 0x7c00, 0xfc00, 0, 0x3c00, 0x3c02])
    expect(Number.isNaN(fromFloat16(toFloat16(NaN)))).toBe(true)
    expect(Number.isNaN(fromBFloat16(toBFloat16(NaN)))).toBe(true)
    expect(toBFloat16(1 + 2 ** -8)).toBe(0x3f80)
    expect(toBFloat16(1 + 3 * 2 ** -8)).toBe(0x3f82)
  })
})
