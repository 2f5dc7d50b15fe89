import { createMemoryKV } from '@timetick/kv/memory'
import { describe, expect, test } from 'vitest'
import { EVERYTHING, type Principal } from '../src/access.ts'
import { Clusters } from '../src/core/clusters.ts'
import { KINDS, type Row } from '../src/core/model.ts'
import { Hub } from '../src/hub/hub.ts'
import type { HubLimits } from '../src/hub/limits.ts'
import { CLOSE } from '../src/hub/protocol.ts'
import type { Session } from '../src/hub/session.ts'
import type { InsightSource, Sink } from '../src/source/source.ts'
import { TestClient, TestConnection } from './client.ts'
import { settle, TestClock } from './clock.ts'

function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

class PushSource implements InsightSource {
  readonly origin = 'push'
  readonly intervalMs = 60_000
  sink: Sink | undefined
  readonly start = async (sink: Sink) => {
    this.sink = sink
    return {}
  }
  readonly refresh = async () => undefined
  readonly stop = async () => undefined
}

let epochs = 0
async function setUp({ limits, ringEvents = 500, principal = EVERYTHING, load = () => 0 }: { limits?: Partial<HubLimits>; ringEvents?: number; principal?: Principal | undefined; load?: () => number } = {}) {
  const clock = new TestClock()
  const kv = createMemoryKV()
  let source = new PushSource()
  const open = () => {
    const clusters = new Clusters([{ id: 'dev', address: '127.0.0.1', kv, clock, random: () => 0.5, newEpoch: () => `e${++epochs}`, source: () => (source = new PushSource()), ring: { maxEvents: ringEvents }, isPinned: true }])
    const hub = new Hub({ clusters, clock, load, version: 'test', limits: { maxClientsPerPeer: 1000, ...limits }, identify: ({ token }) => (token === 'bad' ? undefined : { principal, holds: () => true }) })
    return { clusters, hub }
  }
  const server = open()
  await server.clusters.get('dev')?.connect()
  await settle()
  return { clock, kv, open, server, put: (kind: 'collection' | 'node', key: string, row: Row) => source.sink?.upsert(kind, key, row), drop: (key: string) => source.sink?.drop('collection', key), gauge: (key: string, value: number) => source.sink?.gauge(key, value) }
}

async function join(hub: Hub, client = new TestClient(), messages = client.hello()): Promise<{ client: TestClient; connection: TestConnection; session: Session | undefined }> {
  const connection = new TestConnection(client)
  const session = hub.accept(connection)
  for (const message of messages) session?.receive(message)
  await settle()
  return { client, connection, session }
}
const last = (client: TestClient, t: string) => client.received.filter((message) => message.t === t).at(-1)

describe('a client', () => {
  test('W1 gets rows, then events; a resume gets what it missed, once', async () => {
    const { clock, server, put, drop } = await setUp()
    for (let i = 0; i < 1200; i++) put('collection', `default/${i}`, { name: `c${i}` })
    const { client, session } = await join(server.hub)
    await clock.advance(200)
    expect(client.isLive).toBe(true)
    expect(client.resets).toEqual(['new'])
    expect([...client.rows.keys()].filter((key) => key.startsWith('collection'))).toHaveLength(1200)
    put('collection', 'default/0', { name: 'renamed' })
    drop('default/1')
    await clock.advance(30)
    expect(client.rows.get('collection\ndefault/0')).toEqual({ name: 'renamed' })
    if (session !== undefined) server.hub.leave(session)
    put('collection', 'default/2', { name: 'meanwhile' })
    await join(server.hub, client)
    await clock.advance(30)
    expect(client.resets).toEqual(['new'])
    expect(client.replays).toBe(1)
    expect(client.rows.get('collection\ndefault/2')).toEqual({ name: 'meanwhile' })
    server.hub.close()
    await server.clusters.close()
    expect(clock.timers).toBe(0)
  })

  test('one that missed too much, or knows another history, starts anew', async () => {
    const { clock, server, put } = await setUp({ ringEvents: 10 })
    const client = new TestClient()
    client.at = { epoch: 'other', seq: 3 }
    const first = await join(server.hub, client)
    await clock.advance(100)
    if (first.session !== undefined) server.hub.leave(first.session)
    for (let i = 0; i < 50; i++) put('collection', `default/${i}`, {})
    await join(server.hub, client)
    await clock.advance(100)
    expect(client.resets).toEqual(['epoch', 'outdated'])
    expect(client.rows.size).toBe(50)
    server.hub.close()
  })

  test('a stuck one costs a cursor, and is let go; the others notice nothing', async () => {
    const { clock, server, put } = await setUp({ limits: { pauseBytes: 4096, resumeBytes: 1024, dropBytes: 1e9 } })
    const stuck = await join(server.hub)
    const slow = await join(server.hub)
    const well = await join(server.hub)
    await clock.advance(100)
    stuck.connection.isStuck = true
    slow.connection.isStuck = true
    for (let i = 0; i < 3000; i++) {
      put('collection', `default/${i % 100}`, { n: i })
      if (i % 20 === 0) await clock.advance(25)
    }
    await clock.advance(25)
    expect(stuck.connection.bufferedAmount).toBeLessThan(400_000)
    expect(well.client.rows.get('collection\ndefault/99')).toEqual({ n: 2999 })
    slow.connection.isStuck = false
    slow.connection.pump()
    await clock.advance(200)
    expect(slow.client.resets).toEqual(['new', 'slow'])
    expect(slow.client.rows).toEqual(well.client.rows)
    await clock.advance(31_000)
    expect(stuck.client.closedWith).toBe(CLOSE.tooSlow)
    expect(server.hub.clients).toBe(2)
    server.hub.close()
  })

  test('G10 a client that reads slowly, of rows that are large, is waited for: it gets all of them, and little waits for it', async () => {
    const { server, put, clock } = await setUp({ ringEvents: 5000 })
    const text = 'x'.repeat(20_000)
    for (let i = 0; i < 300; i++) put('collection', `default/${i}`, { name: `c${i}`, text })
    const slow = await join(server.hub)
    slow.connection.isStuck = true
    let most = 0
    const read = async () => {
      for (let round = 0; round < 100; round++) {
        await clock.advance(50)
        most = Math.max(most, slow.connection.bufferedAmount)
        slow.connection.pump()
      }
    }
    await read()
    expect(slow.client.isLive).toBe(true)
    for (let i = 0; i < 300; i++) put('collection', `default/${i}`, { name: `c${i}`, text: `${text}y` })
    await read()
    expect(slow.client.closedWith).toBeUndefined()
    expect(slow.client.resets).toEqual(['new'])
    expect(slow.client.rows.size).toBe(300)
    expect(most).toBeLessThan(600_000)
  })

  test('must say hello in time, with a token that is right, in words that are known', async () => {
    const { clock, server } = await setUp()
    const quiet = await join(server.hub, new TestClient(), [])
    const wrong = await join(server.hub, new TestClient(), [JSON.stringify({ t: 'hello', token: 'bad' })])
    const rude = await join(server.hub, new TestClient(), ['{'])
    const early = await join(server.hub, new TestClient(), [JSON.stringify({ t: 'ping' })])
    await clock.advance(6000)
    expect([quiet, wrong, rude, early].map(({ client }) => client.closedWith)).toEqual([CLOSE.helloTimeout, CLOSE.auth, CLOSE.badMessage, CLOSE.auth])
    const talker = await join(server.hub)
    for (const bad of ['[]', '1', '{"t":"sub"}', '{"t":"sub","id":"a","cluster":"dev","topics":[]}', '{"t":"sub","id":"a","cluster":"dev","topics":["(a+)+$"]}', '{"t":"view","id":"v","cluster":"dev","kind":"nothing"}', '{"t":"view","id":"v","cluster":"dev","kind":"node","limit":1000}']) {
      talker.session?.receive(bad)
      expect(last(talker.client, 'err')).toMatchObject({ code: 'bad-message' })
    }
    talker.session?.receive(JSON.stringify({ t: 'sub', id: 'x', cluster: 'nowhere', topics: ['*'] }))
    expect(last(talker.client, 'err')).toMatchObject({ id: 'x', code: 'unknown-cluster' })
    for (let i = 0; i < 60; i++) talker.session?.receive('{"t":"ping"}')
    expect(talker.client.closedWith).toBe(CLOSE.rate)
    server.hub.close()
  })

  test('a token that expires while its client stays ends it, and so do too many that say nothing', async () => {
    const { clock, server } = await setUp()
    const valid = new Set(['a', 'b'])
    const hub = new Hub({ clusters: server.clusters, clock, version: 'test', isOpen: false, limits: { maxUnknown: 2, maxClientsPerPeer: 100, helloMs: 60_000 }, identify: ({ token = '' }) => (valid.has(token) ? { principal: EVERYTHING, holds: () => valid.has(token) } : undefined) })
    const hello = (token: string) => join(hub, new TestClient(), [JSON.stringify({ t: 'hello', token })])
    const [a, b] = [await hello('a'), await hello('b')]
    await clock.advance(16_000)
    valid.delete('a')
    await clock.advance(16_000)
    expect([a, b].map(({ client }) => client.closedWith)).toEqual([CLOSE.auth, undefined])
    const quiet = [await join(hub, new TestClient(), []), await join(hub, new TestClient(), []), await join(hub, new TestClient(), [])]
    expect(quiet.map(({ client }) => client.closedWith)).toEqual([undefined, undefined, CLOSE.rate])
    hub.close()
    server.hub.close()
    await server.clusters.close()
  })

  test('there are limits on clients, subscriptions and views', async () => {
    const { server } = await setUp({ limits: { maxClients: 3, maxSubscriptions: 2, maxViews: 1, messageBurst: 1000 } })
    const { client, session } = await join(server.hub)
    for (const id of ['a', 'b', 'c']) session?.receive(JSON.stringify({ t: 'sub', id, cluster: 'dev', topics: ['node'] }))
    for (const id of ['v', 'w']) session?.receive(JSON.stringify({ t: 'view', id, cluster: 'dev', kind: 'node' }))
    expect(client.received.filter(({ t }) => t === 'err').map(({ id }) => id)).toEqual(['b', 'c', 'w'])
    await join(server.hub)
    await join(server.hub)
    const fourth = await join(server.hub)
    expect(fourth.client.closedWith).toBe(CLOSE.rate)
    server.hub.close()
  })

  test('a view shows a page, patches its rows at once, and says when others belong there', async () => {
    const { clock, server, put, drop } = await setUp()
    for (let i = 10; i < 60; i++) put('collection', `default/${i}`, { name: `c${i}`, db: 'default' })
    const client = new TestClient()
    await join(server.hub, client, [JSON.stringify({ t: 'hello' }), JSON.stringify({ t: 'view', id: 'v', cluster: 'dev', kind: 'collection', limit: 10, q: 'C' })])
    await clock.advance(30)
    expect(last(client, 'page')).toMatchObject({ total: 50 })
    put('collection', 'default/12', { name: 'c12', db: 'default', load: { state: 'loaded' } })
    put('collection', 'default/40', { name: 'c40', db: 'default', load: { state: 'loaded' } })
    await clock.advance(30)
    expect(last(client, 'patch')?.rows).toMatchObject([{ key: 'default/12' }])
    drop('default/11')
    put('collection', 'default/0', { name: 'c00', db: 'default' })
    await clock.advance(1100)
    expect(last(client, 'dirty')).toMatchObject({ total: 50, added: 1, removed: 0 })
    server.hub.close()
  })

  test('gauges come apart, the newest only', async () => {
    const { clock, server, gauge } = await setUp()
    const client = new TestClient()
    await join(server.hub, client, [JSON.stringify({ t: 'hello' }), JSON.stringify({ t: 'gauges', id: 'g', cluster: 'dev' })])
    for (let i = 0; i < 100; i++) gauge('lag', i)
    await clock.advance(1000)
    expect(client.received.filter(({ t }) => t === 'g')).toMatchObject([{ id: 'g', v: [['lag', expect.any(Number), 99]] }])
    await clock.advance(5000)
    expect(client.received.filter(({ t }) => t === 'g')).toHaveLength(1)
    server.hub.close()
  })

  test('rights that are withdrawn while a client stays: its rows vanish at once, it is told, and a resume with the rights of before starts anew', async () => {
    let rights = 'both'
    const principal: Principal = { name: 'alice', mayAct: false, rights: () => rights, sees: (_kind, key) => rights === 'both' || key.startsWith('hers/') }
    const { clock, server, put } = await setUp({ principal })
    put('collection', 'default/1', { name: 'theirs' })
    put('collection', 'hers/2', { name: 'hers' })
    const { client, session } = await join(server.hub)
    session?.receive(JSON.stringify({ t: 'view', id: 'v', cluster: 'dev', kind: 'collection', limit: 10 }))
    await settle()
    await clock.advance(100)
    expect(client.rows.size).toBe(2)
    expect(last(client, 'page')).toMatchObject({ total: 2 })
    const before = client.at
    rights = 'hers'
    put('collection', 'default/1', { name: 'secret' })
    await clock.advance(1200)
    expect([...client.rows.keys()]).toEqual(['collection\nhers/2'])
    expect(client.resets.at(-1)).toBe('rights')
    expect(last(client, 'page')).toMatchObject({ total: 1, rows: [{ key: 'hers/2' }] })
    expect(JSON.stringify(client.received)).not.toContain('secret')
    const late = new TestClient()
    late.at = before
    late.rows = new Map([['collection\ndefault/1', { name: 'theirs' }]])
    await join(server.hub, late)
    await clock.advance(100)
    expect(late.resets).toEqual(['epoch'])
    expect([...late.rows.keys()]).toEqual(['collection\nhers/2'])
    rights = 'both'
    await clock.advance(1200)
    expect(client.rows.size).toBe(2)
    server.hub.close()
  })

  test('G14 where the process is busy, many are told less often, and miss nothing', async () => {
    let load = 0
    const { clock, server, put } = await setUp({ load: () => load })
    const clients: TestClient[] = []
    for (let i = 0; i < 400; i++) clients.push((await join(server.hub)).client)
    await clock.advance(1000)
    const batches = async (): Promise<number> => {
      const before = clients[7]?.received.length ?? 0
      for (let i = 0; i < 80; i++) {
        put('node', 'n', { i: load * 1000 + i })
        await clock.advance(25)
      }
      return (clients[7]?.received.length ?? 0) - before
    }
    const calm = await batches()
    load = 1
    const busy = await batches()
    // 2 s: every 40 ms and some, every 200 ms and some.
    expect(calm).toBeGreaterThan(25)
    expect(busy).toBeLessThanOrEqual(11)
    expect(busy).toBeGreaterThanOrEqual(8)
    // A new one does not wait for the others.
    put('node', 'n', { i: 'new' })
    const { client: late } = await join(server.hub)
    await clock.advance(30)
    expect(late.isLive).toBe(true)
    await clock.advance(300)
    for (const client of [...clients, late]) expect(client.rows.get('node\nn')).toEqual({ i: 'new' })
    server.hub.close()
  })

  test('a cluster that is stopped and comes back while a client stays: it goes on, or starts anew where the history is another one', async () => {
    const { clock, server, put } = await setUp()
    put('collection', 'default/1', { name: 'a' })
    const { client } = await join(server.hub, undefined, [...new TestClient().hello(), JSON.stringify({ t: 'view', id: 'v', cluster: 'dev', kind: 'collection' })])
    await clock.advance(1000)
    const cluster = server.clusters.get('dev')
    for (const [end, name] of [['disconnect', 'b'], ['purge', 'c']] as const) {
      const ending = cluster?.[end]()
      await clock.advance(10_000)
      await ending
      await cluster?.connect()
      await settle()
      put('collection', 'default/1', { name })
      await clock.advance(2000)
      expect(client.rows.get('collection\ndefault/1')).toEqual({ name })
      expect(last(client, 'page')?.rows).toMatchObject([{ row: { name } }])
    }
    expect(client.resets).toEqual(['new', 'epoch'])
    server.hub.close()
    const ending = server.clusters.close()
    await clock.advance(10_000)
    await ending
  })

  test('nobody gets what they may not see', async () => {
    const principal: Principal = { name: 'alice', mayAct: false, sees: (_kind, key) => key.startsWith('hers/') }
    const { clock, server, put } = await setUp({ principal })
    put('collection', 'default/1', { name: 'secret' })
    put('collection', 'hers/2', { name: 'ok' })
    const { client } = await join(server.hub)
    await clock.advance(100)
    put('collection', 'default/1', { name: 'secret too' })
    put('collection', 'hers/3', { name: 'ok too' })
    await clock.advance(100)
    expect(JSON.stringify(client.received)).not.toContain('secret')
    expect([...client.rows.keys()].sort()).toEqual(['collection\nhers/2', 'collection\nhers/3'])
    server.hub.close()
  })
})

const [seeds, steps] = process.env['TIMETICK_RING'] === 'ci' ? [20, 6000] : [4, 1500]
test.each(Array.from({ length: seeds }, (_, i) => i + 1))('G6 C2 fifty clients, disconnects, restarts and a stuck one: nothing lost, doubled or diverged (seed %i)', async (seed) => {
  const random = randomOf(seed)
  const { clock, open, server: first, put, drop } = await setUp({ ringEvents: 50 + Math.floor(random() * 2000), limits: { messageBurst: 1e6, pauseBytes: 20_000, resumeBytes: 5000, dropBytes: 200_000 } })
  let server = first
  const clients = Array.from({ length: 50 }, () => new TestClient())
  const joined = new Map<TestClient, { connection: TestConnection; session: Session | undefined }>()
  for (const client of clients) joined.set(client, await join(server.hub, client))
  for (let step = 0; step < steps; step++) {
    const pick = clients[Math.floor(random() * clients.length)] as TestClient
    const dice = random()
    if (dice < 0.6) put('collection', `default/${Math.floor(random() * 80)}`, { n: step, name: `c${step % 7}` })
    else if (dice < 0.7) drop(`default/${Math.floor(random() * 80)}`)
    else if (dice < 0.85) {
      const old = joined.get(pick)
      if (old?.session !== undefined) server.hub.leave(old.session)
      if (old !== undefined) old.connection.isClosed = true
      joined.set(pick, await join(server.hub, pick))
    } else if (dice < 0.88) {
      const { connection } = joined.get(pick) ?? {}
      if (connection !== undefined) connection.isStuck = !connection.isStuck
      if (connection?.isStuck === false) connection.pump()
    } else if (dice < 0.997) await clock.advance(Math.floor(random() * 60))
    else {
      server.hub.close()
      await server.clusters.close()
      server = open()
      await server.clusters.get('dev')?.connect()
      await settle()
      for (const client of clients) joined.set(client, await join(server.hub, client))
    }
  }
  for (const { connection } of joined.values()) {
    connection.isStuck = false
    connection.pump()
  }
  for (const [client, { connection }] of joined) if (connection.isClosed) joined.set(client, await join(server.hub, client))
  await clock.advance(5000)
  const layer = server.clusters.get('dev')?.layer
  const truth = new Map(KINDS.flatMap((kind) => [...(layer?.entities(kind) ?? [])].map(({ key, row }) => [`${kind}\n${key}`, row] as const)))
  for (const client of clients) {
    expect(client.isLive).toBe(true)
    expect(client.rows).toEqual(truth)
  }
  server.hub.close()
  await server.clusters.close()
  expect(clock.timers).toBe(0)
})
