/** Insight on the proxies of a cluster: what one page shows of all processes, and what is this proxy's alone. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

interface Listed {
  readonly rows: Record<string, unknown>[]
  readonly total: number
  readonly events: { readonly type: string; readonly key: string; readonly data: Record<string, unknown> }[]
  readonly gauges: [string, number, number][]
  readonly state: string
  readonly collection: Record<string, unknown>
  readonly channels: Record<string, unknown>[]
  readonly segments: Record<string, unknown>[]
}

let node: MiniMilvus
let client: MilvusClient
const base = () => `http://${node.metricsAddress}/insight/v1`
const get = async (path: string) => (await (await fetch(`${base()}/clusters/local${path}`)).json()) as Listed
const post = (path: string, body: unknown) => fetch(`${base()}/clusters/local${path}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
const rowOf = async (name: string) => (await get(`/collections?q=${name}`)).rows[0]

beforeAll(async () => {
  node = await startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0, parameters: { 'cluster.roles': 'all', 'insight.actions': true, 'insight.slowCall': '1ms' } })
  client = new MilvusClient({ address: node.address, logLevel: 'error' })
  await client.connectPromise
})
afterAll(async () => {
  await client?.closeConnection()
  await node?.close()
})

describe('insight on a proxy of a cluster', () => {
  it('serves the page beside probes and metrics', async () => {
    const page = await fetch(`http://${node.metricsAddress}/webui/`)
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
    for (const probe of ['/livez', '/metrics']) expect((await fetch(`http://${node.metricsAddress}${probe}`)).status).toBe(200)
    await expect.poll(() => get('')).toMatchObject({ state: 'live' })
  })

  it('shows every role of every process, with its health', async () => {
    const id = String(node.cluster?.nodeId)
    await expect.poll(async () => (await get('/nodes?sort=role')).rows).toMatchObject(
      ['coordinator', 'datanode', 'proxy', 'querynode'].map((role) => ({ key: `${role}-${id}`, id, role, state: 'healthy', address: node.cluster?.internalAddress, startedAt: expect.any(Number) })),
    )
  })

  it('shows collections with their parts as they change, and rows that wait for a segment', async () => {
    await client.createCollection({ collection_name: 'seen', dimension: 4 })
    await expect.poll(() => rowOf('seen')).toMatchObject({ name: 'seen', load: { state: 'loaded' } })
    await client.insert({ collection_name: 'seen', data: Array.from({ length: 30 }, (_, i) => ({ id: i, vector: [i, 1, 2, 3] })) })
    await expect.poll(() => rowOf('seen')).toMatchObject({ stats: { rows: '30', growingRows: '30', sealedRows: '0' } })
    await client.flushSync({ collection_names: ['seen'] })
    await expect.poll(() => rowOf('seen')).toMatchObject({ stats: { rows: '30', growingRows: '0', sealedRows: '30' } })
    const { id } = (await rowOf('seen')) ?? {}
    await expect.poll(() => get(`/collections/${String(id)}`)).toMatchObject({ collection: { name: 'seen' }, segments: [{ rows: '30', state: 'flushed' }], channels: [{ owner: String(node.cluster?.nodeId), epoch: expect.any(Number), state: 'ok' }] })
    await client.renameCollection({ collection_name: 'seen', new_collection_name: 'renamed' })
    await expect.poll(() => rowOf('renamed')).toMatchObject({ id })
  })

  it('shows log channels with who owns them and who reads them, how far each is behind, and the process', async () => {
    const id = String(node.cluster?.nodeId)
    await expect.poll(async () => (await get('/streams')).rows).toContainEqual(expect.objectContaining({ state: 'ok', owner: id, epoch: expect.any(Number), leaving: false, readers: [`datanode-${id}`, `querynode-${id}`] }))
    for (const key of ['timetick.lag{', `/datanode-${id}}`, `/querynode-${id}}`, 'rpc.qps{all}', 'queue.waiting{dml}', `node.memory{process ${id}}`, `datanode.buffered{${id}}`]) {
      await expect.poll(async () => JSON.stringify((await get('/gauges')).gauges)).toContain(key)
    }
  })

  it('shows this proxy’s clients, slow calls and tasks, and says that they are its', async () => {
    const proxy = String(node.cluster?.nodeId)
    await expect.poll(async () => (await get('/clients')).rows).toContainEqual(expect.objectContaining({ sdk: expect.stringMatching(/node/i), proxy }))
    await client.insert({ collection_name: 'renamed', data: Array.from({ length: 20_000 }, (_, i) => ({ id: 100 + i, vector: [i, 1, 2, 3] })) })
    await expect.poll(async () => (await get('/slow-requests?q=Insert')).rows).toContainEqual(expect.objectContaining({ method: 'Insert', coll: 'renamed', proxy }))
    await client.flushSync({ collection_names: ['renamed'] })
    for (const row of (await get('/tasks')).rows) expect(row).toMatchObject({ proxy })
  })

  it('searches and acts as the page of a node alone does', async () => {
    const found = (await (await post('/vector-search', { collection: 'renamed', field: 'vector', vector: [3, 1, 2, 3], limit: 1, filter: 'id < 30' })).json()) as Listed
    expect(found.rows).toMatchObject([{ id: '3' }])
    expect((await post('/actions/release', { collection: 'renamed' })).status).toBe(200)
    await expect.poll(() => rowOf('renamed')).toMatchObject({ load: { state: 'notLoad' } })
    expect((await post('/actions/load', { collection: 'renamed' })).status).toBe(200)
    await expect.poll(() => rowOf('renamed')).toMatchObject({ load: { state: 'loaded', percent: 100 } })
  })

  it('pushes what changes over the websocket', async () => {
    const socket = new WebSocket(`ws://${node.metricsAddress}/insight/v1/ws`, 'insight.v1', { origin: `http://${node.metricsAddress}` })
    const types: string[] = []
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { t: string; e?: { type: string; data: { name?: string } }[] }
      types.push(message.t, ...(message.e ?? []).map(({ type, data: { name } }) => `${type} ${name ?? ''}`))
    })
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('{"t":"hello"}')
    socket.send('{"t":"sub","id":"s","cluster":"local","topics":["collection"]}')
    await expect.poll(() => types).toContain('live')
    await client.createCollection({ collection_name: 'passing', dimension: 4 })
    await expect.poll(() => types).toContain('collection.created passing')
    await client.dropCollection({ collection_name: 'passing' })
    await expect.poll(() => types).toContain('collection.dropped passing')
    socket.close()
  })
})
