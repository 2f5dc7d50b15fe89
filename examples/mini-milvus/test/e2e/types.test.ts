/** Every scalar type with values, nulls, defaults and dynamic keys; filters against a plain evaluation; growing and sealed alike. */
import { DataType, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'types'
const ROWS = 600
const SEALED = 400

interface Row {
  readonly id: string
  readonly vec: readonly number[]
  readonly flag: boolean | null
  readonly i8: number
  readonly i16: number | null
  readonly i32: number | null
  readonly i64: bigint
  readonly f32: number
  readonly f64: number | null
  readonly text: string | null
  readonly json: { readonly a: number; readonly tags: readonly string[]; readonly deep: { readonly s: string } } | null
  readonly ints: readonly number[] | null
  readonly words: readonly string[]
  readonly color?: string
}

const random = seededRandom(11)
const below = (n: number): number => Math.floor(random() * n)
const maybe = <T>(value: T): T | null => (random() < 0.25 ? null : value)
const word = (): string => ['apple', 'pear', 'fig', 'Ünïcode 🍐', '100%_x', ''][below(6)] as string

/** Fields with `null` here are sent as null and read back as null, or as their default where they have one. */
const rows: Row[] = Array.from({ length: ROWS }, (_, i) => ({
  id: `key-${String(i).padStart(5, '0')}`,
  vec: [random(), random(), random(), random()],
  flag: maybe(random() < 0.5),
  i8: below(256) - 128,
  i16: maybe(below(65_536) - 32_768),
  i32: maybe(below(2 ** 31)),
  i64: 9_007_199_254_740_993n + BigInt(i),
  f32: Math.fround(random() * 100),
  f64: maybe(random() * 100),
  text: maybe(word()),
  json: maybe({ a: below(10), tags: [word(), word()], deep: { s: word() } }),
  ints: maybe(Array.from({ length: below(5) }, () => below(10))),
  words: Array.from({ length: below(4) }, word),
  ...(i % 3 === 0 ? { color: ['red', 'blue'][i % 2] as string } : {}),
}))
const expectedRow = (row: Row): Row => ({ ...row, i32: row.i32 ?? 42 })

describe('types', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
    const { client } = test
    const nullable = { nullable: true }
    const created = await client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      enable_dynamic_field: true,
      fields: [
        { name: 'id', data_type: DataType.VarChar, is_primary_key: true, max_length: 16 },
        { name: 'vec', data_type: DataType.FloatVector, dim: 4 },
        { name: 'flag', data_type: DataType.Bool, ...nullable },
        { name: 'i8', data_type: DataType.Int8 },
        { name: 'i16', data_type: DataType.Int16, ...nullable },
        { name: 'i32', data_type: DataType.Int32, ...nullable, default_value: 42 },
        { name: 'i64', data_type: DataType.Int64 },
        { name: 'f32', data_type: DataType.Float },
        { name: 'f64', data_type: DataType.Double, ...nullable },
        { name: 'text', data_type: DataType.VarChar, max_length: 64, ...nullable },
        { name: 'json', data_type: DataType.JSON, ...nullable },
        { name: 'ints', data_type: DataType.Array, element_type: DataType.Int32, max_capacity: 8, ...nullable },
        { name: 'words', data_type: DataType.Array, element_type: DataType.VarChar, max_capacity: 8, max_length: 64 },
      ],
      index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }],
    })
    expect(created.error_code).toBe('Success')
    await client.loadCollectionSync({ collection_name })
    for (const [begin, end] of [[0, 250], [250, SEALED], [SEALED, ROWS]] as const) {
      const data = rows.slice(begin, end).map((row) => ({ ...row, i64: row.i64.toString() })) as unknown as RowData[]
      expect((await client.insert({ collection_name, data })).status).toMatchObject({ error_code: 'Success' })
      if (end <= SEALED) await client.flushSync({ collection_names: [collection_name] })
    }
  })
  afterAll(() => test.close())

  it('give back what was put in, sealed rows and growing ones', async () => {
    const { client } = test
    const found = await client.query({ collection_name, filter: 'id >= ""', output_fields: ['*'], limit: ROWS })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    expect(found.data).toHaveLength(ROWS)
    found.data.forEach((got, i) => {
      const { color, vec, i64, words, f32, ...plain } = expectedRow(rows[i] as Row)
      expect(got).toMatchObject({ ...plain, i64: i64.toString(), words })
      expect(got['f32']).toBeCloseTo(f32, 4)
      expect((got['vec'] as number[]).map(Math.fround)).toEqual(vec.map(Math.fround))
      expect(got['$meta']).toEqual(color === undefined ? {} : { color })
    })
  })

  const filters: readonly (readonly [string, (row: Row) => boolean])[] = [
    ['flag == true', (row) => row.flag === true],
    ['not (flag == true)', (row) => row.flag === false],
    ['flag is null', (row) => row.flag === null],
    ['i8 in [-5, 7, 100]', (row) => [-5, 7, 100].includes(row.i8)],
    ['i8 % 2 == 0', (row) => row.i8 % 2 === 0],
    ['i16 > 0', (row) => row.i16 !== null && row.i16 > 0],
    ['i16 != 5', (row) => row.i16 !== null && row.i16 !== 5],
    ['i32 == 42', (row) => (row.i32 ?? 42) === 42],
    ['i64 >= 9007199254741100', (row) => row.i64 >= 9_007_199_254_741_100n],
    ['10 < f32 <= 20', (row) => row.f32 > 10 && row.f32 <= 20],
    ['f64 < 50 or f64 is null', (row) => row.f64 === null || row.f64 < 50],
    ['f64 * 2 > 150', (row) => row.f64 !== null && row.f64 * 2 > 150],
    ['text == "apple"', (row) => row.text === 'apple'],
    ['text != "apple"', (row) => row.text !== null && row.text !== 'apple'],
    ['text like "p%"', (row) => row.text?.startsWith('p') === true],
    [String.raw`text like "100\\%\\_%"`, (row) => row.text?.startsWith('100%_') === true],
    ['text in ["fig", "Ünïcode 🍐"]', (row) => row.text === 'fig' || row.text === 'Ünïcode 🍐'],
    ['text is not null and text == ""', (row) => row.text === ''],
    ['json["a"] > 4', (row) => row.json !== null && row.json.a > 4],
    ['json["deep"]["s"] == "pear"', (row) => row.json?.deep.s === 'pear'],
    ['json_contains(json["tags"], "fig")', (row) => row.json?.tags.includes('fig') === true],
    ['exists json["a"]', (row) => row.json !== null],
    ['array_contains(ints, 3)', (row) => row.ints?.includes(3) === true],
    ['array_length(ints) == 2', (row) => row.ints?.length === 2],
    ['ints[0] == 4', (row) => row.ints?.[0] === 4],
    ['array_contains_any(words, ["apple", "fig"])', (row) => row.words.some((item) => item === 'apple' || item === 'fig')],
    ['color == "red"', (row) => row.color === 'red'],
    ['exists color', (row) => row.color !== undefined],
    ['$meta["color"] in ["blue"]', (row) => row.color === 'blue'],
    ['id > "key-00390" and id < "key-00410"', (row) => row.id > 'key-00390' && row.id < 'key-00410'],
    ['(i8 < 0 or flag == false) and not (text like "%e%")', (row) => (row.i8 < 0 || row.flag === false) && row.text !== null && !row.text.includes('e')],
  ]

  it.each(filters)('filter: %s', async (filter, matches) => {
    const { client } = test
    const expected = rows.filter(matches).map(({ id }) => id)
    expect(expected.length).toBeGreaterThan(0)
    const found = await client.query({ collection_name, filter, output_fields: ['id'], limit: ROWS })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    expect(found.data.map((row) => row['id'])).toEqual(expected)
    expect((await client.count({ collection_name, expr: filter })).data).toBe(expected.length)
    const hits = await client.search({ collection_name, data: [0.5, 0.5, 0.5, 0.5], filter, limit: ROWS, output_fields: ['id'] })
    expect(hits.results.map((hit) => String(hit['id'])).sort()).toEqual(expected)
  })

  it('templates are values, whatever is in them', async () => {
    const { client } = test
    const evil = '" or id != "'
    const none = await client.query({ collection_name, filter: 'text == {word}', exprValues: { word: evil }, limit: 10 })
    expect(none).toMatchObject({ status: { error_code: 'Success' }, data: [] })
    const found = await client.query({ collection_name, filter: 'i8 in {numbers} and text in {words}', exprValues: { numbers: [1, 2, 3], words: ['apple', 'pear'] }, output_fields: ['id'], limit: ROWS })
    const expected = rows.filter((row) => [1, 2, 3].includes(row.i8) && (row.text === 'apple' || row.text === 'pear'))
    expect(found.data.map((row) => row['id'])).toEqual(expected.map(({ id }) => id))
  })

  it('order by fields, nulls last, by key where they are equal', async () => {
    const { client } = test
    const found = await client.query({ collection_name, filter: 'i8 < 0', output_fields: ['id', 'f64'], limit: 50, offset: 5, order_by_fields: [{ field: 'f64' }] })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    const expected = rows.filter((row) => row.i8 < 0).sort((a, b) => (a.f64 ?? Infinity) - (b.f64 ?? Infinity) || (a.id < b.id ? -1 : 1))
    expect(found.data.map((row) => row['id'])).toEqual(expected.slice(5, 55).map(({ id }) => id))
  })
})
