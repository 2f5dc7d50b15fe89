/** Decay and boost functions over searches, against their formulas written out here; vector fields that come late. */
import { DataType, type RowData, type SearchSimpleReq } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gaussian, seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'scored'
const ROWS = 300
const random = seededRandom(61)
const rows = Array.from({ length: ROWS }, (_, id) => ({
  id,
  vec: [Math.fround(gaussian(random)), Math.fround(gaussian(random))],
  age: id % 7 === 3 ? null : Math.floor(random() * 200),
  kind: ['book', 'film', 'song'][id % 3] as string,
}))
type Row = (typeof rows)[number]
const query = [0.3, -0.2]
const distance = ({ vec }: Row): number => vec.reduce((sum, value, i) => sum + (value - (query[i] as number)) ** 2, 0)
const nearness = (row: Row): number => 1 - (2 * Math.atan(distance(row))) / Math.PI
const K = 25
/** Functions score what the search has found, not all rows. */
const found = rows.toSorted((a, b) => distance(a) - distance(b)).slice(0, K)
const best = (scoreOf: (row: Row) => number, ascending = false): { id: number; score: number }[] =>
  found.map((row) => ({ id: row.id, score: scoreOf(row) })).sort((a, b) => (ascending ? a.score - b.score : b.score - a.score) || a.id - b.id)

describe('functions that score', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
    const { client } = test
    const created = await client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
        { name: 'age', data_type: DataType.Int32, nullable: true },
        { name: 'kind', data_type: DataType.VarChar, max_length: 8 },
      ],
      index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
    })
    expect(created).toMatchObject({ error_code: 'Success' })
    await client.loadCollectionSync({ collection_name })
    expect((await client.insert({ collection_name, data: rows.slice(0, 200) as unknown as RowData[] })).status).toMatchObject({ error_code: 'Success' })
    await client.flushSync({ collection_names: [collection_name] })
    await client.insert({ collection_name, data: rows.slice(200) as unknown as RowData[] })
  }, 240_000)
  afterAll(() => test.close())

  const decay = (params: object) => ({ name: 'f', type: 3, input_field_names: ['age'], params: { reranker: 'decay', origin: 60, scale: 30, offset: 5, decay: 0.4, ...params } })
  async function search(rerank: object, more: object = {}) {
    const answer = await test.client.search({ collection_name, data: query, limit: K, output_fields: ['id'], rerank, ...more } as unknown as SearchSimpleReq)
    expect(answer.status).toMatchObject({ error_code: 'Success' })
    return answer.results.map((hit) => ({ id: Number(hit['id']), score: hit.score }))
  }
  const expectHits = (hits: readonly { id: number; score: number }[], expected: readonly { id: number; score: number }[]): void => {
    hits.forEach(({ score }, i) => expect(score).toBeCloseTo(expected[i]?.score ?? Number.NaN, 5))
    expect(hits.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
  }
  const curves: readonly (readonly [string, (d: number) => number])[] = [
    ['gauss', (d) => Math.exp(-(d ** 2) / (2 * (-(30 ** 2) / (2 * Math.log(0.4)))))],
    ['exp', (d) => Math.exp((Math.log(0.4) / 30) * d)],
    ['linear', (d) => Math.max(0, (30 / (1 - 0.4) - d) / (30 / (1 - 0.4)))],
  ]
  const far = ({ age }: Row): number => Math.max(0, Math.abs((age ?? 0) - 60) - 5)
  const decayed = (curve: (d: number) => number) => (row: Row) => nearness(row) * (row.age === null ? 0 : curve(far(row)))

  it.each(curves)('a decay by %s weighs scores by a number of the row', async (name, curve) => {
    const expected = best(decayed(curve))
    expectHits(await search(decay({ function: name })), expected)
    expectHits(await search(decay({ function: name }), { limit: 10, offset: 15 }), expected.slice(15))
  })

  it('a decay joins the parts of a hybrid search', async () => {
    const data = [{ data: query, anns_field: 'vec' }, { data: query, anns_field: 'vec' }]
    for (const [score_mode, times] of [['max', 1], ['sum', 2], ['avg', 1]] as const) {
      const rerank = decay({ function: 'exp', score_mode })
      const answer = await test.client.hybridSearch({ collection_name, data, limit: K, output_fields: ['id'], rerank })
      expect(answer.status).toMatchObject({ error_code: 'Success' })
      const [, curve] = curves[1] as (typeof curves)[number]
      const hits = (answer.results as unknown as { id: string; score: number }[]).map(({ id, score }) => ({ id: Number(id), score }))
      expectHits(hits, best((row) => times * decayed(curve)(row)))
    }
  })

  it('boosts multiply or add where their filter holds, and keep the order of the metric', async () => {
    const boost = (params: object) => ({ name: 'b', type: 3, input_field_names: [], params: { reranker: 'boost', ...params } })
    expectHits(await search(boost({ filter: 'kind == "film"', weight: 0.1 })), best((row) => distance(row) * (row.kind === 'film' ? 0.1 : 1), true))
    const both = { functions: [boost({ filter: 'kind != "song"', weight: 0.5 }), boost({ weight: 2 })], params: { boost_mode: 'Sum', function_mode: 'Sum' } }
    expectHits(await search(both), best((row) => distance(row) + (row.kind === 'song' ? 2 : 2.5), true))
  })

  it('chance is decided by its seed', async () => {
    const byChance = (seed: number) => search({ name: 'b', type: 3, input_field_names: [], params: { reranker: 'boost', weight: 1, random_score: { seed } } })
    const [once, again, other] = [await byChance(5), await byChance(5), await byChance(6)]
    expect(again).toEqual(once)
    expect(other.map(({ id }) => id)).not.toEqual(once.map(({ id }) => id))
  })

  it('functions that make no sense are refused', async () => {
    const refused = async (rerank: object): Promise<string> => {
      const answer = await test.client.search({ collection_name, data: query, limit: K, rerank } as unknown as SearchSimpleReq)
      expect(answer.status.error_code).toBe('IllegalArgument')
      return answer.status.reason
    }
    expect(await refused(decay({ function: 'cubic' }))).toContain('invalid decay function')
    expect(await refused(decay({ function: 'exp', scale: 0 }))).toContain('scale must > 0')
    expect(await refused(decay({ function: 'exp', decay: 1 }))).toContain('decay must 0 < decay < 1')
    expect(await refused({ ...decay({ function: 'exp' }), input_field_names: ['kind'] })).toContain('only support numeric field')
    expect(await refused({ ...decay({ function: 'exp' }), input_field_names: ['none'] })).toContain('not found')
    expect(await refused({ name: 'm', type: 3, input_field_names: [], params: { reranker: 'model' } })).toContain('function_score')
    expect(await refused({ name: 'b', type: 3, input_field_names: [], params: { reranker: 'boost' } })).toContain('weight')
  })

  it('a vector field that comes late is searched once it has an index, without a new load', async () => {
    const { client } = test
    const field = { name: 'late', data_type: DataType.FloatVector, dim: 2, nullable: true } as const
    expect(await client.addCollectionField({ collection_name, field })).toMatchObject({ error_code: 'Success' })
    const fresh = [{ id: 1000, vec: [0, 0], age: 1, kind: 'book', late: [1, 1] }, { id: 1001, vec: [0, 0], age: 1, kind: 'book', late: null }]
    expect((await client.insert({ collection_name, data: fresh as unknown as RowData[] })).status).toMatchObject({ error_code: 'Success' })
    const search = () => client.search({ collection_name, anns_field: 'late', data: [1, 1], limit: 5, output_fields: ['id'] })
    expect((await search()).status.error_code).toBe('IndexNotExist')
    await client.createIndex({ collection_name, field_name: 'late', index_type: 'FLAT', metric_type: 'COSINE' })
    await expect.poll(async () => (await search()).results?.map((hit) => Number(hit['id'])), { timeout: 20_000 }).toEqual([1000])
    await client.flushSync({ collection_names: [collection_name] })
    expect((await search()).results.map((hit) => Number(hit['id']))).toEqual([1000])
  })

  it('nulls among the rows of a graph are never hits, however near their place is', async () => {
    const { client } = test
    const name = 'nulls'
    const dim = 8
    await client.createCollection({
      collection_name: name,
      consistency_level: 'Strong',
      fields: [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, { name: 'v', data_type: DataType.FloatVector, dim, nullable: true }],
      index_params: [{ field_name: 'v', index_type: 'HNSW', metric_type: 'L2', params: { M: 16, efConstruction: 100 } }],
    })
    const data = Array.from({ length: 5000 }, (_, id) => ({ id, v: id % 2 === 0 ? null : Array.from({ length: dim }, () => Math.fround(gaussian(random))) }))
    expect((await client.insert({ collection_name: name, data: data as unknown as RowData[] })).status).toMatchObject({ error_code: 'Success' })
    await client.flushSync({ collection_names: [name] })
    await client.loadCollectionSync({ collection_name: name })
    await expect.poll(async () => (await client.getIndexState({ collection_name: name, field_name: 'v' })).state, { timeout: 120_000 }).toBe('Finished')
    const norm = (v: readonly number[]): number => v.reduce((sum, value) => sum + value * value, 0)
    const expected = data.flatMap(({ id, v }) => (v === null ? [] : [{ id, score: norm(v) }])).sort((a, b) => a.score - b.score).slice(0, 50)
    const answer = await client.search({ collection_name: name, data: Array.from({ length: dim }, () => 0), limit: 50, output_fields: ['id', 'v'] })
    expect(answer.results).toHaveLength(50)
    const ids = new Set(answer.results.map((hit) => Number(hit['id'])))
    for (const id of ids) expect(data[id]?.v).not.toBeNull()
    expect(expected.filter(({ id }) => ids.has(id)).length).toBeGreaterThanOrEqual(45)
  })
})
