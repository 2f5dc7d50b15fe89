import { createMemoryKV } from '@timetick/kv/memory'
import type { KVBase } from '@timetick/kv'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Checkpoint } from '../src/core/checkpoint.ts'
import { Layer } from '../src/core/layer.ts'
import { TestClock } from './clock.ts'

const openLayer = () => new Layer({ epoch: 'e', clock: new TestClock() })
const put = (layer: Layer, i: number, more: object = {}) => layer.upsert('collection', `default/${i}`, { id: String(i), name: `c${i}`, ...more }, 'push')
const rowsOf = (layer: Layer) => new Map([...layer.entities('collection')].map(({ key, row }) => [key, row]))
const stored = async (kv: KVBase) => new Map((await new Checkpoint(kv, 'l').open())?.entities.map(({ key, row }) => [key, row]))

/** A store whose writes fail when told so, before or after they were applied. */
function fragile(kv: KVBase): { kv: KVBase; fails: 'no' | 'before' | 'after'; writes: { keys: number; removals: number }[] } {
  const control = { kv, fails: 'no' as 'no' | 'before' | 'after', writes: [] as { keys: number; removals: number }[] }
  control.kv = new Proxy(kv, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'multiSaveAndRemove') return (value as () => unknown).bind(target)
      return async (saves: ReadonlyMap<string, string>, removals: readonly string[]) => {
        if (control.fails === 'before') throw new Error('no disk')
        control.writes.push({ keys: saves.size, removals: removals.length })
        await target.multiSaveAndRemove(saves, removals)
        if (control.fails === 'after') throw new Error('nobody knows')
      }
    },
  })
  return control
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('put' as const), i: fc.nat(20), size: fc.constantFrom(1, 150_000) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('drop' as const), i: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('flush' as const), fails: fc.constantFrom('no' as const, 'no' as const, 'before' as const, 'after' as const) }) },
)

test('D4a X1 what is read again is what was saved last, whatever failed in between', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const disk = createMemoryKV()
      const store = fragile(disk)
      const layer = openLayer()
      const checkpoint = new Checkpoint(store.kv, 'l')
      await checkpoint.open()
      for (const [n, one] of steps.entries()) {
        if (one.op === 'put') put(layer, one.i, { n, text: 'x'.repeat(one.size) })
        else if (one.op === 'drop') layer.drop('collection', `default/${one.i}`, 'push')
        else {
          store.fails = one.fails
          await checkpoint.flush(layer, n, undefined).catch(() => undefined)
          store.fails = 'no'
        }
      }
      await checkpoint.flush(layer, 1, undefined)
      expect(await stored(disk)).toEqual(rowsOf(layer))
    }),
    { numRuns: 60 },
  )
})

test('G8 a thousand changed rows are few writes; they come to their places when there are many of them, and the notes go', async () => {
  const disk = createMemoryKV()
  const store = fragile(disk)
  const layer = openLayer()
  const checkpoint = new Checkpoint(store.kv, 'l')
  for (let i = 0; i < 11_000; i++) put(layer, i)
  await checkpoint.flush(layer, 1, undefined)
  const notes = async () => (await disk.loadWithPrefix('insight/1/l/note/')).keys.length
  expect(await notes()).toBe(0)
  store.writes.length = 0
  for (let i = 0; i < 1000; i++) put(layer, i, { description: 'changed' })
  await checkpoint.flush(layer, 2, undefined)
  expect(store.writes).toHaveLength(1)
  expect(store.writes[0]?.keys).toBeLessThan(10)
  expect(await notes()).toBeGreaterThan(0)
  expect(await stored(disk)).toEqual(rowsOf(layer))
  // The same rows again and again do not make it longer for ever.
  let most = 0
  for (let round = 0; round < 70; round++) {
    for (let i = 0; i < 5; i++) put(layer, i, { round })
    await checkpoint.flush(layer, 3, undefined)
    most = Math.max(most, await notes())
  }
  expect(most).toBeLessThanOrEqual(64)
  for (let i = 0; i < 11_000; i++) put(layer, i, { description: 'all' })
  await checkpoint.flush(layer, 4, undefined)
  expect(await notes()).toBe(0)
  expect(await stored(disk)).toEqual(rowsOf(layer))
})

test('X1 what cannot be read is left out, the rest is there', async () => {
  const disk = createMemoryKV()
  const layer = openLayer()
  const checkpoint = new Checkpoint(disk, 'l')
  put(layer, 1)
  await checkpoint.flush(layer, 1, undefined)
  for (const [i, bad] of ['no json', '7', 'null', '[null, 7, {"id": 1}, {"id": "x"}, {"id": "x", "entity": {}}]'].entries()) await disk.save(`insight/1/l/note/0000000${i + 3}`, bad)
  expect([...(await stored(disk)).keys()]).toEqual(['default/1'])
})

test('X1 keys may hold anything: line breaks at either end and between, slashes, percent signs, nothing but a line break', async () => {
  const disk = createMemoryKV()
  const layer = openLayer()
  const checkpoint = new Checkpoint(disk, 'l')
  const keys = ['default/1\n', '\n', '\n\n', 'a\nb', 'a\nb\nc', 'a\r\nb', 'a', 'a%0Ab', 'a/../b', '%', '\u0000', 'é\u{1f600}\n']
  for (const key of keys) layer.upsert('collection', key, { name: key }, 'push')
  await checkpoint.flush(layer, 1, undefined)
  // From notes, then from their places, then without those that were dropped.
  expect(await stored(disk)).toEqual(rowsOf(layer))
  const untilPlaced = async () => {
    let round = 0
    do {
      put(layer, 0, { round: round++ })
      await checkpoint.flush(layer, 2, undefined)
    } while ((await disk.loadWithPrefix('insight/1/l/note/')).keys.length > 0)
  }
  await untilPlaced()
  expect(await stored(disk)).toEqual(rowsOf(layer))
  for (const key of keys) layer.drop('collection', key, 'push')
  await untilPlaced()
  expect([...(await stored(disk)).keys()].filter((key) => !key.startsWith('default/'))).toEqual([])
  expect(await stored(disk)).toEqual(rowsOf(layer))
})

test('X1 what was stored before keys could hold line breaks is read: such a row was a note of nothing', async () => {
  const disk = createMemoryKV()
  const layer = openLayer()
  const checkpoint = new Checkpoint(disk, 'l')
  put(layer, 1)
  await checkpoint.flush(layer, 1, undefined)
  await disk.save('insight/1/l/note/00000001', JSON.stringify([{ id: 'collection\na\nb', entity: null }]))
  const again = new Checkpoint(disk, 'l')
  expect((await again.open())?.entities.map(({ key }) => key)).toEqual(['default/1'])
  layer.upsert('collection', 'a\nb', { name: 'x' }, 'push')
  await again.flush(layer, 2, undefined)
  expect(await stored(disk)).toEqual(rowsOf(layer))
})
