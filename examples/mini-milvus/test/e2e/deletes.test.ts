/** Deletes by predicate of more rows than one message holds, growing and flushed, of both types of keys. */
import { DataType, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const ROWS = 40_000
const SEALED = 24_000
const BATCH = 8000

describe('deletes by predicate', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  })
  afterAll(() => test.close())

  it.each([
    ['Int64', DataType.Int64, (row: number): number | string => row],
    ['VarChar', DataType.VarChar, (row: number): number | string => `key ${row}`],
  ])('with %s keys take all that match and nothing else', async (name, data_type, keyOf) => {
    const { client } = test
    const collection_name = `deletes_${name}`
    const created = await client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      shards_num: 2,
      fields: [
        { name: 'id', data_type, is_primary_key: true, ...(data_type === DataType.VarChar ? { max_length: 16 } : {}) },
        { name: 'v', data_type: DataType.FloatVector, dim: 2 },
        { name: 'price', data_type: DataType.Int32, nullable: true },
      ],
      index_params: [{ field_name: 'v', index_type: 'FLAT', metric_type: 'L2' }],
    })
    expect(created).toMatchObject({ error_code: 'Success' })
    await client.loadCollectionSync({ collection_name })
    const price = (row: number): number | null => (row % 11 === 0 ? null : row % 100)
    for (let begin = 0; begin < ROWS; begin += BATCH) {
      const data = Array.from({ length: BATCH }, (_, i) => ({ id: keyOf(begin + i), v: [begin + i, 1], price: price(begin + i) }))
      expect((await client.insert({ collection_name, data: data as unknown as RowData[] })).status).toMatchObject({ error_code: 'Success' })
      if (begin + BATCH === SEALED) await client.flushSync({ collection_names: [collection_name] })
    }
    const matches = (row: number): boolean => (price(row) ?? -1) >= 30
    const gone = Array.from({ length: ROWS }, (_, row) => row).filter(matches).length
    const deleted = await client.delete({ collection_name, filter: 'price >= {least}', exprValues: { least: 30 } })
    expect(deleted.status).toMatchObject({ error_code: 'Success' })
    expect(Number(deleted.delete_cnt)).toBe(gone)
    expect((await client.count({ collection_name })).data).toBe(ROWS - gone)
    expect((await client.count({ collection_name, expr: 'price >= 30' })).data).toBe(0)
    expect((await client.count({ collection_name, expr: 'price < 30 or price is null' })).data).toBe(ROWS - gone)
    await client.flushSync({ collection_names: [collection_name] })
    expect((await client.count({ collection_name })).data).toBe(ROWS - gone)
    const none = await client.delete({ collection_name, filter: 'price > 1000' })
    expect(none).toMatchObject({ status: { error_code: 'Success' }, delete_cnt: '0' })
  })
})
