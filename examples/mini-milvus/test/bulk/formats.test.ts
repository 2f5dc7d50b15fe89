/** Rows of every type go into files of every format and come out as they were. */
import { describe, expect, it } from 'vitest'
import { jsonLines } from '../../src/bulk/json-lines.ts'
import { openFiles } from '../../src/bulk/open-file.ts'
import { createParquetWriter } from '../../src/bulk/parquet-writer.ts'
import type { ReadOptions } from '../../src/bulk/reader.ts'
import type { BulkFile } from '../../src/bulk/source.ts'
import { toFloat16 } from '../../src/codec/half.ts'
import { rowToJson } from '../../src/codec/row-json.ts'
import type { RowBatch } from '../../src/model/column.ts'
import { type CollectionSchema, DataType, type FieldSchema } from '../../src/model/schema.ts'
import { stringifyJson } from '../../src/rest/json.ts'
import { seededRandom } from '../e2e/support.ts'
import { bytesOf, DIM, field, fileOf, joinBytes, npy, sampleRows, toBatch, wholeSchema } from './samples.ts'

const schema = wholeSchema()
const optionsOf = (of: CollectionSchema): ReadOptions => ({ schema: of, allowInsertAutoId: false, separator: ',', nullText: '' })

async function readAll(files: readonly BulkFile[], of: CollectionSchema = schema, firstRow = 0, more: Partial<ReadOptions> = {}): Promise<{ rows: unknown[]; totalRows: number | undefined }> {
  const reader = await openFiles(files, { ...optionsOf(of), ...more })
  const rows: unknown[] = []
  let next = firstRow
  for await (const { batch, firstRow: first, read } of reader.batches(firstRow)) {
    expect(first).toBe(next)
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThanOrEqual(1)
    rows.push(...shown(batch, of.fields))
    next += batch.length
  }
  return { rows, totalRows: reader.totalRows }
}

const shown = (batch: RowBatch, fields: readonly FieldSchema[]): unknown[] => Array.from({ length: batch.length }, (_, row) => ({ ...rowToJson(fields, batch.columns, row) }))

function parquet(batches: readonly RowBatch[], of: CollectionSchema = schema): Uint8Array {
  const writer = createParquetWriter(of.fields)
  return joinBytes([...batches.map((batch) => writer.add(batch)), writer.finish()])
}

function csv(rows: readonly Map<string, unknown>[], names: readonly string[], nullText: string): Uint8Array {
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
  const cell = (value: unknown): string => (value === null || value === undefined ? nullText : quoted(typeof value === 'string' ? value : stringifyJson(value)))
  return bytesOf([names.join(','), ...rows.map((row) => names.map((name) => cell(row.get(name))).join(','))].join('\n'))
}

describe.each([1, 2, 3, 4, 5])('every type, seed %i', (seed) => {
  const rows = sampleRows(schema, 50 + seed * 37, seededRandom(seed))
  const expected = shown(toBatch(rows, schema), schema.fields)
  const objects = rows.map((row) => Object.fromEntries(row))

  it('JSON: rows, a list, lines; also from the middle', async () => {
    const forms = [`{"rows": ${stringifyJson(objects)}}`, ` \n${stringifyJson(objects)}\n`, objects.map((row) => stringifyJson(row)).join('\n'), objects.map((row) => stringifyJson(row)).join('')]
    for (const form of forms) expect((await readAll([fileOf('x.json', bytesOf(form))])).rows).toEqual(expected)
    expect((await readAll([fileOf('x.json', bytesOf(forms[2] as string))], schema, 33)).rows).toEqual(expected.slice(33))
  })

  it('JSON lines as they are exported, with $meta as an object', async () => {
    expect((await readAll([fileOf('x.ndjson', bytesOf(jsonLines(schema.fields, toBatch(rows, schema))))])).rows).toEqual(expected)
    const nested = objects.map(({ color, count, ...row }) => ({ ...row, $meta: { color, count } }))
    expect((await readAll([fileOf('x.json', bytesOf(stringifyJson(nested)))])).rows).toEqual(expected)
  })

  it('Parquet, in several row groups; also from the middle', async () => {
    const parts = [toBatch(rows.slice(0, 20), schema), toBatch(rows.slice(20, 21), schema), toBatch(rows.slice(21), schema)]
    const file = fileOf('x.parquet', parquet(parts))
    const read = await readAll([file])
    expect(read.totalRows).toBe(rows.length)
    expect(read.rows).toEqual(expected)
    for (const from of [5, 20, 27]) expect((await readAll([file], schema, from)).rows).toEqual(expected.slice(from))
  })

  it('CSV, with a text for null; also from the middle', async () => {
    const names = [...schema.fields.filter(({ isDynamic, struct }) => !isDynamic && struct === undefined).map(({ name }) => name), 'items', 'items_null', 'color', 'count']
    // A key that is absent and one that is null differ in the dynamic field alone.
    const file = fileOf('x.csv', csv(rows, names, 'NULL'))
    expect((await readAll([file], schema, 0, { nullText: 'NULL' })).rows).toEqual(expected)
    expect((await readAll([file], schema, 40, { nullText: 'NULL' })).rows).toEqual(expected.slice(40))
  })
})

describe('NumPy', () => {
  const fields = [
    field(100, 'id', DataType.Int64, { isPrimary: true }),
    field(101, 'ok', DataType.Bool),
    field(102, 'tiny', DataType.Int8),
    field(103, 'ratio', DataType.Float),
    field(104, 'exact', DataType.Double),
    field(105, 'name', DataType.VarChar, { maxLength: 64 }),
    field(106, 'doc', DataType.JSON),
    field(107, 'vec', DataType.FloatVector, { dim: DIM }),
    field(108, 'bits', DataType.BinaryVector, { dim: DIM }),
    field(109, 'half', DataType.Float16Vector, { dim: DIM }),
    field(110, 'brain', DataType.BFloat16Vector, { dim: DIM }),
    field(111, 'small', DataType.Int8Vector, { dim: DIM }),
    field(112, 'when', DataType.Timestamptz, { nullable: true }),
  ]
  const of: CollectionSchema = { name: 'columns', description: '', fields, enableDynamicField: false }
  const count = 9000
  const random = seededRandom(9)
  const floats = Float32Array.from({ length: count * DIM }, () => Math.floor(random() * 64) / 16)
  const raw = (array: Float32Array | Float64Array | BigInt64Array | Int8Array | Uint16Array): Uint8Array => new Uint8Array(array.buffer)
  const utf32 = (texts: readonly string[], width: number): Uint8Array => {
    const data = new Uint32Array(texts.length * width)
    texts.forEach((text, row) => Array.from(text).forEach((char, at) => (data[row * width + at] = char.codePointAt(0) as number)))
    return new Uint8Array(data.buffer)
  }
  const names = Array.from({ length: count }, (_, row) => `n😀${row}`)
  const columns: Record<string, Uint8Array> = {
    id: npy('<i8', [count], raw(BigInt64Array.from({ length: count }, (_, row) => BigInt(row) * 1_000_000_007n))),
    ok: npy('|b1', [count], Uint8Array.from({ length: count }, (_, row) => row % 2)),
    tiny: npy('|i1', [count], raw(Int8Array.from({ length: count }, (_, row) => row))),
    ratio: npy('<f8', [count], raw(Float64Array.from({ length: count }, (_, row) => row / 4))),
    exact: npy('<f4', [count], raw(Float32Array.from({ length: count }, (_, row) => row / 8))),
    name: npy('<U8', [count], utf32(names, 8)),
    doc: npy('|S16', [count], joinBytes(names.map((_, row) => bytesOf(`{"r":${row}}`.padEnd(16, '\0'))))),
    vec: npy('<f8', [count, DIM], raw(Float64Array.from(floats))),
    bits: npy('|u1', [count, 1], Uint8Array.from({ length: count }, (_, row) => row)),
    half: npy('<f4', [count, DIM], raw(floats)),
    brain: npy('|u1', [count, DIM * 2], new Uint8Array(count * DIM * 2)),
    small: npy('|i1', [count, DIM], raw(Int8Array.from({ length: count * DIM }, (_, i) => i))),
  }
  const files = (given: Record<string, Uint8Array>): BulkFile[] => Object.entries(given).map(([name, bytes]) => fileOf(`dir/${name}.npy`, bytes))

  it('a file a field, of every type that it has', async () => {
    const { rows, totalRows } = await readAll(files(columns), of)
    expect(totalRows).toBe(count)
    const row = 8321
    const vec = Array.from(floats.subarray(row * DIM, row * DIM + DIM))
    expect(rows).toHaveLength(count)
    expect(rows[row]).toEqual({
      id: BigInt(row) * 1_000_000_007n, ok: true, tiny: (row << 24) >> 24, ratio: row / 4, exact: row / 8, name: names[row], doc: { r: row },
      vec, bits: [row & 0xff], half: vec, brain: Array.from({ length: DIM }, () => 0), small: Array.from({ length: DIM }, (_, i) => ((row * DIM + i) << 24) >> 24), when: null,
    })
    expect((await readAll(files(columns), of, 8000)).rows).toEqual(rows.slice(8000))
    expect(toFloat16(1)).toBe(0x3c00)
  })

  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ['another length', { ...columns, ok: npy('|b1', [3], new Uint8Array(3)) }, /has 3 rows, but .*id\.npy has 9000/],
    ['another dimension', { ...columns, vec: npy('<f4', [count, 4], new Uint8Array(count * 16)) }, /vec\.npy: field vec: expected rows of 8 items/],
    ['another type', { ...columns, id: npy('<f8', [count], new Uint8Array(count * 8)) }, /id\.npy: field id: expected one of the types i1/],
    ['objects', { ...columns, name: npy('|O8', [count], new Uint8Array(count * 8)) }, /name\.npy: field name: expected one of the types U, S/],
    ['no field', { ...columns, other: npy('<f8', [count], new Uint8Array(count * 8)) }, /no field "other"/],
    ['a header that lies', { ...columns, id: npy('<i8', [2 ** 40], new Uint8Array(8)) }, /1099511627776 items of 8 bytes, but 8 bytes follow/],
    ['other bytes', { ...columns, id: new Uint8Array(1000) }, /expected a NumPy file/],
    ['a missing field', Object.fromEntries(Object.entries(columns).filter(([name]) => name !== 'vec')), /vec.*has no corresponding fieldData/],
  ])('refuses %s', async (_name, given, message) => {
    await expect(readAll(files(given), of)).rejects.toThrow(message)
  })
})

describe('S17: files that are wrong', () => {
  const small: CollectionSchema = { name: 'small', description: '', fields: [field(100, 'id', DataType.Int64, { isPrimary: true }), field(101, 'vec', DataType.FloatVector, { dim: 2 }), field(102, 'n', DataType.Int8, { nullable: true })], enableDynamicField: false }

  it.each<[string, string, RegExp]>([
    ['nothing', '', /the file is empty/],
    ['no rows', '12', /expected a list or an object of rows, got "1"/],
    ['a cut list', '[{"id":1,"vec":[1,2]}', /ends inside of its JSON/],
    ['a cut row', '[{"id":1,"vec":[1,2]},{"id"', /ends inside of its JSON/],
    ['more behind the end', '[{"id":1,"vec":[1,2]}] 7', /more behind the end/],
    ['a missing comma', '[{"id":1,"vec":[1,2]} {"id":2,"vec":[1,2]}]', /expected a row/],
    ['an item that is no row', '[{"id":1,"vec":[1,2]}, 5]', /expected a row .*row number: 1/],
    ['a row that is no JSON', '[{"id":1,"vec":[1,2]},{"id":2,"vec":[1,2],}]', /not valid JSON, row number: 1/],
    ['a wrong type', '{"id":1,"vec":[1,2]}\n{"id":"x","vec":[1,2]}', /^x\.json: field id: expected Int64, got x \(string\), row number: 1$/],
    ['a number out of range', '[{"id":1,"vec":[1,2],"n":3},{"id":2,"vec":[1,2],"n":128}]', /field n/],
    ['an unknown field', '[{"id":1,"vec":[1,2],"z":3}]', /more fields than collection/],
    ['a missing field', '[{"id":1}]', /field vec is required, row number: 0/],
    ['too deep', `[{"id":1,"vec":${'['.repeat(100)}${']'.repeat(100)}}]`, /nested deeper/],
  ])('JSON: %s', async (_name, text, message) => {
    await expect(readAll([fileOf('x.json', bytesOf(text))], small)).rejects.toThrow(message)
  })

  it.each<[string, string, RegExp]>([
    ['nothing', '', /expected a header line/],
    ['an unknown field', 'id,vec,z\n1,"[1,2]",3', /the header names "z", which is no field/],
    ['a field twice', 'id,id\n1,2', /names "id" twice/],
    ['a missing cell', 'id,vec\n1', /x\.csv: Invalid Record Length/],
    ['an open quote', 'id,vec\n1,"[1,2]', /x\.csv: Quote Not Closed/],
    ['a wrong vector', 'id,vec\n1,"[1,2]"\n2,"[1"', /^x\.csv: field vec: expected FloatVector, got .* row number: 1$/],
    ['a wrong number', 'id,vec\n1.5,"[1,2]"', /field id: expected Int64/],
  ])('CSV: %s', async (_name, text, message) => {
    await expect(readAll([fileOf('x.csv', bytesOf(text))], small)).rejects.toThrow(message)
  })

  it('CSV takes another separator, a byte order mark and empty lines', async () => {
    const { rows } = await readAll([fileOf('x.csv', bytesOf('\ufeffid;vec;n\r\n1;"[1,2]";\r\n\r\n2;"[3,4]";5\r\n'))], small, 0, { separator: ';' })
    expect(rows).toEqual([{ id: 1n, vec: [1, 2], n: null }, { id: 2n, vec: [3, 4], n: 5 }])
  })

  it('Parquet: whatever byte is changed or missing, there are rows or an error that names the file', async () => {
    const random = seededRandom(77)
    const bytes = parquet([toBatch(sampleRows(schema, 40, random), schema)])
    for (let round = 0; round < 300; round++) {
      const broken = bytes.slice(0, random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length)
      for (let i = 0; i < 1 + random() * 3 && broken.length > 0; i++) broken[Math.floor(random() * broken.length)] = Math.floor(random() * 256)
      try {
        await readAll([fileOf('broken.parquet', broken)])
      } catch (error) {
        expect(error, `round ${round}`).toMatchObject({ name: 'ImportError', message: expect.stringContaining('broken.parquet') as string })
      }
    }
  })

  it('Parquet: columns that do not fit say which field', async () => {
    const other: CollectionSchema = { ...small, fields: [small.fields[0] as FieldSchema, field(101, 'vec', DataType.FloatVector, { dim: 3 })] }
    const rows = [new Map<string, unknown>([['id', 1n], ['vec', [1, 2, 3]]])]
    await expect(readAll([fileOf('x.parquet', parquet([toBatch(rows, other)], other))], small)).rejects.toThrow(/^x\.parquet: field vec: expected 2 items a row for dim 2, got 3, row number: 0$/)
    await expect(readAll([fileOf('x.parquet', parquet([toBatch(rows, other)], other))], { ...small, fields: [small.fields[0] as FieldSchema] })).rejects.toThrow(/field "vec" is not in the schema/)
  })

  it('groups: a file each, but NumPy by folder; one type a group', async () => {
    await expect(openFiles([fileOf('a.json', bytesOf('[]')), fileOf('b.json', bytesOf('[]'))], optionsOf(small))).rejects.toThrow(/takes one file of type json, got 2/)
    await expect(openFiles([fileOf('a.json', bytesOf('[]')), fileOf('b.csv', bytesOf(''))], optionsOf(small))).rejects.toThrow(/files of one group are of one type/)
  })
})
