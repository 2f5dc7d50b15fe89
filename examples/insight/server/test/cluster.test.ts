import { createMemoryKV } from '@timetick/kv/memory'
import { describe, expect, test } from 'vitest'
import { layerId, normaliseAddress } from '../src/core/address.ts'
import { Cluster, type ClusterOptions } from '../src/core/cluster.ts'
import type { InsightEvent, Row } from '../src/core/model.ts'
import type { InsightSource, Sink } from '../src/source/source.ts'
import { settle, TestClock } from './clock.ts'

/** A server that tests change, stop and slow down. */
class FakeSource implements InsightSource {
  readonly origin = 'poll'
  readonly intervalMs = 5000
  readonly collections = new Map<string, Row>([['default/1', { id: '1', db: 'default', name: 'a' }]])
  fingerprint: string | undefined = 'f1'
  isDown = false
  rounds = 0
  running = 0
  most = 0
  stops = 0
  gate: Promise<void> | undefined
  #sink: Sink | undefined

  async start(sink: Sink): Promise<{ fingerprint?: string | undefined }> {
    if (this.isDown) throw new Error('connection refused')
    this.#sink = sink
    return { fingerprint: this.fingerprint }
  }

  async refresh(signal: AbortSignal): Promise<void> {
    this.rounds++
    this.most = Math.max(this.most, ++this.running)
    try {
      if (this.gate !== undefined) await Promise.race([this.gate, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
      signal.throwIfAborted()
      if (this.isDown) throw new Error('connection refused')
      for (const [key, row] of this.collections) this.#sink?.upsert('collection', key, row)
      this.#sink?.full('collection', '', new Set(this.collections.keys()))
    } finally {
      this.running--
    }
  }

  async stop(): Promise<void> {
    this.stops++
  }
}

let epochs = 0
function setUp(more: Partial<ClusterOptions> = {}) {
  const clock = new TestClock()
  const kv = createMemoryKV()
  const sources: FakeSource[] = []
  const template = new FakeSource()
  const options: ClusterOptions = {
    id: 'dev',
    address: '127.0.0.1',
    kv,
    clock,
    random: () => 0.5,
    newEpoch: () => `epoch-${++epochs}`,
    source: () => {
      const source = new FakeSource()
      source.isDown = template.isDown
      source.fingerprint = template.fingerprint
      source.gate = template.gate
      for (const [key, row] of template.collections) source.collections.set(key, row)
      sources.push(source)
      return source
    },
    ...more,
  }
  return { clock, kv, sources, template, options, cluster: new Cluster(options) }
}
const rowsOf = (cluster: Cluster) => [...(cluster.layer?.entities('collection') ?? [])].map(({ key, row, rev }) => ({ key, row, rev }))
const typesOf = (events: readonly InsightEvent[] | string) => (typeof events === 'string' ? events : events.map(({ type }) => type))

describe('the life of a layer', () => {
  test('D1 a server that is down does not stop ours; when it comes, the layer is live', async () => {
    const { cluster, clock, template, sources } = setUp()
    template.isDown = true
    await cluster.connect()
    await settle()
    expect(cluster.status()).toMatchObject({ state: 'stale', error: 'connection refused' })
    for (const source of sources) source.isDown = false
    await clock.advance(10_000)
    expect(cluster.status()).toMatchObject({ state: 'live', error: null })
    expect(rowsOf(cluster)).toHaveLength(1)
    await cluster.disconnect()
  })

  test('D2 the first connect creates, the second opens the same layer', async () => {
    const { cluster, clock } = setUp()
    const first = await cluster.connect()
    expect(typesOf(first.since(first.epoch, 0))).toContain('cache.created')
    await clock.advance(1)
    await cluster.disconnect()
    const second = await cluster.connect()
    expect(second.epoch).toBe(first.epoch)
    expect(typesOf(second.since(second.epoch, first.seq))).toContain('cache.opened')
    await cluster.disconnect()
  })

  test('D3 one job, however many connect', async () => {
    const { cluster, sources } = setUp()
    const leaves = await Promise.all(Array.from({ length: 50 }, () => cluster.retain()))
    await settle()
    expect(sources).toHaveLength(1)
    expect(sources[0]?.rounds).toBe(1)
    for (const leave of leaves) leave()
    await cluster.disconnect()
  })

  test('D4a D4b what was saved is there again, offline, and nothing runs', async () => {
    const { cluster, clock, sources, template } = setUp()
    await cluster.connect()
    await clock.advance(20_000)
    const before = rowsOf(cluster)
    const { seq } = cluster.status()
    await cluster.disconnect()
    const rounds = sources[0]?.rounds
    expect(clock.timers).toBe(0)
    await clock.advance(50_000)
    expect(sources[0]?.rounds).toBe(rounds)
    expect(sources[0]?.stops).toBe(1)
    template.isDown = true
    const layer = await cluster.connect()
    await settle()
    expect(rowsOf(cluster)).toEqual(before)
    expect(layer.since(layer.epoch, seq)).not.toBe('outdated')
    expect(cluster.status().state).toBe('stale')
    await cluster.disconnect()
  })

  test('D4c a stop in the middle of a round waits for it, and nothing is written after the save', async () => {
    const { cluster, clock, kv, sources } = setUp()
    await cluster.connect()
    await clock.advance(1)
    const [source] = sources
    if (source === undefined) throw new Error('no source')
    source.gate = new Promise(() => undefined)
    await clock.advance(5000)
    expect(source.running).toBe(1)
    await cluster.disconnect()
    expect(source.running).toBe(0)
    const { revision } = await kv.loadWithPrefix('')
    await clock.advance(60_000)
    expect((await kv.loadWithPrefix('')).revision).toBe(revision)
  })

  test('D5 a hundred times there and back leaves nothing behind', async () => {
    const { cluster, clock, kv } = setUp()
    for (let i = 0; i < 100; i++) {
      await cluster.connect()
      await clock.advance(10)
      await cluster.disconnect()
      expect(clock.timers).toBe(0)
    }
    expect((await kv.loadWithPrefix('')).keys.length).toBeLessThan(40)
  })

  test('the last reader that leaves stops the layer after a while; one that comes back keeps it', async () => {
    const { cluster, clock } = setUp({ lingerMs: 30_000 })
    const leave = await cluster.retain()
    leave()
    leave()
    await clock.advance(20_000)
    const back = await cluster.retain()
    await clock.advance(60_000)
    expect(cluster.status().state).toBe('live')
    back()
    await clock.advance(31_000)
    expect(cluster.status().state).toBe('stopped')
  })

  test('X1 after a crash the rows are there, stale, under a new epoch', async () => {
    const { cluster, clock, options, template } = setUp()
    const layer = await cluster.connect()
    await clock.advance(3000)
    template.isDown = true
    const again = new Cluster(options)
    const opened = await again.connect()
    await settle()
    expect(opened.epoch).not.toBe(layer.epoch)
    expect(rowsOf(again).map(({ key }) => key)).toEqual(['default/1'])
    expect(again.status().state).toBe('stale')
    expect(again.status().asOf).not.toBeNull()
    await Promise.all([cluster.disconnect(), again.disconnect()])
  })

  test('another cluster at the same address empties the layer', async () => {
    const { cluster, clock, template } = setUp()
    await cluster.connect()
    await clock.advance(10)
    await cluster.disconnect()
    template.fingerprint = 'f2'
    template.collections.clear()
    template.collections.set('default/1', { id: '1', db: 'default', name: 'b' })
    const layer = await cluster.connect()
    await clock.advance(10)
    expect(typesOf(layer.since(layer.epoch, 0))).toContain('cache.reset')
    await cluster.disconnect()
  })
})

describe('the job', () => {
  test('J1 a change is seen within the interval', async () => {
    const { cluster, clock, sources } = setUp()
    await cluster.connect()
    await clock.advance(10)
    sources[0]?.collections.set('default/2', { id: '2', db: 'default', name: 'new' })
    await clock.advance(5250)
    expect(rowsOf(cluster)).toHaveLength(2)
    await cluster.disconnect()
  })

  test('J2 rounds never overlap, and a failure is a state, not an end', async () => {
    const { cluster, clock, sources } = setUp()
    await cluster.connect()
    await clock.advance(10)
    const [source] = sources
    if (source === undefined) throw new Error('no source')
    let open = (): void => undefined
    source.gate = new Promise((resolve) => {
      open = resolve
    })
    await clock.advance(20_000)
    void cluster.refresh()
    expect(source.most).toBe(1)
    source.gate = undefined
    open()
    await clock.advance(10_000)
    source.isDown = true
    await clock.advance(200_000)
    expect(cluster.status()).toMatchObject({ state: 'stale' })
    expect(rowsOf(cluster)).toHaveLength(1)
    const events = cluster.layer?.since(cluster.layer.epoch, 0) ?? []
    expect(typesOf(events)).toEqual(expect.arrayContaining(['source.state']))
    expect((events as InsightEvent[]).filter(({ type, data }) => type === 'source.state' && data['to'] === 'stale')).toHaveLength(1)
    const { rounds } = source
    await clock.advance(60_000)
    expect(source.rounds - rounds).toBeLessThanOrEqual(2)
    source.isDown = false
    await clock.advance(70_000)
    expect(cluster.status().state).toBe('live')
    await cluster.disconnect()
  })
})

test('C1 C2 one layer per address, whatever its spelling', () => {
  for (const spelling of ['Host', 'host:19530', 'http://host', 'tcp://host:19530/', ' host ']) expect(layerId(spelling)).toBe(layerId('host'))
  expect(layerId('host:19531')).not.toBe(layerId('host'))
  expect(layerId('host', 'alice')).not.toBe(layerId('host', 'bob'))
  expect(normaliseAddress('[::1]')).toBe('[::1]:19530')
  for (const bad of ['', 'a b', 'host:0', 'host:99999', 'http://user@host', 'host/path', 'file:///etc']) expect(() => normaliseAddress(bad)).toThrow(/address like/)
})
