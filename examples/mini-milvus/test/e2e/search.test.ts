/** Searches over growing and sealed rows, against brute force: many queries, partitions, ranges, groups, orders, pages, deletes. */
import { DataType } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { latentVectors, nearest, rowOf, startTestNode, type TestNode } from './support.ts'

const collection_name = 'hits'
const ROWS = 3000
const DIM = 16
const K = 10
const vectors = latentVectors(ROWS, DIM, 5, 8)
const queries = latentVectors(20, DIM, 6, 8)
const query = (i: number): number[] => rowOf(queries, DIM, i)
const price = (row: number): number => (row * 7919) % 1000
const shop = (row: number): string => `shop${row % 50}`
const partition = (row: number): string => (row % 3 === 0 ? 'third' : '_default')
const deleted = (row: number): boolean => price(row) >= 990 || row % 100 === 7
const alive = (row: number): boolean => !deleted(row)

const dot = (row: number, i: number): number => query(i).reduce((sum, value, d) => sum + value * (vectors[row * DIM + d] as number), 0)
const distance = (row: number, i: number): number => query(i).reduce((sum, value, d) => sum + (value - (vectors[row * DIM + d] as number)) ** 2, 0)
const truth = (i: number, k: number, allowed: (row: number) => boolean = () => true): number[] =>
  nearest(vectors, DIM, queries.subarray(i * DIM, (i + 1) * DIM), k, (row) => alive(row) && allowed(row))

describe('search', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
    const { client } = test
    await client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vec', data_type: DataType.FloatVector, dim: DIM },
        { name: 'price', data_type: DataType.Int32 },
        { name: 'shop', data_type: DataType.VarChar, max_length: 16 },
      ],
      index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
    })
    await client.createPartition({ collection_name, partition_name: 'third' })
    await client.loadCollectionSync({ collection_name })
    for (let begin = 0; begin < ROWS; begin += 500) {
      for (const name of ['_default', 'third']) {
        const data = Array.from({ length: 500 }, (_, i) => begin + i)
          .filter((row) => partition(row) === name)
          .map((row) => ({ id: row, vec: rowOf(vectors, DIM, row), price: price(row), shop: shop(row) }))
        expect((await client.insert({ collection_name, partition_name: name, data })).status.error_code).toBe('Success')
      }
      if (begin === 1500) await client.flushSync({ collection_names: [collection_name] })
    }
    const byPredicate = await client.delete({ collection_name, filter: 'price >= 990' })
    expect(byPredicate.status.error_code).toBe('Success')
    const ids = Array.from({ length: ROWS / 100 }, (_, i) => i * 100 + 7)
    expect((await client.delete({ collection_name, ids })).status.error_code).toBe('Success')
  })
  afterAll(() => test.close())

  const idsOf = (hits: readonly { readonly id: string }[]): number[] => hits.map((hit) => Number(hit.id))

  it('of many queries at once answers each', async () => {
    const data = Array.from({ length: 20 }, (_, i) => query(i))
    const found = await test.client.search({ collection_name, data, limit: K, output_fields: ['id', 'price', 'shop'] })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    expect(found.results).toHaveLength(20)
    const results = found.results as unknown as { id: string; score: number; price: number; shop: string }[][]
    results.forEach((hits, i) => {
      expect(idsOf(hits)).toEqual(truth(i, K))
      for (const hit of hits) {
        const row = Number(hit.id)
        expect(hit.score).toBeCloseTo(distance(row, i), 3)
        expect(hit).toMatchObject({ price: price(row), shop: shop(row) })
      }
    })
  })

  it('of named partitions, and with an offset', async () => {
    const { client } = test
    const third = await client.search({ collection_name, data: query(0), limit: K, partition_names: ['third'], output_fields: ['id'] })
    expect(idsOf(third.results)).toEqual(truth(0, K, (row) => partition(row) === 'third'))
    const later = await client.search({ collection_name, data: query(0), limit: K, offset: 25, output_fields: ['id'] })
    expect(idsOf(later.results)).toEqual(truth(0, 25 + K).slice(25))
  })

  it.each([0.01, 0.1, 0.5])('of the rows that pass a filter of %d', async (share) => {
    const bound = 1000 * share
    for (let i = 0; i < 5; i++) {
      const found = await test.client.search({ collection_name, data: query(i), limit: K, filter: `price < ${bound}`, output_fields: ['id'] })
      expect(idsOf(found.results)).toEqual(truth(i, K, (row) => price(row) < bound))
    }
  })

  it('within a range of scores', async () => {
    const scores = truth(1, 60).map((row) => distance(row, 1))
    const [from, to] = [scores[10] as number, scores[40] as number]
    const found = await test.client.search({ collection_name, data: query(1), limit: 100, params: { range_filter: from, radius: to }, output_fields: ['id'] })
    const expected = truth(1, 60).filter((row) => distance(row, 1) > from * 1.00001 && distance(row, 1) < to * 0.99999)
    expect(idsOf(found.results)).toEqual(expect.arrayContaining(expected))
    expect(found.results.length).toBeLessThanOrEqual(expected.length + 2)
  })

  it('within a range that is none: refused, with the bounds and what they should be', async () => {
    const bounded = (params: object) => test.client.search({ collection_name, data: query(1), limit: 5, params, output_fields: ['id'] } as never)
    expect((await bounded({ range_filter: 2, radius: 1 })).status).toMatchObject({ code: 1100, reason: expect.stringContaining('metric type (L2), range_filter(2) must be less than radius(1)') as string })
    expect((await bounded({ range_filter: 1, radius: 1 })).status).toMatchObject({ code: 1100 })
  })

  it('by stored rows', async () => {
    const found = await test.client.search({ collection_name, ids: ['8', '2999'], limit: 1, output_fields: ['id'] } as never)
    expect(found.status).toMatchObject({ error_code: 'Success' })
    expect((found.results as unknown as { id: string }[][]).map((hits) => hits[0]?.id)).toEqual(['8', '2999'])
  })

  it('by groups: the best hits of the best shops', async () => {
    const all = truth(2, ROWS)
    const shops = [...new Set(all.map(shop))].slice(0, 8)
    const groups = shops.map((name) => all.filter((row) => shop(row) === name))
    const asked = { collection_name, data: query(2), limit: 8, group_by_field: 'shop', output_fields: ['id', 'shop'] }
    const one = await test.client.search(asked)
    expect(one.status).toMatchObject({ error_code: 'Success' })
    expect(idsOf(one.results)).toEqual(groups.map(([best]) => best))
    const three = await test.client.search({ ...asked, group_size: 3, strict_group_size: true })
    expect(idsOf(three.results)).toEqual(groups.flatMap((group) => group.slice(0, 3)))
  })

  it('in the order of fields', async () => {
    const found = await test.client.search({ collection_name, data: query(3), limit: 20, output_fields: ['id', 'shop'], order_by_fields: [{ field: 'shop', order: 'desc' }, { field: 'price' }] })
    const expected = truth(3, 20).sort((a, b) => (shop(a) === shop(b) ? price(a) - price(b) : shop(a) < shop(b) ? 1 : -1))
    expect(idsOf(found.results)).toEqual(expected)
  })

  it('page by page, each hit once', async () => {
    const pages = await test.client.searchIterator({ collection_name, data: query(4), batchSize: 77, limit: 500, output_fields: ['id'] })
    const ids: number[] = []
    for await (const page of pages) ids.push(...idsOf(page as { id: string }[]))
    expect(ids.slice(0, 500)).toEqual(truth(4, 500))
  })

  it('after everything is sealed finds the same', async () => {
    const { client } = test
    await client.flushSync({ collection_names: [collection_name] })
    for (let i = 0; i < 5; i++) {
      const found = await client.search({ collection_name, data: query(i), limit: K, filter: 'shop != "shop3"', output_fields: ['id'] })
      expect(idsOf(found.results)).toEqual(truth(i, K, (row) => shop(row) !== 'shop3'))
    }
    expect((await client.count({ collection_name })).data).toBe(Array.from({ length: ROWS }, (_, row) => row).filter(alive).length)
  })

  it.each(['IP', 'COSINE'] as const)('by %s', async (metric_type) => {
    const { client } = test
    const name = `by_${metric_type}`
    await client.createCollection({ collection_name: name, dimension: DIM, metric_type, consistency_level: 'Strong' })
    const data = Array.from({ length: 500 }, (_, id) => ({ id, vector: rowOf(vectors, DIM, id) }))
    await client.insert({ collection_name: name, data })
    const norm = (row: number): number => Math.sqrt(data[row]?.vector.reduce((sum, value) => sum + value * value, 0) ?? 1)
    for (let i = 0; i < 5; i++) {
      const length = Math.sqrt(query(i).reduce((sum, value) => sum + value * value, 0))
      const score = (row: number): number => (metric_type === 'IP' ? dot(row, i) : dot(row, i) / norm(row) / length)
      const expected = data.map(({ id }) => id).sort((a, b) => score(b) - score(a)).slice(0, K)
      const found = await client.search({ collection_name: name, data: query(i), limit: K, output_fields: ['id'] })
      expect(idsOf(found.results)).toEqual(expected)
      found.results.forEach((hit) => expect(hit.score).toBeCloseTo(score(Number(hit.id)), 4))
    }
  })
})
