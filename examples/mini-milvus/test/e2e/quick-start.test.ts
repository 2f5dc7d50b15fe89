/** The official client's quick start, unmodified, against a node in this process. */
import { ConsistencyLevelEnum, DataType } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

describe('quick start of the Node SDK', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  })
  afterAll(() => test.close())

  it('creates a collection by dimension, inserts, searches, queries, upserts, deletes, drops', async () => {
    const { client } = test
    const collection_name = 'quick_start'
    expect(await client.createCollection({ collection_name, dimension: 4, consistency_level: 'Strong' })).toMatchObject({ error_code: 'Success' })
    const data = Array.from({ length: 10 }, (_, id) => ({ id, vector: [id, id, id, id + 1], color: id % 2 === 0 ? 'red' : 'blue' }))
    const inserted = await client.insert({ collection_name, data })
    expect(inserted.status.error_code).toBe('Success')
    expect(inserted.insert_cnt).toBe('10')
    expect(inserted.succ_index).toHaveLength(10)

    const query = { collection_name, consistency_level: ConsistencyLevelEnum.Strong }
    const found = await client.search({ ...query, data: [3, 3, 3, 4], limit: 3, output_fields: ['id', 'color'] })
    expect(found.status.error_code).toBe('Success')
    expect(found.results[0]).toMatchObject({ id: '3', color: 'blue' })

    const red = await client.query({ ...query, filter: 'color == "red" and id > 2', output_fields: ['id', 'color'] })
    expect(red.data.map((row) => row['id'])).toEqual(['4', '6', '8'])

    await client.upsert({ collection_name, data: [{ id: 3, vector: [9, 9, 9, 9], color: 'green' }] })
    const [row] = (await client.get({ ...query, ids: [3], output_fields: ['*'] })).data
    expect(row).toMatchObject({ id: '3', $meta: { color: 'green' }, vector: [9, 9, 9, 9] })

    await client.delete({ collection_name, ids: [0, 1] })
    const count = await client.count({ ...query })
    expect(count.data).toBe(8)

    await client.flushSync({ collection_names: [collection_name] })
    expect((await client.count({ ...query })).data).toBe(8)
    const after = await client.search({ ...query, data: [9, 9, 9, 9], limit: 1, output_fields: ['id'] })
    expect(after.results.map((hit) => hit.id)).toEqual(['3'])
    expect((await client.dropCollection({ collection_name })).error_code).toBe('Success')
    expect((await client.hasCollection({ collection_name })).value).toBe(false)
  })

  it('creates a collection by schema with an index, and loads it', async () => {
    const { client } = test
    const collection_name = 'by_schema'
    await client.createCollection({
      collection_name,
      fields: [
        { name: 'key', data_type: DataType.VarChar, is_primary_key: true, max_length: 64 },
        { name: 'vec', data_type: DataType.FloatVector, dim: 8 },
        { name: 'price', data_type: DataType.Double },
        { name: 'tags', data_type: DataType.Array, element_type: DataType.VarChar, max_capacity: 8, max_length: 16 },
        { name: 'more', data_type: DataType.JSON, nullable: true },
      ],
      index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'COSINE', params: { M: 16, efConstruction: 200 } }],
      consistency_level: 'Strong',
    })
    await client.loadCollectionSync({ collection_name })
    const data = Array.from({ length: 20 }, (_, i) => ({
      key: `k${i}`,
      vec: Array.from({ length: 8 }, (_unused, d) => (d === i % 8 ? 1 : 0.1)),
      price: i / 2,
      tags: [`t${i % 3}`, 'all'],
      more: i % 4 === 0 ? null : { a: { b: i } },
    }))
    expect((await client.insert({ collection_name, data })).status.error_code).toBe('Success')
    const found = await client.search({
      collection_name,
      data: data[5]?.vec ?? [],
      anns_field: 'vec',
      limit: 20,
      filter: 'array_contains(tags, "t2") and more["a"]["b"] > 4 and price < 8',
      output_fields: ['key', 'price', 'tags', 'more'],
    })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    expect(new Set(found.results.map((hit) => hit['key']))).toEqual(new Set(['k11', 'k14', 'k5']))
    expect(found.results[0]?.['key']).toBe('k5')
    expect(found.results[0]?.score).toBeCloseTo(1, 5)
    const templates = await client.query({ collection_name, filter: 'key in {keys}', exprValues: { keys: ['k1', 'k2'] }, output_fields: ['price'] })
    expect(templates.data.map((row) => row['price'])).toEqual([0.5, 1])
  })
})
