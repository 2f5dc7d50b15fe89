import { createMemoryKV } from '@timetick/kv/memory'
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { createInsight, createMilvusApi, RemoteSource } from 'timetick-insight'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let node: MiniMilvus
let client: MilvusClient
beforeAll(async () => {
  node = await startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0, parameters: { 'insight.actions': true } })
  client = new MilvusClient({ address: node.address, logLevel: 'error' })
  await client.connectPromise
})
afterAll(async () => {
  await client?.closeConnection()
  await node?.close()
})

const url = () => `http://${node.metricsAddress}/insight/v1/clusters/local`
const get = async (path: string) => (await (await fetch(`${url()}${path}`)).json()) as { rows: Record<string, unknown>[]; total: number; collection: Record<string, unknown>; indexes: Record<string, unknown>[]; segments: unknown[] }
const post = async (path: string, body: unknown) => {
  const answer = await fetch(`${url()}${path}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  return { status: answer.status, body: (await answer.json()) as { rows: Record<string, unknown>[]; code?: string } }
}
const row = async (name: string) => (await get(`/collections?q=${name}`)).rows[0]

async function create(collection_name: string) {
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'title', data_type: DataType.VarChar, max_length: 50 },
      { name: 'price', data_type: DataType.Float },
      { name: 'vec', data_type: DataType.FloatVector, dim: 4 },
    ],
  })
}

describe('insight inside the node', () => {
  test('what clients do is seen at once: made, filled, indexed, loaded, renamed, dropped', async () => {
    await create('seen')
    expect(await row('seen')).toMatchObject({ name: 'seen', db: 'default', load: { state: 'notLoad' }, indexState: 'none', id: expect.stringMatching(/^\d+$/) })
    await client.insert({ collection_name: 'seen', data: Array.from({ length: 20 }, (_, i) => ({ id: String(9007199254740993n + BigInt(i)), title: `t${i}`, price: 0.01, vec: [i, 1, 2, 3] })) })
    await client.flushSync({ collection_names: ['seen'] })
    await client.createIndex({ collection_name: 'seen', field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
    await client.loadCollectionSync({ collection_name: 'seen' })
    await expect.poll(() => row('seen')).toMatchObject({ load: { state: 'loaded', percent: 100 }, stats: { rows: '20' } })
    const { id } = (await row('seen')) ?? {}
    await expect.poll(() => get(`/collections/${String(id)}`)).toMatchObject({ collection: { fields: [{ name: 'id', pk: true }, {}, {}, { name: 'vec', dim: '4' }] }, indexes: [{ indexType: 'FLAT', metric: 'L2' }], segments: [{ rows: '20' }] })
    await client.renameCollection({ collection_name: 'seen', new_collection_name: 'seen_again' })
    expect(await row('seen_again')).toMatchObject({ name: 'seen_again' })
  })

  test('a vector search from the page, by a vector and by the key of a row', async () => {
    const near = await post('/vector-search', { collection: 'seen_again', field: 'vec', vector: [3, 1, 2, 3], limit: 2, filter: 'title != "t3"' })
    expect(near.body.rows.map(({ title }) => title)).toEqual(['t2', 't4'])
    expect(near.body.rows[0]).toMatchObject({ id: '9007199254740995', price: 0.01 })
    const byKey = await post('/vector-search', { collection: 'seen_again', field: 'vec', vector: '9007199254741000', limit: 1 })
    expect(byKey.body.rows).toMatchObject([{ title: 't7' }])
    expect((await post('/vector-search', { collection: 'seen_again', field: 'vec', vector: [1] })).body.code).toBe('refused')
  })

  test('actions do what they say', async () => {
    expect((await post('/actions/release', { collection: 'seen_again' })).status).toBe(200)
    expect(await row('seen_again')).toMatchObject({ load: { state: 'notLoad' } })
    expect((await post('/actions/load', { collection: 'seen_again' })).status).toBe(200)
    await expect.poll(() => row('seen_again')).toMatchObject({ load: { state: 'loaded' } })
    expect((await post('/actions/drop', { collection: 'seen_again', confirm: 'seen_again' })).status).toBe(200)
    expect(await row('seen_again')).toBeUndefined()
    expect((await client.hasCollection({ collection_name: 'seen_again' })).value).toBe(false)
  })

  test('nodes, watchdogs and the lag of time ticks', async () => {
    await expect.poll(async () => (await get('/nodes')).rows.map(({ role, state }) => `${String(role)} ${String(state)}`)).toEqual(['datanode healthy', 'proxy healthy', 'querynode healthy'])
    await expect.poll(async () => (await get('/watchdogs')).rows.map(({ state }) => state)).toContain('ok')
    await expect.poll(async () => JSON.stringify(await get('/gauges'))).toContain('timetick.lag{')
  })

  test('the same node as a remote cluster, beside another with the same names', async () => {
    const other = await startMiniMilvus({ inMemory: true, port: 0 })
    const otherClient = new MilvusClient({ address: other.address, logLevel: 'error' })
    const kv = createMemoryKV()
    const source = (address: string) => () => new RemoteSource({ api: createMilvusApi({ address }), clock: systemClock, address, intervalMs: 250 })
    const insight = createInsight({ kv, clusters: [{ id: 'a', address: node.address, source: source(node.address) }, { id: 'b', address: other.address, source: source(other.address) }] })
    const names = (id: string) => [...(insight.clusters.get(id)?.layer?.entities('collection') ?? [])].map((entity) => String(entity.row['name'])).sort()
    try {
      await create('twin')
      await create('only_here')
      await otherClient.createCollection({ collection_name: 'twin', dimension: 8 })
      await Promise.all([...insight.clusters].map((cluster) => cluster.connect()))
      await expect.poll(() => [names('a'), names('b')]).toEqual([['only_here', 'twin'], ['twin']])
      const fieldsOf = (id: string) => [...(insight.clusters.get(id)?.layer?.entities('collection') ?? [])].find((entity) => entity.row['name'] === 'twin')?.row['fields']
      await expect.poll(() => fieldsOf('b')).toMatchObject([{ name: 'id' }, { name: 'vector', dim: '8' }])
      await client.dropCollection({ collection_name: 'only_here' })
      await expect.poll(() => names('a')).toEqual(['twin'])
    } finally {
      await insight.close()
      await kv.close()
      await otherClient.closeConnection()
      await other.close()
    }
  })
})
