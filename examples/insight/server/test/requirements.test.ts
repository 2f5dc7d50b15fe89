import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createMemoryKV } from '@timetick/kv/memory'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Layer } from '../src/core/layer.ts'
import { KINDS, type InsightEvent } from '../src/core/model.ts'
import { eventSchema } from '../src/rest/event-schema.ts'
import type { InsightOptions, InsightSource, Principal, Sink } from '../src/index.ts'
import { TestClock } from './clock.ts'
import { startServer, World, type Running } from './real-server.ts'

const open: Running[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.stop()
})

async function start(world = new World(), options: Partial<InsightOptions> & { port?: number } = {}) {
  const server = await startServer(world, { limits: { helloMs: 120_000 }, ...options })
  open.push(server)
  const base = `http://${server.served.address}`
  const get = async (where: string, init: RequestInit = {}) => {
    const answer = await fetch(`${base}${where.startsWith('/api/') ? '' : '/insight/v1'}${where}`, init)
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> & { rows: Record<string, unknown>[]; events: InsightEvent[]; epoch: string; seq: number } }
  }
  const post = (where: string, body: unknown) => get(where, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  return { server, world, base, get, post }
}

describe('the data flow of the seed, over HTTP', () => {
  test('D1 the server is up while the cluster is not; it is live when the cluster comes', async () => {
    let isUp = false
    const source = (): InsightSource => ({
      origin: 'poll',
      intervalMs: 50,
      start: async () => {
        if (!isUp) throw new Error('connection refused')
        return {}
      },
      refresh: async () => undefined,
      stop: async () => undefined,
    })
    const { base, get } = await start(new World(), { clusters: [{ id: 'dev', address: 'nowhere.invalid', source, isPinned: true }] })
    expect((await fetch(`${base}/healthz`)).status).toBe(200)
    await expect.poll(async () => (await get('/clusters/dev')).body).toMatchObject({ state: 'stale', error: 'connection refused' })
    isUp = true
    await expect.poll(async () => (await get('/clusters/dev')).body).toMatchObject({ state: 'live', error: null })
  })

  test('D2 D4a D5 connect, disconnect and connect again, as often as one likes: the same layer, the same rows', async () => {
    const world = new World()
    world.put('default/1', { id: '1', db: 'default', name: 'a' })
    const { get, post } = await start(world)
    const first = (await get('/clusters/dev/collections')).body
    for (let i = 0; i < 3; i++) {
      expect((await get('/clusters/dev', { method: 'DELETE' })).body).toMatchObject({ state: 'stopped' })
      expect((await get('/clusters/dev', { method: 'DELETE' })).status).toBe(200)
      expect((await post('/clusters', { id: 'dev' })).body).toMatchObject({ epoch: first.epoch })
      expect((await post('/clusters', { id: 'dev' })).status).toBe(200)
    }
    await expect.poll(async () => (await get('/clusters/dev/collections')).body).toMatchObject({ epoch: first.epoch, stale: false, rows: first.rows.map(({ name, rev }) => ({ name, rev })) })
    const types = (await get(`/clusters/dev/events?since=0&epoch=${first.epoch}`)).body.events.map(({ type }) => type)
    expect(types.filter((type) => type === 'cache.created')).toHaveLength(1)
    expect(types.filter((type) => type === 'cache.opened')).toHaveLength(3)
    expect((await get('/clusters/dev?purge=1', { method: 'DELETE' })).status).toBe(200)
    expect((await post('/clusters', { id: 'dev' })).body['epoch']).not.toBe(first.epoch)
  })

  test('C2 from A to B and back: A’s rows are there at once, and B’s events never reach A’s reader', async () => {
    const [a, b] = [new World(), new World()]
    a.put('default/1', { id: '1', db: 'default', name: 'same' })
    b.put('default/2', { id: '2', db: 'default', name: 'same' })
    const { server } = await start(new World(), { clusters: [{ id: 'a', address: '127.0.0.1:1', source: a.source, isPinned: true }, { id: 'b', address: '127.0.0.1:2', source: b.source, isPinned: true }] })
    const socket = new WebSocket(`ws://${server.served.address}/insight/v1/ws`, 'insight.v1')
    const seen: { t: string; id?: string; rows?: { key: string }[]; e?: InsightEvent[] }[] = []
    socket.on('message', (data: Buffer) => seen.push(JSON.parse(data.toString()) as (typeof seen)[number]))
    await new Promise((resolve) => socket.once('open', resolve))
    const send = (message: object) => socket.send(JSON.stringify(message))
    const liveOf = (id: string) => seen.filter((message) => message.t === 'live' && message.id === id).length
    send({ t: 'hello' })
    for (const [i, cluster] of ['a', 'b', 'a'].entries()) {
      send({ t: 'sub', id: `s${i}`, cluster, topics: ['collection'] })
      await expect.poll(() => liveOf(`s${i}`)).toBe(1)
      if (i < 2) send({ t: 'unsub', id: `s${i}` })
    }
    const keysOf = (id: string) => seen.flatMap((message) => (message.id === id ? (message.rows ?? []).map(({ key }) => key) : []))
    expect([keysOf('s0'), keysOf('s1'), keysOf('s2')]).toEqual([['default/1'], ['default/2'], ['default/1']])
    b.put('default/3', { id: '3', db: 'default', name: 'of b' })
    a.put('default/4', { id: '4', db: 'default', name: 'of a' })
    await expect.poll(() => seen.flatMap(({ id, e = [] }) => e.map(({ key }) => `${id} ${key}`))).toEqual(['s2 default/4'])
    socket.close()
  })

  test('E2 X1 on a store that persists it is the same: rows, events, what was missed', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'insight-'))
    try {
      const world = new World()
      world.put('default/1', { id: '1', db: 'default', name: 'a' })
      let kv = await openLmdbKV({ path: folder })
      const first = await startServer(world, { kv })
      await expect.poll(() => first.insight.clusters.get('dev')?.layer?.count('collection')).toBe(1)
      world.put('default/1', { id: '1', db: 'default', name: 'b' })
      const { epoch, seq } = first.insight.clusters.get('dev')?.status() ?? { epoch: '', seq: 0 }
      await first.stop()
      await kv.close()
      kv = await openLmdbKV({ path: folder })
      const second = await startServer(world, { kv })
      const layer = second.insight.clusters.get('dev')?.layer
      expect(layer?.epoch).toBe(epoch)
      expect([...(layer?.entities('collection') ?? [])].map(({ row }) => row['name'])).toEqual(['b'])
      expect(JSON.stringify(layer?.since(epoch ?? '', seq - 1))).toContain('collection.renamed')
      await second.stop()
      await kv.close()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
  test.skipIf(!existsSync(cli))('X1 D4c the program ends well on SIGTERM and shows the last known state when it comes back, with no cluster in sight', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'insight-cli-'))
    const run = () => {
      const child = spawn(process.execPath, [cli, '--port', '0', '--data-dir', folder, '--cluster', 'dev=127.0.0.1:1'], { stdio: ['ignore', 'pipe', 'pipe'] })
      let text = ''
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
      return { child, ended, address: () => /http:\/\/([^/]+)\//.exec(text)?.[1] }
    }
    try {
      for (const round of [1, 2]) {
        const { child, ended, address } = run()
        await expect.poll(address).toBeDefined()
        const { cluster } = { cluster: await (await fetch(`http://${address() ?? ''}/insight/v1/clusters/dev/collections`)).json() } as { cluster: { stale: boolean; asOf: number | null; epoch: string } }
        expect(cluster).toMatchObject({ stale: true, asOf: round === 1 ? null : expect.any(Number) })
        child.kill('SIGTERM')
        expect(await ended).toBe(0)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('X2 a client of a hundred lines is enough: the chaos tests run with it', () => {
    const text = readFileSync(fileURLToPath(new URL('./client.ts', import.meta.url)), 'utf8')
    const client = /^export class TestClient \{[\s\S]*?^\}/m.exec(text)?.[0] ?? ''
    expect(client.split('\n').length).toBeGreaterThan(20)
    expect(client.split('\n').length).toBeLessThanOrEqual(100)
  })
})

describe('what else section 7 says', () => {
  test('the answers of Milvus’s own interface, by its paths and names', async () => {
    const world = new World()
    world.put('default/1', { id: '449000000000000001', db: 'default', name: 'a', createdTs: '445644800000000000', load: { state: 'loaded', percent: 100 } })
    world.put('other/2', { id: '2', db: 'other', name: 'b' })
    const { get, base, server } = await start(world)
    await expect.poll(async () => (await get('/api/v1/_collection/list')).body).toEqual({ collection_names: ['a'], collection_ids: ['449000000000000001'], created_utc_timestamps: ['2023-11-14 22:13:20'], inMemory_percentages: ['100'], query_service_available: [true] })
    expect((await get('/api/v1/_collection/list?db_name=other')).body).toEqual({ collection_names: ['b'], collection_ids: ['2'], created_utc_timestamps: [''], inMemory_percentages: ['unknown'], query_service_available: [false] })
    expect((await get('/api/v1/_db/list')).body).toEqual({ db_names: [], db_ids: [], created_timestamps: [] })
    expect((await get('/api/v1/_cluster/info')).body).toEqual({ nodes_info: [] })
    const layer = server.insight.clusters.get('dev')?.layer
    layer?.upsert('database', 'default', { id: '1', name: 'default', createdTs: '1700000000000' }, 'push')
    layer?.upsert('node', 'n1', { name: 'node-1', role: 'querynode', state: 'healthy', version: '2.6', address: '127.0.0.1:1', startedAt: 1_700_000_000_000 }, 'push')
    expect((await get('/api/v1/_db/list')).body).toEqual({ db_names: ['default'], db_ids: ['1'], created_timestamps: ['2023-11-14 22:13:20'] })
    expect((await get('/api/v1/_cluster/info')).body).toMatchObject({ nodes_info: [{ identifier: 'n1', infos: { has_error: false, name: 'node-1', type: 'querynode', hardware_infos: { ip: '127.0.0.1:1' }, system_info: { system_version: '2.6' } } }] })
    for (const elsewhere of ['/api/v1/_cluster/configs', '/api/v1/_cluster', '/management/stop', '/expr']) expect((await fetch(`${base}${elsewhere}`)).status).toBe(404)
  })

  test('what a caller may not see is neither told, counted, nor listed the Milvus way', async () => {
    const alice: Principal = { name: 'alice', mayAct: false, sees: (_kind, key) => key.startsWith('hers/') }
    const world = new World()
    for (let i = 0; i < 5; i++) world.put(`default/${i}`, { id: String(i), db: 'default', name: `secret${i}` })
    world.put('hers/9', { id: '9', db: 'hers', name: 'ok' })
    const { get, post } = await start(world, { access: { login: async () => alice }, config: () => ({ actions: false, parameters: { 'a.b': 'c' } }) })
    const { token } = (await post('/login', { user: 'alice', password: 'x' })).body as unknown as { token: string }
    const headers = { authorization: `Bearer ${token}` }
    await expect.poll(async () => (await get('/clusters/dev', { headers })).body).toMatchObject({ counts: { collection: 1 } })
    expect((await get('/clusters', { headers })).body).toMatchObject({ clusters: [{ counts: { collection: 1 } }] })
    for (const where of ['/api/v1/_collection/list', '/clusters/dev/collections', '/clusters/dev/search?q=s', '/clusters/dev/events?since=0']) expect(JSON.stringify((await get(where, { headers })).body)).not.toContain('secret')
    expect((await get('/clusters/dev/collections/3', { headers })).status).toBe(404)
    expect((await get('/config', { headers })).body).toEqual({ actions: false })
    expect((await get('/api/v1/_cluster/info')).status).toBe(401)
  })

  test('a detail reads through when asked to, once a second; gauges come in steps', async () => {
    let rounds = 0
    let sink: Sink | undefined
    const source = (): InsightSource => ({
      origin: 'push',
      intervalMs: 600_000,
      start: async (to) => ((sink = to), {}),
      refresh: async () => {
        rounds++
        sink?.upsert('collection', 'default/1', { id: '1', db: 'default', name: 'a', rounds })
      },
      stop: async () => undefined,
    })
    const clock = new TestClock()
    const { get } = await start(new World(), { clock, clusters: [{ id: 'dev', address: '127.0.0.1', source, isPinned: true }] })
    await expect.poll(() => rounds).toBe(1)
    expect((await get('/clusters/dev/collections/1?refresh=1')).body).toMatchObject({ collection: { rounds: 2 } })
    await get('/clusters/dev/collections/1?refresh=1')
    expect((await get('/clusters/dev/collections/1')).body).toMatchObject({ collection: { rounds: 2 } })
    await clock.advance(1000)
    expect((await get('/clusters/dev/collections/1?refresh=1')).body).toMatchObject({ collection: { rounds: 3 } })
    for (let i = 0; i < 3; i++) sink?.gauge('lag', i)
    const { series } = (await get('/clusters/dev/gauges?keys=lag&step=60000')).body as unknown as { series: { lag: [number, number][] } }
    expect(series.lag.at(-1)?.[1]).toBe(2)
    expect(series.lag.every(([ts]) => ts % 60_000 === 0)).toBe(true)
    expect((await get('/clusters/dev/gauges?keys=lag&step=1')).status).toBe(400)
  })

  test('E1 every event is of the schema that ships', async () => {
    const validate = new Ajv2020({ allErrors: true, strict: false }).compile(eventSchema() as object)
    const clock = new TestClock()
    const layer = new Layer({ epoch: 'e', clock })
    const events: InsightEvent[] = []
    layer.listen((event) => events.push(event))
    for (const kind of KINDS) {
      layer.upsert(kind, 'default/1', { id: '1', name: 'a', state: 'ok', type: 'compaction' }, 'push')
      layer.upsert(kind, 'default/1', { id: '1', name: 'b', state: 'finished', type: 'compaction', reason: 'why' }, 'poll')
      await clock.advance(10_000)
      layer.upsert(kind, 'default/1', { id: '1', name: 'b', state: 'finished', type: 'compaction', load: { state: 'loading' }, stats: { rows: '1' }, progress: { state: 'failed' }, staged: { rows: 1 } }, 'poll')
      layer.drop(kind, 'default/1', 'push')
    }
    layer.note('source', 'source.state', { from: 'live', to: 'stale', error: 'x' })
    expect(events.flatMap((event) => (validate(event) ? [] : [{ event, errors: validate.errors }]))).toEqual([])
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['compaction.started', 'compaction.finished', 'compaction.forgotten', 'collection.renamed', 'load.changed', 'index.progress', 'client.staged', 'timetick.state', 'node.state']))
    for (const wrong of [{ ...events[0], type: 'collection.exploded' }, { ...events[0], seq: 0 }, { ...events[0], kind: 'thing' }, { ...events[0], data: { id: 5 } }]) expect(validate(wrong)).toBe(false)
    layer.close()
  })
})

test('D5 J2 a hundred connects and disconnects leave no handle behind', async () => {
  const world = new World()
  world.put('default/1', { id: '1', db: 'default', name: 'a' })
  const kv = createMemoryKV()
  const before = process.getActiveResourcesInfo().length
  for (let i = 0; i < 100; i++) await (await startServer(world, { kv })).stop()
  await expect.poll(() => process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before + 5)
  expect((await kv.loadWithPrefix('')).keys.length).toBeLessThan(60)
})
