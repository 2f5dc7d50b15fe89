/** Searches of lists of vectors and of their elements, and conditions on elements, against brute force over the rows that the test made. */
import { DataType, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const seed = Number(process.env['SEED'] ?? 5)
const random = seededRandom(seed)
const below = (n: number): number => Math.floor(random() * n)
const eighths = (dim: number): number[] => Array.from({ length: dim }, () => (below(65) - 32) / 8)
const DIM = 4
const K = 15

interface Item {
  readonly tag: string
  readonly price: number
  readonly emb: readonly number[]
  readonly ip: readonly number[]
  readonly l2: readonly number[]
}

interface Row {
  readonly id: number
  readonly kind: number
  readonly nums: readonly number[]
  readonly items: readonly Item[]
}

const item = (): Item => ({ tag: ['a', 'b', 'c'][below(3)] as string, price: below(20), emb: eighths(DIM), ip: eighths(DIM), l2: eighths(DIM) })
const rows: Row[] = Array.from({ length: 220 }, (_, id) => ({ id, kind: below(3), nums: Array.from({ length: below(4) }, () => below(10)), items: Array.from({ length: below(6) }, item) }))
const deleted = new Set<number>()
const live = (): readonly Row[] => rows.filter(({ id }) => !deleted.has(id))

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const dot = (a: readonly number[], b: readonly number[]): number => sum(a.map((value, i) => value * (b[i] as number)))
const l2 = (a: readonly number[], b: readonly number[]): number => sum(a.map((value, i) => (value - (b[i] as number)) ** 2))
const cosine = (a: readonly number[], b: readonly number[]): number => {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b))
  return lengths === 0 ? 0 : dot(a, b) / lengths
}
const maxSim = (query: readonly (readonly number[])[], list: readonly (readonly number[])[]): number => sum(query.map((q) => Math.max(...list.map((v) => dot(q, v)))))
const leastL2 = (query: readonly (readonly number[])[], list: readonly (readonly number[])[]): number => sum(query.map((q) => Math.min(...list.map((v) => l2(q, v)))))

describe(`lists of vectors (seed ${seed})`, () => {
  const collection_name = 'lists'
  let test: TestNode

  beforeAll(async () => {
    test = await startTestNode()
    const vector = { data_type: DataType.FloatVector, dim: DIM }
    const fields = [
      { name: 'tag', data_type: DataType.VarChar, max_length: 8 },
      { name: 'price', data_type: DataType.Int32 },
      { name: 'emb', ...vector },
      { name: 'ip', ...vector },
      { name: 'l2', ...vector },
    ]
    const created = await test.client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'kind', data_type: DataType.Int32 },
        { name: 'nums', data_type: DataType.Array, element_type: DataType.Int32, max_capacity: 8 },
        { name: 'items', data_type: DataType.Array, element_type: DataType.Struct, max_capacity: 8, fields },
      ],
    })
    expect(created.reason).toBe('')
    const index = (name: string, metric_type: string) => ({ collection_name, field_name: `items[${name}]`, index_name: name, index_type: 'HNSW', metric_type })
    expect((await test.client.createIndex([index('emb', 'COSINE'), index('ip', 'MAX_SIM_IP'), index('l2', 'MAX_SIM_L2')])).reason).toBe('')
    await test.client.loadCollectionSync({ collection_name })
    const insert = async (part: readonly Row[]): Promise<void> => {
      expect((await test.client.insert({ collection_name, data: part as unknown as RowData[] })).status.reason).toBe('')
    }
    // Some rows in a segment, some growing, some dead in either.
    await insert(rows.slice(0, 120))
    await test.client.flushSync({ collection_names: [collection_name] })
    await insert(rows.slice(120))
    const ids = Array.from({ length: 20 }, () => below(rows.length))
    for (const id of ids) deleted.add(id)
    await test.client.delete({ collection_name, ids })
  })
  afterAll(() => test?.close())

  const filters: readonly (readonly [text: string, keeps: (row: Row) => boolean])[] = [
    ['', () => true],
    ['kind == 1', ({ kind }) => kind === 1],
    ['match_any(items, $[price] > 15)', ({ items }) => items.some(({ price }) => price > 15)],
  ]

  it.each(filters)('finds the best lists: %j', async (filter, keeps) => {
    for (const [field, ascending] of [['ip', false], ['l2', true]] as const) {
      const queries = [[eighths(DIM), eighths(DIM)], [eighths(DIM)]]
      for (const query of queries) {
        const found = await test.client.search({ collection_name, data: query, anns_field: `items[${field}]`, filter, limit: K, output_fields: ['id'] })
        expect(found.status.reason).toBe('')
        const score = (row: Row): number => Math.fround(ascending ? leastL2(query, row.items.map((one) => one.l2)) : maxSim(query, row.items.map((one) => one.ip)))
        const expected = live().filter((row) => row.items.length > 0 && keeps(row)).map((row) => ({ id: String(row.id), score: score(row) }))
        expected.sort((a, b) => (ascending ? a.score - b.score : b.score - a.score) || Number(a.id) - Number(b.id))
        expect(found.results.map(({ id, score: its }) => ({ id, score: its }))).toEqual(expected.slice(0, K))
      }
    }
  })

  it('finds the best elements, each with its place', async () => {
    const elementFilters: readonly (readonly [string, (row: Row, one: Item) => boolean])[] = [
      ['', () => true],
      ['kind == 1', ({ kind }) => kind === 1],
      ['element_filter(items, $[price] >= 10 and $[tag] == "a")', (_row, { price, tag }) => price >= 10 && tag === 'a'],
      ['kind != 0 and element_filter(items, $[price] in [1, 2, 3])', ({ kind }, { price }) => kind !== 0 && price >= 1 && price <= 3],
    ]
    for (const [filter, keeps] of elementFilters) {
      const query = eighths(DIM)
      const found = await test.client.search({ collection_name, data: query, anns_field: 'items[emb]', filter, limit: K, output_fields: ['id', 'items[tag]'] })
      expect(found.status.reason).toBe('')
      const all = live().flatMap((row) => row.items.flatMap((one, offset) => (keeps(row, one) ? [{ row, one, offset, score: Math.fround(cosine(query, one.emb)) }] : [])))
      expect(found.results.length).toBe(Math.min(K, all.length))
      const ranked = all.map(({ score }) => score).sort((a, b) => b - a).slice(0, K)
      found.results.forEach((hit, at) => {
        expect(hit['score']).toBeCloseTo(ranked[at] as number, 5)
        const truth = all.find(({ row, offset }) => String(row.id) === hit['id'] && String(offset) === hit['offset'])
        expect(truth?.score).toBeCloseTo(hit['score'], 5)
        expect((hit['items'] as { tag: string }[])[Number(hit['offset'])]?.tag).toBe(truth?.one.tag)
      })
      const names = found.results.map((hit) => `${String(hit['id'])}/${String(hit['offset'])}`)
      expect(new Set(names).size).toBe(names.length)
    }
  })

  it('finds by the lists of stored rows', async () => {
    const row = live().find(({ items }) => items.length > 1) as Row
    const found = await test.client.search({ collection_name, ids: [row.id], anns_field: 'items[l2]', limit: 1, output_fields: ['id'], data: [] as never })
    expect(found.status.reason).toBe('')
    expect(found.results).toMatchObject([{ id: String(row.id), score: 0 }])
  })

  const conditions: readonly (readonly [string, (row: Row) => boolean])[] = [
    ['match_all(items, $[price] < 12)', ({ items }) => items.every(({ price }) => price < 12)],
    ['match_any(items, $[tag] == "b" and 3 < $[price] <= 9)', ({ items }) => items.some(({ tag, price }) => tag === 'b' && price > 3 && price <= 9)],
    ['match_least(items, $[price] > 5, threshold=2)', ({ items }) => items.filter(({ price }) => price > 5).length >= 2],
    ['match_most(items, $[price] > 5, threshold=1)', ({ items }) => items.filter(({ price }) => price > 5).length <= 1],
    ['match_exact(items, $[tag] like "c%", threshold=1) and kind == 2', ({ items, kind }) => items.filter(({ tag }) => tag === 'c').length === 1 && kind === 2],
    ['MATCH_ANY(nums, $ > 7)', ({ nums }) => nums.some((value) => value > 7)],
    ['not match_any(items, $[price] == 3)', ({ items }) => !items.some(({ price }) => price === 3)],
    ['array_contains(items[price], 7)', ({ items }) => items.some(({ price }) => price === 7)],
    ['items[0][price] >= 10', ({ items }) => (items[0]?.price ?? -1) >= 10],
    ['array_length(items[emb]) == 2', ({ items }) => items.length === 2],
    ['array_length(items) > 3', ({ items }) => items.length > 3],
    ['element_filter(items, $[price] == 19)', ({ items }) => items.some(({ price }) => price === 19)],
  ]

  it.each(conditions)('filters by %s', async (filter, keeps) => {
    const found = await test.client.query({ collection_name, filter, output_fields: ['id'] })
    expect(found.status.reason).toBe('')
    const ids = [...new Set(found.data.map(({ id }) => Number(id)))]
    expect(ids).toEqual(live().filter(keeps).map(({ id }) => id))
  })

  it('says which elements a filter names', async () => {
    const found = await test.client.query({ collection_name, filter: 'element_filter(items, $[price] > 12)', output_fields: ['id'] })
    const expected = live().flatMap(({ id, items }) => items.flatMap(({ price }, offset) => (price > 12 ? [{ id: String(id), offset: String(offset) }] : [])))
    expect(found.data).toEqual(expected)
  })

  it.each([
    ['element_filter(items, $[price] > 1) and kind == 1', 'only be the last term'],
    ['element_filter(nums, $ > 1)', 'no array of structs'],
    ['$[price] > 1', 'stands for an element'],
    ['items == 3', 'array of structs'],
    ['match_any(items, $[nothing] > 1)', 'not exist'],
    ['match_any(items, kind > 1)', 'not exist'],
    ['match_least(items, $[price] > 1)', 'threshold=N'],
    ['items[emb] == 3', 'items[emb]'],
  ])('refuses %s', async (filter, reason) => {
    const found = await test.client.query({ collection_name, filter, output_fields: ['id'] })
    expect(found.status.reason).toContain(reason)
  })

  it('searches over REST', async () => {
    const search = async (annsField: string, data: unknown): Promise<{ id: number | string; distance: number }[]> => {
      const body = JSON.stringify({ collectionName: collection_name, annsField, data, limit: 5, outputFields: ['id'] })
      const answer = (await (await fetch(`http://${test.node.address}/v2/vectordb/entities/search`, { method: 'POST', body })).json()) as { code: number; message?: string; data: { id: string; distance: number }[] }
      expect(answer.message ?? '').toBe('')
      return answer.data
    }
    const query = [eighths(DIM), eighths(DIM)]
    for (const [field, data] of [['ip', query], ['emb', query[0]]] as const) {
      const found = await test.client.search({ collection_name, data: data as number[], anns_field: `items[${field}]`, limit: 5, output_fields: ['id'] })
      const rest = await search(`items[${field}]`, [data])
      expect(rest.map(({ id, distance }) => [String(id), Math.fround(distance)])).toEqual(found.results.map(({ id, score }) => [id, Math.fround(score)]))
    }
  })

  it('refuses queries that do not go with the index', async () => {
    const single = await test.client.search({ collection_name, data: eighths(DIM), anns_field: 'items[ip]', limit: 1 })
    expect(single.status.reason).toContain('embedding list')
    const other = await test.client.search({ collection_name, data: [eighths(DIM)], anns_field: 'items[ip]', metric_type: 'MAX_SIM_L2', limit: 1 })
    expect(other.status.reason).toContain('metric type not match')
    const hybrid = await test.client.hybridSearch({ collection_name, data: [{ data: eighths(DIM), anns_field: 'items[emb]' }, { data: [eighths(DIM)], anns_field: 'items[ip]' }], limit: 3 } as never)
    expect(hybrid.status.reason).toContain('hybrid search does not take')
  })
})
