/** How fresh answers are: by level, by guarantee timestamp, and with ticks so rare that nobody sees by luck. */
import { ConsistencyLevelEnum as Level } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeMessage } from '../../src/wire/index.ts'
import { rawClient, type RawClient } from './raw-client.ts'
import { startTestNode, type TestNode } from './support.ts'

const collection_name = 'fresh'

describe('consistency', () => {
  let test: TestNode
  let raw: RawClient
  let next = 0
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true, parameters: { 'proxy.timeTickInterval': '60000ms' } })
    raw = rawClient(test.node.address)
    await test.client.createCollection({ collection_name, dimension: 2, metric_type: 'L2', consistency_level: 'Eventually' })
  })
  afterAll(async () => {
    raw.close()
    await test.close()
  })

  async function insert(): Promise<{ id: number; timestamp: bigint }> {
    const id = next++
    const { status, timestamp } = await test.client.insert({ collection_name, data: [{ id, vector: [id, 0] }] })
    expect(status.error_code).toBe('Success')
    return { id, timestamp: BigInt(timestamp) }
  }

  async function sees(id: number, level: Level): Promise<boolean> {
    const found = await test.client.query({ collection_name, filter: `id == ${id}`, consistency_level: level })
    expect(found.status.error_code).toBe('Success')
    return found.data.length === 1
  }

  async function seesAt(id: number, request: object): Promise<boolean> {
    const params = [{ key: 'limit', value: '10' }]
    const found = await raw.call('Query', { collection_name, expr: `id == ${id}`, output_fields: ['id'], query_params: params, ...request })
    expect(found['status']).toMatchObject({ code: 0 })
    const [column] = found['fields_data'] as { scalars: { long_data: { data: bigint[] } } }[]
    return column?.scalars.long_data.data.length === 1
  }

  it('strong reads see every acknowledged write, by search and by query', async () => {
    for (let round = 0; round < 30; round++) {
      const { id } = await insert()
      expect(await sees(id, Level.Strong)).toBe(true)
      const other = await insert()
      const hits = await raw.call('Search', searchRequest([other.id, 0], { consistency_level: Level.Strong }))
      expect(hits['results']).toMatchObject({ ids: { int_id: { data: [BigInt(other.id)] } } })
    }
  })

  it('strong reads do not see what was deleted', async () => {
    const { id } = await insert()
    await test.client.delete({ collection_name, ids: [id] })
    expect(await sees(id, Level.Strong)).toBe(false)
  })

  it('eventual reads answer at once from what is there, and see the write after a stronger read did', async () => {
    const { id } = await insert()
    const started = performance.now()
    await sees(id, Level.Eventually)
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(await sees(id, Level.Strong)).toBe(true)
    expect(await sees(id, Level.Eventually)).toBe(true)
  })

  it('session reads see what the client wrote, by the timestamp of its write', async () => {
    for (let round = 0; round < 10; round++) {
      const { id, timestamp } = await insert()
      expect(await seesAt(id, { consistency_level: Level.Session, guarantee_timestamp: timestamp })).toBe(true)
    }
  })

  it('bounded reads see what was acknowledged here before', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await insert()
      expect(await sees(id, Level.Bounded)).toBe(true)
    }
  })

  it('a request without a level takes the one of its collection', async () => {
    await test.client.createCollection({ collection_name: 'strong', dimension: 2, consistency_level: 'Strong' })
    await test.client.insert({ collection_name: 'strong', data: [{ id: 1, vector: [1, 0] }] })
    const found = await raw.call('Query', { collection_name: 'strong', expr: 'id == 1', output_fields: ['id'], use_default_consistency: true, guarantee_timestamp: 1n })
    expect(found['fields_data']).toMatchObject([{ scalars: { long_data: { data: [1n] } } }])
  })

  it('a guarantee in the future is awaited no longer than the caller waits', async () => {
    const { timestamp } = await insert()
    const future = timestamp + (3600_000n << 18n)
    const started = performance.now()
    await expect(raw.bytes('Query', queryBytes(future), { deadline: Date.now() + 300 })).rejects.toMatchObject({ code: 4 })
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(await sees((await insert()).id, Level.Strong)).toBe(true)
  })
})

function searchRequest(vector: readonly number[], more: object): object {
  const params = { anns_field: 'vector', topk: '1', params: '{}' }
  return {
    collection_name,
    placeholder_group: encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type: 101, values: [new Uint8Array(Float32Array.from(vector).buffer)] }] }),
    nq: 1n,
    search_params: Object.entries(params).map(([key, value]) => ({ key, value })),
    ...more,
  }
}

function queryBytes(guarantee_timestamp: bigint): Uint8Array {
  return encodeMessage('milvus.QueryRequest', { collection_name, expr: 'id >= 0', output_fields: ['id'], consistency_level: Level.Customized, guarantee_timestamp })
}
