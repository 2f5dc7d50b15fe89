import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

type Rows = Record<string, unknown>[]
const api = async (node: MiniMilvus, path: string) => (await (await fetch(`http://${node.metricsAddress}/insight/v1/clusters/local${path}`)).json()) as { rows: Rows; total: number; gauges: [string, number, number][]; events: { type: string; key: string; data: Record<string, unknown> }[]; epoch: string; seq: number }

async function connect(node: MiniMilvus): Promise<MilvusClient> {
  const client = new MilvusClient({ address: node.address, logLevel: 'error' })
  await client.connectPromise
  return client
}

const fields = [
  { name: 'id', data_type: DataType.Int64, is_primary_key: true },
  { name: 'vec', data_type: DataType.FloatVector, dim: 4 },
]
const data = (from: number, count: number) => Array.from({ length: count }, (_, i) => ({ id: from + i, vec: [i, 1, 2, 3] }))

describe('the node as insight sees it', () => {
  let node: MiniMilvus
  let client: MilvusClient
  beforeAll(async () => {
    node = await startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0, parameters: { 'insight.slowCall': '1ms', 'insight.token': '' } })
    client = await connect(node)
  })
  afterAll(async () => {
    await client?.closeConnection()
    await node?.close()
  })

  test('C3 clients: who connected, with what, and when it was heard', async () => {
    await expect.poll(async () => (await api(node, '/clients')).rows).toMatchObject([{ sdk: expect.stringMatching(/node/i), version: expect.any(String), identifier: expect.stringMatching(/^\d+$/), lastActive: expect.any(Number) }])
    const events = (await api(node, '/events?last=5000')).events
    expect(events.map(({ type }) => type)).toContain('client.connected')
  })

  test('C3 staged work of a client: seen while it waits for its flush', async () => {
    await client.createCollection({ collection_name: 'staged', fields, properties: { 'timetick.visibility': 'flush' } })
    await client.insert({ collection_name: 'staged', data: data(0, 5) })
    await expect.poll(async () => (await api(node, '/clients')).rows).toContainEqual(expect.objectContaining({ staged: expect.objectContaining({ rows: 5, deletes: 0 }) }))
    await client.flushSync({ collection_names: ['staged'] })
    await expect.poll(async () => (await api(node, '/clients')).rows.filter(({ staged }) => staged !== undefined)).toEqual([])
    expect((await api(node, '/events?last=5000')).events.map(({ type }) => type)).toContain('client.staged')
  })

  test('C3 rows that are written and not flushed are counted as growing, then as sealed', async () => {
    await client.createCollection({ collection_name: 'grows', fields })
    await client.insert({ collection_name: 'grows', data: data(0, 30) })
    const stats = async () => (await api(node, '/collections?q=grows')).rows[0]?.['stats']
    await expect.poll(stats).toMatchObject({ rows: '30', growingRows: '30', sealedRows: '0' })
    await client.flushSync({ collection_names: ['grows'] })
    await expect.poll(stats).toMatchObject({ rows: '30', growingRows: '0', sealedRows: '30' })
  })

  test('C3 E1 tasks: a flush and a load come, end and are remembered', async () => {
    await client.createIndex({ collection_name: 'grows', field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
    await client.loadCollectionSync({ collection_name: 'grows' })
    const types = async () => (await api(node, '/events?last=5000')).events.map(({ type }) => type)
    await expect.poll(types).toContain('load.changed')
    for (const { state } of (await api(node, '/tasks')).rows) expect(['running', 'finished']).toContain(state)
  })

  test('C3 slow calls: bounded, with who and what', async () => {
    // Longer than a millisecond on any machine.
    await client.insert({ collection_name: 'grows', data: data(1000, 20_000) })
    await expect.poll(async () => (await api(node, '/slow-requests?q=Insert')).rows).toContainEqual(expect.objectContaining({ method: 'Insert', db: 'default', coll: 'grows', durMs: expect.any(Number), failed: false }))
  })

  test('C3 streams with their readers, and parameters without their secrets', async () => {
    const streams = async () => (await api(node, '/streams')).rows
    expect((await streams()).length).toBeGreaterThan(0)
    // A reader that was held up for a moment is behind for a moment.
    await expect.poll(async () => (await streams()).filter(({ state, readers }) => state !== 'ok' || String(readers) !== 'datanode,querynode')).toEqual([])
    const params = await api(node, '/params?q=insight')
    expect(params.rows).toContainEqual(expect.objectContaining({ name: 'insight.slowCall', value: '1ms', source: expect.any(String) }))
    node.parameters.save('insight.slowCall', '2ms')
    await expect.poll(async () => (await api(node, '/events?last=5000')).events).toContainEqual(expect.objectContaining({ type: 'param.changed', key: 'insight.slowCall' }))
    expect((await api(node, '/params?q=insight.token')).rows).toMatchObject([{ value: expect.not.stringContaining('secret') }])
  })

  test('gauges: ticks, readers, queues, calls, the process', async () => {
    await client.query({ collection_name: 'grows', filter: 'id >= 0', limit: 1 })
    for (const key of ['timetick.lag{', 'stream.lag{', '/datanode}', 'queue.waiting{dml}', 'rpc.qps{all}', 'rpc.p99{Insert}', 'heartbeat.age{', 'node.cpu{', 'node.memory{rss}', 'node.loop{', 'datanode.buffered{bytes}']) {
      await expect.poll(async () => JSON.stringify((await api(node, '/gauges')).gauges)).toContain(key)
    }
  })

  test('E1 a database is told, with how many collections it has', async () => {
    await client.createDatabase({ db_name: 'second' })
    await expect.poll(async () => (await api(node, '/databases?q=second')).rows).toMatchObject([{ name: 'second', collectionCount: 0 }])
    await client.createCollection({ db_name: 'second', collection_name: 'grows', fields })
    await expect.poll(async () => (await api(node, '/databases?q=second')).rows).toMatchObject([{ collectionCount: 1 }])
    expect((await api(node, '/collections?q=grows')).total).toBe(2)
  })
})

test('X1 D4a the cache of a node is kept in its folder: a page that comes back after a restart goes on where it was', async () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'insight-node-'))
  const start = () => startMiniMilvus({ dataDir, port: 0, metricsPort: 0 })
  try {
    const first = await start()
    const client = await connect(first)
    await client.createCollection({ collection_name: 'kept', fields })
    await expect.poll(async () => (await api(first, '/collections')).total).toBe(1)
    const { epoch, seq } = await api(first, '/collections')
    await client.closeConnection()
    await first.close()
    expect(existsSync(path.join(dataDir, 'insight'))).toBe(true)
    const second = await start()
    const again = await api(second, '/collections')
    expect(again).toMatchObject({ epoch, total: 1 })
    expect(again.seq).toBeGreaterThan(seq)
    const { events } = await api(second, `/events?since=${seq}&epoch=${epoch}`)
    expect(events.map(({ type }) => type)).toContain('cache.opened')
    // Nothing was made anew; how many rows it has may be told at any time.
    expect(events.filter(({ type }) => /^(collection\.(created|dropped|renamed)|cache\.(created|reset))$/.test(type))).toEqual([])
    await second.close()
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
