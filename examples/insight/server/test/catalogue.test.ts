import { createMemoryKV } from '@timetick/kv/memory'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { EVENT_TYPES } from '../src/core/catalogue.ts'
import { Cluster } from '../src/core/cluster.ts'
import { Layer } from '../src/core/layer.ts'
import { KINDS, type InsightEvent, type Kind, type Row } from '../src/core/model.ts'
import { eventSchema } from '../src/rest/event-schema.ts'
import type { Sink } from '../src/source/source.ts'
import { TestClock } from './clock.ts'

/** Section 3 of the specification: what a row goes through, and which facts that is. */
const LIVES: readonly (readonly [Kind, readonly Row[], readonly string[]])[] = [
  ['database', [{ id: '1', name: 'a' }, { id: '1', name: 'a', properties: { p: '1' } }], ['database.created', 'database.updated', 'database.dropped']],
  [
    'collection',
    [
      { id: '1', db: 'default', name: 'a', description: '' },
      { id: '1', db: 'default', name: 'a', description: 'x' },
      { id: '1', db: 'default', name: 'b', description: 'x' },
      { id: '1', db: 'default', name: 'b', description: 'x', truncatedTs: '5' },
      { id: '1', db: 'default', name: 'b', description: 'x', truncatedTs: '5', stats: { rows: '3' } },
      { id: '1', db: 'default', name: 'b', description: 'x', truncatedTs: '5', stats: { rows: '3' }, load: { state: 'loading', percent: 5 } },
    ],
    ['collection.created', 'collection.updated', 'collection.renamed', 'collection.truncated', 'collection.stats', 'load.changed', 'collection.dropped'],
  ],
  ['alias', [{ alias: 'x', collId: '1' }, { alias: 'x', collId: '2' }], ['alias.created', 'alias.altered', 'alias.dropped']],
  ['partition', [{ id: '1', name: 'p' }, { id: '1', name: 'p', stats: { rows: '1' } }], ['partition.created', 'partition.stats', 'partition.dropped']],
  ['index', [{ name: 'i', field: 'v' }, { name: 'i', field: 'v', params: { m: '8' } }, { name: 'i', field: 'v', params: { m: '8' }, progress: { state: 'inProgress', indexedRows: '1', totalRows: '2', pendingRows: '1' } }], ['index.created', 'index.updated', 'index.progress', 'index.dropped']],
  ['segment', [{ id: '1', state: 'growing', rows: '1' }, { id: '1', state: 'flushed', rows: '1' }], ['segment.created', 'segment.updated', 'segment.dropped']],
  ['task', [{ name: 't', type: 'flush', state: 'running' }, { name: 't', type: 'flush', state: 'finished' }], ['flush.started', 'flush.finished']],
  ['task', [{ name: 't', type: 'flush', state: 'running' }, { name: 't', type: 'flush', state: 'failed', reason: 'full' }], ['flush.failed']],
  ['task', [{ name: 't', type: 'compaction', state: 'running' }, { name: 't', type: 'compaction', state: 'finished' }], ['compaction.started', 'compaction.finished']],
  ['task', [{ name: 't', type: 'compaction', state: 'running' }, { name: 't', type: 'compaction', state: 'failed', reason: 'full' }], ['compaction.failed']],
  ['task', [{ name: 't', type: 'import', state: 'running', percent: 1 }, { name: 't', type: 'import', state: 'running', percent: 2 }, { name: 't', type: 'import', state: 'finished', percent: 2 }], ['import.started', 'import.progress', 'import.finished']],
  ['task', [{ name: 't', type: 'import', state: 'running' }, { name: 't', type: 'import', state: 'failed', reason: 'no file' }], ['import.failed']],
  ['channel', [{ name: 'c', pchannel: 'p', state: 'ok' }, { name: 'c', pchannel: 'p', state: 'ok', checkpoint: { ts: '1' } }, { name: 'c', pchannel: 'p', state: 'lagging', lagMs: 7000, thresholdMs: 5000, checkpoint: { ts: '1' } }], ['channel.assigned', 'channel.checkpoint', 'timetick.state', 'channel.released']],
  ['stream', [{ name: 's', state: 'ok' }, { name: 's', state: 'stuck' }], ['timetick.state']],
  ['node', [{ name: 'n', state: 'healthy', version: '1' }, { name: 'n', state: 'healthy', version: '2' }, { name: 'n', state: 'stopping', version: '2', reason: 'asked' }], ['node.joined', 'node.updated', 'node.state', 'node.left']],
  ['watchdog', [{ name: 'w', target: 'w', state: 'ok' }, { name: 'w', target: 'w', state: 'dead' }], ['watchdog.state']],
  ['tso', [{ name: 'tso' }, { name: 'tso', anomaly: { kind: 'stall', lastTs: '5', physicalMs: 1, logical: 0 } }, { name: 'tso' }], ['tso.anomaly']],
  ['param', [{ name: 'p', value: '1' }, { name: 'p', value: '2' }], ['param.changed']],
  ['slowRequest', [{ id: '1', method: 'Search', durMs: 2000 }], ['slowRequest']],
  ['client', [{ identifier: '1', sdk: 'nodejs' }], ['client.connected', 'client.gone']],
]

const validate = new Ajv2020({ allErrors: true, strict: false }).compile(eventSchema() as object)
const complaints = (events: readonly InsightEvent[]) => events.flatMap((event) => (validate(event) ? [] : [{ event, errors: validate.errors }]))

async function eventsOf(kind: Kind, rows: readonly Row[]): Promise<InsightEvent[]> {
  const clock = new TestClock()
  const layer = new Layer({ epoch: 'e', clock })
  const events: InsightEvent[] = []
  layer.listen((event) => events.push(event))
  for (const row of rows) {
    layer.upsert(kind, 'default/1', row, 'push')
    await clock.advance(10_000)
  }
  layer.drop(kind, 'default/1', 'push')
  layer.close()
  return events
}

describe('the catalogue of events', () => {
  test.each(LIVES)('E1 a %s makes each fact of its life, as the schema says', async (kind, rows, types) => {
    const events = await eventsOf(kind, rows)
    expect(complaints(events)).toEqual([])
    const told = events.map(({ type }) => type)
    expect(told).toEqual(expect.arrayContaining([...types]))
  })

  test('E1 the source and the cache tell of themselves', async () => {
    const clock = new TestClock()
    const kv = createMemoryKV()
    let address = 'one'
    let isUp = true
    let sink: Sink | undefined
    const source = () => ({
      origin: 'push' as const,
      intervalMs: 1000,
      start: async (to: Sink) => ((sink = to), { fingerprint: address }),
      refresh: async () => {
        if (!isUp) throw new Error('refused')
      },
      stop: async () => undefined,
    })
    const cluster = new Cluster({ id: 'dev', address: '127.0.0.1', source, kv, clock, random: () => 0.5, newEpoch: () => 'e', isPinned: true })
    const events: InsightEvent[] = []
    const hear = async () => {
      const layer = await cluster.connect()
      const found = layer.since(layer.epoch, Math.max(0, layer.seq - layer.ringDepth))
      events.push(...(typeof found === 'string' ? [] : found))
      layer.listen((event) => events.push(event))
    }
    await hear()
    sink?.upsert('node', 'n', { name: 'n' })
    await clock.advance(5000)
    isUp = false
    await clock.advance(5000)
    const stopping = cluster.disconnect()
    await clock.advance(10_000)
    await stopping
    address = 'two'
    isUp = true
    await hear()
    await clock.advance(5000)
    expect(complaints(events)).toEqual([])
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['cache.created', 'cache.opened', 'cache.checkpointed', 'cache.reset', 'source.state']))
    expect(events.filter(({ type }) => type === 'source.state').map(({ data }) => data['to'])).toEqual(expect.arrayContaining(['connecting', 'live', 'stale', 'stopping', 'stopped']))
    const last = cluster.disconnect()
    await clock.advance(10_000)
    await last
  })

  test('every kind has a life here, and no fact of it is unknown to clients', () => {
    expect([...new Set(LIVES.map(([kind]) => kind))].sort()).toEqual([...KINDS].sort())
    for (const type of LIVES.flatMap(([, , types]) => types)) expect(EVENT_TYPES).toContain(type)
  })
})
