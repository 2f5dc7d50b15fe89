/** Rows that live for a time: by age of their collection, and by a field of their own. */
import { DataType, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

describe('expiry', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  })
  afterAll(() => test.close())

  async function create(collection_name: string, properties: Record<string, string>): Promise<void> {
    const created = await test.client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
        { name: 'until', data_type: DataType.Timestamptz, nullable: true },
      ],
      index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
      properties,
    })
    expect(created).toMatchObject({ error_code: 'Success' })
    await test.client.loadCollectionSync({ collection_name })
  }
  const insert = async (collection_name: string, rows: readonly { id: number; until?: string | null }[]): Promise<void> => {
    const data = rows.map((row) => ({ vec: [row.id, 0], until: null, ...row })) as unknown as RowData[]
    expect((await test.client.insert({ collection_name, data })).status).toMatchObject({ error_code: 'Success' })
  }
  const idsOf = async (collection_name: string): Promise<number[]> => {
    const found = await test.client.query({ collection_name, filter: 'id >= 0', output_fields: ['id'], limit: 100 })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    return found.data.map((row) => Number(row['id']))
  }
  const nearestOf = async (collection_name: string): Promise<number[]> => {
    const found = await test.client.search({ collection_name, data: [0, 0], limit: 100, output_fields: ['id'] })
    return found.results.map((hit) => Number(hit['id']))
  }

  it('rows of a collection with a time to live go, flushed and growing; later ones stay', async () => {
    const collection_name = 'by_age'
    await create(collection_name, { 'collection.ttl.seconds': '3' })
    await insert(collection_name, [{ id: 1 }, { id: 2 }])
    await test.client.flushSync({ collection_names: [collection_name] })
    await insert(collection_name, [{ id: 3 }])
    await expect.poll(() => idsOf(collection_name), { timeout: 20_000 }).toEqual([])
    await insert(collection_name, [{ id: 4 }])
    expect(await idsOf(collection_name)).toEqual([4])
    expect(await nearestOf(collection_name)).toEqual([4])
    expect((await test.client.count({ collection_name })).data).toBe(1)
  })

  it('a field says until when a row lives; null says for ever', async () => {
    const collection_name = 'by_field'
    await create(collection_name, { ttl_field: 'until' })
    await insert(collection_name, [
      { id: 1, until: '2001-01-01T00:00:00Z' },
      { id: 2, until: '2999-01-01T00:00:00Z' },
      { id: 3 },
      { id: 4, until: new Date(Date.now() + 4000).toISOString() },
    ])
    expect(await idsOf(collection_name)).not.toContain(1)
    await test.client.flushSync({ collection_names: [collection_name] })
    await expect.poll(() => idsOf(collection_name), { timeout: 20_000 }).toEqual([2, 3])
    expect(await nearestOf(collection_name)).toEqual([2, 3])
    await insert(collection_name, [{ id: 5, until: '2001-01-01T00:00:00Z' }, { id: 6 }])
    expect(await idsOf(collection_name)).toEqual([2, 3, 6])
  })

  it('expired segments are reclaimed by a compaction', async () => {
    const collection_name = 'reclaimed'
    await create(collection_name, { 'collection.ttl.seconds': '2' })
    await insert(collection_name, [{ id: 1 }, { id: 2 }])
    await test.client.flushSync({ collection_names: [collection_name] })
    await expect.poll(() => idsOf(collection_name), { timeout: 20_000 }).toEqual([])
    await test.client.compact({ collection_name })
    await expect.poll(async () => (await test.client.getCollectionStatistics({ collection_name })).data.row_count, { timeout: 20_000 }).toBe('0')
  })

  it('a time to live that is altered applies to the rows that are there', async () => {
    const collection_name = 'altered'
    await create(collection_name, {})
    await insert(collection_name, [{ id: 1, until: '2001-01-01T00:00:00Z' }, { id: 2 }])
    expect(await idsOf(collection_name)).toEqual([1, 2])
    await test.client.alterCollectionProperties({ collection_name, properties: { ttl_field: 'until' } })
    expect(await idsOf(collection_name)).toEqual([2])
  })

  it('a field that is no time, or is not there, cannot say how long rows live', async () => {
    const fields = [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
    ]
    for (const ttl_field of ['id', 'nothing']) {
      const refused = await test.client.createCollection({ collection_name: 'refused', fields, properties: { ttl_field } }).catch((error: unknown) => error)
      expect(refused).toMatchObject({ error_code: 'IllegalArgument' })
    }
  })
})
