/** Scalar indexes through the client: built, told, used, dropped, and healed when their file is damaged. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const ROWS = 1200
const collection_name = 'shop'
const indexed = { price: 'STL_SORT', city: 'INVERTED', sold: 'BITMAP', name: 'Trie', tags: 'INVERTED', grade: 'AUTOINDEX' }
const cities = ['Bern', 'Berlin', 'Lima', 'Oslo']
const rows = Array.from({ length: ROWS }, (_, id) => ({
  id,
  price: ((id * 7919) % 1000) / 4,
  city: id % 11 === 0 ? null : cities[id % 4],
  sold: id % 3 === 0,
  name: `n${id % 300}`,
  tags: [id % 50, (id * 3) % 50],
  grade: id % 20,
  doc: id % 13 === 0 ? null : { size: id % 7 === 0 ? `${id % 40}` : id % 40, deep: { 'a "b"': [id % 90 === 1 ? `x${id % 30}` : id] }, is: id % 100 === 5 },
  color: id % 17 === 0 ? 3 : ['red', 'green', 'blue'][id % 3],
  place: id % 19 === 0 ? null : `POINT (${id % 40} ${Math.floor(id / 40)})`,
  vec: [id, 1],
}))

let folder = ''
let test: TestNode | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-scalar-'))
})
afterEach(async () => {
  await stop()
  await rm(folder, { recursive: true, force: true })
})

async function stop(): Promise<void> {
  await test?.close()
  test = undefined
}

async function start(): Promise<TestNode> {
  test = await startTestNode({ dataDir: folder, parameters: { 'indexNode.minRows': 100 } })
  return test
}

async function fill({ client }: TestNode): Promise<void> {
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: 5, is_primary_key: true },
      { name: 'price', data_type: 10 },
      { name: 'city', data_type: 21, max_length: 20, nullable: true },
      { name: 'sold', data_type: 1 },
      { name: 'name', data_type: 21, max_length: 20 },
      { name: 'tags', data_type: 22, element_type: 4, max_capacity: 4 },
      { name: 'grade', data_type: 2 },
      { name: 'doc', data_type: 23, nullable: true },
      { name: 'place', data_type: 24, nullable: true },
      { name: 'vec', data_type: 101, dim: 2 },
    ],
    enable_dynamic_field: true,
    index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
    consistency_level: 'Strong',
  })
  await client.insert({ collection_name, data: rows })
  await client.flushSync({ collection_names: [collection_name] })
}

const files = async (): Promise<string[]> => (await readdir(join(folder, 'objects'), { recursive: true })).filter((name) => name.endsWith('.sorted'))

async function untilBuilt({ client }: TestNode, fields: readonly string[]): Promise<void> {
  for (const field_name of fields) {
    await expect
      .poll(async () => {
        const [index] = (await client.describeIndex({ collection_name, field_name })).index_descriptions
        return [index?.state, Number(index?.indexed_rows), Number(index?.pending_index_rows)]
      }, { timeout: 20_000 })
      .toEqual(['Finished', ROWS, 0])
    expect((await client.getIndexState({ collection_name, field_name })).state).toBe('Finished')
  }
}

type Test = (row: (typeof rows)[number]) => boolean
const filters: readonly (readonly [string, Test])[] = [
  ['price == 12.5', (row) => row.price === 12.5],
  ['20 <= price < 25', (row) => row.price >= 20 && row.price < 25],
  ['city == "Lima"', (row) => row.city === 'Lima'],
  ['city like "Ber%" and grade == 3', (row) => row.city?.startsWith('Ber') === true && row.grade === 3],
  ['not (city in ["Bern", "Oslo", "Lima"])', (row) => row.city === 'Berlin'],
  ['sold == true and name == "n30"', (row) => row.sold && row.name === 'n30'],
  ['name in ["n1", "n2", "n299"]', (row) => ['n1', 'n2', 'n299'].includes(row.name)],
  ['array_contains(tags, 7)', (row) => row.tags.includes(7)],
  ['array_contains_all(tags, [1, 3])', (row) => row.tags.includes(1) && row.tags.includes(3)],
  ['grade == 19 or price < 1', (row) => row.grade === 19 || row.price < 1],
]

async function checkAnswers({ client }: TestNode, asked = filters): Promise<void> {
  for (const [filter, holds] of asked) {
    const expected = rows.filter(holds).map(({ id }) => String(id))
    const { data } = await client.query({ collection_name, filter, output_fields: ['id'], limit: ROWS })
    expect({ filter, ids: data.map(({ id }) => String(id)) }).toEqual({ filter, ids: expected })
    const { results } = await client.search({ collection_name, data: [0, 1], filter, limit: 5 })
    expect({ filter, ids: results.map(({ id }) => String(id)) }).toEqual({ filter, ids: expected.slice(0, 5) })
  }
}

it('builds them, tells how far it is, answers as a scan would, also after a restart, and drops their files', async () => {
  const before = await start()
  await fill(before)
  await before.client.loadCollectionSync({ collection_name })
  await checkAnswers(before)
  for (const [field_name, index_type] of Object.entries(indexed)) expect((await before.client.createIndex({ collection_name, field_name, index_type })).error_code).toBe('Success')
  await untilBuilt(before, Object.keys(indexed))
  expect(await files()).toHaveLength(Object.keys(indexed).length)
  await checkAnswers(before)
  await stop()

  const after = await start()
  await after.client.loadCollectionSync({ collection_name })
  await untilBuilt(after, Object.keys(indexed))
  await checkAnswers(after)
  for (const field_name of ['city', 'tags']) await after.client.dropIndex({ collection_name, field_name })
  await expect.poll(files, { timeout: 20_000 }).toHaveLength(Object.keys(indexed).length - 2)
  await checkAnswers(after)
})

const paths = [
  { index_name: 'by_size', field_name: 'doc', params: { json_path: 'doc["size"]', json_cast_type: 'DOUBLE' } },
  { index_name: 'by_deep', field_name: 'doc', params: { json_path: String.raw`doc["deep"]["a \"b\""][0]`, json_cast_type: 'varchar' } },
  { index_name: 'by_flag', field_name: 'doc', params: { json_path: "doc['is']", json_cast_type: 'bool' } },
  { index_name: 'by_color', field_name: 'color', params: { json_path: 'color', json_cast_type: 'varchar' } },
]
const jsonFilters: readonly (readonly [string, Test])[] = [
  ['doc["size"] == 3', (row) => row.doc?.size === 3],
  ['doc["size"] == "3"', (row) => row.doc?.size === '3'],
  ['10 < doc["size"] <= 12.5', ({ doc }) => typeof doc?.size === 'number' && doc.size > 10 && doc.size <= 12.5],
  ['doc["size"] in [1, 2, "7"]', ({ doc }) => [1, 2, '7'].includes(doc?.size as number)],
  ['not (doc["size"] > 1)', ({ doc }) => typeof doc?.size === 'number' && doc.size <= 1],
  [String.raw`doc["deep"]["a \"b\""][0] == "x1"`, ({ doc }) => doc?.deep['a "b"'][0] === 'x1'],
  [String.raw`doc["deep"]["a \"b\""][0] like "x%"`, ({ doc }) => typeof doc?.deep['a "b"'][0] === 'string'],
  ['doc["is"] == true', ({ doc }) => doc?.is === true],
  ['color == "red" and doc["size"] < 2', (row) => row.color === 'red' && typeof row.doc?.size === 'number' && row.doc.size < 2],
  ['color == 3', (row) => row.color === 3],
]

it('indexes paths of JSON and keys of the dynamic field, and answers as a scan would, also after a restart', async () => {
  const before = await start()
  await fill(before)
  await before.client.loadCollectionSync({ collection_name })
  await checkAnswers(before, jsonFilters)
  for (const index of paths) expect(await before.client.createIndex({ collection_name, index_type: 'INVERTED', ...index })).toMatchObject({ error_code: 'Success' })
  await expect.poll(files, { timeout: 20_000 }).toHaveLength(paths.length)
  await checkAnswers(before, jsonFilters)
  await stop()

  const after = await start()
  await after.client.loadCollectionSync({ collection_name })
  await checkAnswers(after, jsonFilters)
  const { index_descriptions: told } = await after.client.describeIndex({ collection_name })
  const servedBy = (name: string): string | undefined => told.find(({ index_name }) => index_name === name)?.params.find(({ key }) => key === 'served_by')?.value as string | undefined
  for (const { index_name } of paths) expect(servedBy(index_name)).toBe('STL_SORT')
  await after.client.dropIndex({ collection_name, index_name: 'by_deep' })
  await expect.poll(files, { timeout: 20_000 }).toHaveLength(paths.length - 1)
  await checkAnswers(after, jsonFilters)
})

const wide = [
  { index_name: 'grams', field_name: 'name', index_type: 'NGRAM', params: { min_gram: 2, max_gram: 3 }, served: undefined },
  { index_name: 'color_grams', field_name: 'color', index_type: 'NGRAM', params: { min_gram: 2, max_gram: 2, json_path: 'color', json_cast_type: 'varchar' }, served: undefined },
  { index_name: 'places', field_name: 'place', index_type: 'RTREE', params: {}, served: undefined },
  { index_name: 'lists', field_name: 'doc', index_type: 'INVERTED', params: { json_path: 'doc["deep"]["a \\"b\\""]', json_cast_type: 'ARRAY_DOUBLE' }, served: 'STL_SORT' },
  { index_name: 'flat', field_name: 'doc', index_type: 'INVERTED', params: { json_path: 'doc["is"]', json_cast_type: 'JSON' }, served: 'SCAN' },
]
const deep = (row: (typeof rows)[number]): unknown => row.doc?.deep['a "b"'][0]
const wideFilters: readonly (readonly [string, Test])[] = [
  ['name like "%29%"', ({ name }) => name.includes('29')],
  ['name like "n1%9"', ({ name }) => /^n1.*9$/s.test(name)],
  ['name like "%99"', ({ name }) => name.endsWith('99')],
  ['not (name like "n%")', () => false],
  ['color like "%lu%"', ({ color }) => typeof color === 'string' && color.includes('lu')],
  [String.raw`json_contains(doc["deep"]["a \"b\""], 77)`, (row) => deep(row) === 77],
  [String.raw`json_contains_any(doc["deep"]["a \"b\""], [77, 78, 5000])`, (row) => [77, 78].includes(deep(row) as number)],
  ['st_within(place, "POLYGON ((0.5 0.5, 3.5 0.5, 3.5 2.5, 0.5 2.5, 0.5 0.5))")', ({ id, place }) => place !== null && id % 40 >= 1 && id % 40 <= 3 && Math.floor(id / 40) >= 1 && Math.floor(id / 40) <= 2],
  ['ST_DWITHIN(place, "POINT (6 7)", 1000) and price >= 0', ({ id }) => id === 7 * 40 + 6],
]

it('finds texts by grams, elements of lists in JSON and geometries by their boxes, as a scan would, also after a restart', async () => {
  const before = await start()
  await fill(before)
  await before.client.loadCollectionSync({ collection_name })
  await checkAnswers(before, wideFilters)
  for (const { served: _, ...index } of wide) expect(await before.client.createIndex({ collection_name, ...index })).toMatchObject({ error_code: 'Success' })
  await expect.poll(files, { timeout: 20_000 }).toHaveLength(wide.length - 1)
  await checkAnswers(before, wideFilters)
  await stop()

  const after = await start()
  await after.client.loadCollectionSync({ collection_name })
  await checkAnswers(after, wideFilters)
  const { index_descriptions: told } = await after.client.describeIndex({ collection_name })
  for (const { index_name, served } of wide) {
    const index = told.find((one) => one.index_name === index_name)
    expect([index_name, index?.state, index?.params.find(({ key }) => key === 'served_by')?.value]).toEqual([index_name, 'Finished', served])
  }
})

it('refuses parameters that make no index, in the words of Milvus', async () => {
  const node = await start()
  await fill(node)
  for (const [field_name, index_type, params, reason] of [
    ['name', 'NGRAM', {}, 'Ngram index must specify both min_gram and max_gram'],
    ['name', 'NGRAM', { min_gram: 3, max_gram: 2 }, 'invalid min_gram or max_gram value'],
    ['name', 'NGRAM', { min_gram: 'x', max_gram: 2 }, 'min_gram for Ngram index must be an integer'],
    ['price', 'NGRAM', { min_gram: 2, max_gram: 2 }, "can't build with this index NGRAM"],
    ['doc', 'NGRAM', { min_gram: 2, max_gram: 2, json_path: 'doc["a"]' }, 'JSON field with ngram index must specify json_cast_type'],
    ['doc', 'NGRAM', { min_gram: 2, max_gram: 2, json_path: 'doc["a"]', json_cast_type: 'double' }, 'only supports VARCHAR cast type, got: DOUBLE'],
    ['doc', 'INVERTED', { json_path: 'doc["a"]', json_cast_type: 'ARRAY_INT64' }, 'json_cast_type ARRAY_INT64 is not supported'],
    ['name', 'RTREE', {}, "can't build with this index RTREE"],
  ] as const) {
    const { error_code, reason: told } = await node.client.createIndex({ collection_name, field_name, index_type, params })
    expect([told.includes(reason), error_code === 'Success', told]).toEqual([true, false, told])
  }
})

it('answers without a damaged file, says so, and builds it again', async () => {
  const before = await start()
  await fill(before)
  await before.client.createIndex({ collection_name, field_name: 'city', index_type: 'INVERTED' })
  await untilBuilt(before, ['city'])
  await before.client.loadCollectionSync({ collection_name })
  await stop()
  const [name = ''] = await files()
  const path = join(folder, 'objects', name)
  const good = await readFile(path)
  await writeFile(path, Buffer.from(good).fill(7, 40, 44))

  const after = await start()
  await after.client.loadCollectionSync({ collection_name })
  await checkAnswers(after)
  await expect.poll(async () => (await readFile(path)).equals(good), { timeout: 20_000 }).toBe(true)
  await untilBuilt(after, ['city'])
  await checkAnswers(after)
})
