import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldInto } from '../src/core/fold.ts'
import { Layer } from '../src/core/layer.ts'
import { applyPatch, diffRows, withoutNulls } from '../src/core/merge-patch.ts'
import { KINDS, type InsightEvent, type Json, type Kind, type Row } from '../src/core/model.ts'
import { EventRing } from '../src/core/ring.ts'
import { TestClock } from './clock.ts'

const open = (clock = new TestClock()) => new Layer({ epoch: 'e1', clock })
const recorded = (layer: Layer) => {
  const events: InsightEvent[] = []
  layer.listen((event) => events.push(event))
  return events
}
const rowsOf = (layer: Layer) => new Map(KINDS.flatMap((kind) => [...layer.entities(kind)].map(({ key, row }) => [`${kind}\n${key}`, row] as const)))

const json: fc.Arbitrary<Json> = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string({ maxLength: 3 }), fc.array(fc.integer(), { maxLength: 2 }), fc.dictionary(fc.constantFrom('x', 'y'), fc.integer(), { maxKeys: 2 }))
const row: fc.Arbitrary<Row> = fc.dictionary(fc.constantFrom('name', 'state', 'load', 'stats', 'progress', 'checkpoint', 'a', 'b'), json, { maxKeys: 6 })
const key = fc.constantFrom('default/1', 'default/2', 'other/1', 'default/1/p', 'default/1/q', 'default/2/p')
const step = fc.oneof(
  fc.record({ op: fc.constant('upsert' as const), kind: fc.constantFrom(...KINDS), key, row }),
  fc.record({ op: fc.constant('drop' as const), kind: fc.constantFrom(...KINDS), key }),
  fc.record({ op: fc.constant('full' as const), kind: fc.constantFrom(...KINDS), scope: fc.constantFrom('', 'default/', 'default/1/'), keys: fc.array(key) }),
  fc.record({ op: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 6000 }) }),
)

describe('a layer', () => {
  test('E1 E2 events folded over a snapshot are the cache, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat({ max: 60 }), async (steps, cut) => {
        const clock = new TestClock()
        const layer = open(clock)
        const events = recorded(layer)
        let snapshot = { rows: new Map<string, Row>(), seq: 0 }
        for (const [i, one] of steps.entries()) {
          if (i === cut) snapshot = { rows: rowsOf(layer), seq: layer.seq }
          if (one.op === 'upsert') layer.upsert(one.kind, one.key, one.row, 'push')
          else if (one.op === 'drop') layer.drop(one.kind, one.key, 'poll')
          else if (one.op === 'full') layer.full(one.kind, one.scope, new Set(one.keys), 'poll')
          else await clock.advance(one.ms)
        }
        await clock.advance(10_000)
        const rows = new Map(snapshot.rows)
        for (const event of events) if (event.seq > snapshot.seq) foldInto(rows, event)
        expect(rows).toEqual(rowsOf(layer))
        expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
        layer.close()
      }),
      { numRuns: 300 },
    )
  })

  test('E1 what is pushed and polled is told once', () => {
    const layer = open()
    const events = recorded(layer)
    layer.upsert('collection', 'default/1', { name: 'a', load: { state: 'notLoad' } }, 'push')
    layer.upsert('collection', 'default/1', { name: 'a', load: { state: 'notLoad' } }, 'poll')
    expect(events.map(({ type }) => type)).toEqual(['collection.created'])
    layer.upsert('collection', 'default/1', { name: 'b', shards: 2, load: { state: 'loading', percent: 3 } }, 'push')
    expect(events.slice(1).map(({ type, data }) => [type, data])).toEqual([
      ['collection.renamed', { from: 'a', to: 'b' }],
      ['load.changed', { load: { state: 'loading', percent: 3 } }],
      ['collection.updated', { shards: 2 }],
    ])
  })

  test('C3 every kind is made, changed and dropped', () => {
    const layer = open()
    for (const kind of KINDS) {
      layer.upsert(kind, 'k', { name: 'n', size: 1 }, 'push')
      layer.upsert(kind, 'k', { name: 'n', size: 2 }, 'push')
      expect(layer.get(kind, 'k')?.row).toEqual({ name: 'n', size: 2 })
      layer.drop(kind, 'k', 'push')
      expect(layer.get(kind, 'k')).toBeUndefined()
      layer.drop(kind, 'k', 'push')
    }
    expect(layer.seq).toBe(KINDS.length * 3)
  })

  test('numbers that change all the time are told once a second, and the last is not lost', async () => {
    const clock = new TestClock()
    const layer = open(clock)
    const events = recorded(layer)
    for (let rows = 0; rows < 50; rows++) {
      layer.upsert('collection', 'default/1', { name: 'a', stats: { rows } }, 'push')
      await clock.advance(50)
    }
    await clock.advance(2000)
    const told = events.filter(({ type }) => type === 'collection.stats')
    expect(told.length).toBeLessThanOrEqual(4)
    expect(told.at(-1)?.data).toEqual({ stats: { rows: 49 } })
    expect(clock.timers).toBe(0)
  })

  test('a collection takes its parts with it', () => {
    const layer = open()
    const put = (kind: Kind, at: string) => layer.upsert(kind, at, { name: at }, 'push')
    put('collection', 'default/1')
    put('collection', 'default/10')
    put('partition', 'default/1/5')
    put('index', 'default/1/v')
    put('partition', 'default/10/6')
    layer.drop('collection', 'default/1', 'push')
    expect(rowsOf(layer)).toEqual(new Map([['collection\ndefault/10', { name: 'default/10' }], ['partition\ndefault/10/6', { name: 'default/10/6' }]]))
  })

  test('a remote row is dropped when two complete lists miss it, not one', () => {
    const layer = new Layer({ epoch: 'e', clock: new TestClock(), missesToDrop: 2 })
    layer.upsert('collection', 'default/1', {}, 'poll')
    layer.full('collection', 'default/', new Set(), 'poll')
    layer.upsert('collection', 'default/1', {}, 'poll')
    layer.full('collection', 'default/', new Set(), 'poll')
    expect(layer.count('collection')).toBe(1)
    layer.full('collection', 'default/', new Set(), 'poll')
    expect(layer.count('collection')).toBe(0)
  })

  test('patches', () => {
    fc.assert(
      fc.property(row, row, (before, after) => {
        const [a, b] = [withoutNulls(before), withoutNulls(after)]
        const patch = diffRows(a, b)
        expect(patch === undefined ? a : applyPatch(a, patch)).toEqual(b)
        expect(diffRows(b, b)).toBeUndefined()
      }),
    )
  })
})

describe('a ring', () => {
  const event = (seq: number): InsightEvent => ({ seq, ts: 0, type: 'node.updated', kind: 'node', key: 'n', rev: seq, src: 'push', data: { seq } })

  test('gives what came after, and says why not', () => {
    const ring = new EventRing(100, { maxEvents: 3 })
    expect(ring.after(100)).toEqual([])
    expect(ring.after(99)).toBe('outdated')
    for (let seq = 101; seq <= 5000; seq++) ring.push(event(seq))
    expect(ring.length).toBe(3)
    expect(ring.after(4997)).toEqual([event(4998), event(4999), event(5000)])
    expect(ring.after(4998, 1)).toEqual([event(4999)])
    expect(ring.after(4996)).toBe('outdated')
    expect(ring.after(5001)).toBe('future')
    expect(() => ring.push(event(5002))).toThrow(RangeError)
  })

  test('is bounded in bytes too', () => {
    const ring = new EventRing(0, { maxBytes: 2000 })
    for (let seq = 1; seq <= 1000; seq++) ring.push(event(seq))
    expect(ring.length).toBeLessThan(30)
    expect(ring.length).toBeGreaterThan(5)
  })
})
