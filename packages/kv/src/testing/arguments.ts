import assert from 'node:assert/strict'
import type { KVBase } from '../kv.ts'
import { type Kit, rejectsAs, rejectsWith } from './kit.ts'

/** Passes what the types forbid. */
const wrong = (value: unknown): never => value as never

export function argumentTests(kit: Kit): void {
  const calls = (kv: KVBase, key: string): Record<string, () => unknown> => ({
    load: () => kv.load(key),
    loadEntry: () => kv.loadEntry(key),
    multiLoad: () => kv.multiLoad(['fine', key]),
    has: () => kv.has(key),
    save: () => kv.save(key, 'v'),
    multiSave: () => kv.multiSave([['fine', 'v'], [key, 'v']]),
    remove: () => kv.remove(key),
    multiRemove: () => kv.multiRemove(['fine', key]),
    'multiSaveAndRemove (saves)': () => kv.multiSaveAndRemove([[key, 'v']], []),
    'multiSaveAndRemove (removals)': () => kv.multiSaveAndRemove([['fine', 'v']], [key]),
    'multiSaveAndRemove (when)': () => kv.multiSaveAndRemove([['fine', 'v']], [], { when: [{ key, exists: false }] }),
    compareAndSave: () => kv.compareAndSave(key, 0n, 'v'),
    watch: () => kv.watch(key),
    'loadWithPrefix (startAfter)': () => kv.loadWithPrefix('', { startAfter: key }),
  })

  kit.test('Must refuse a lone surrogate in keys, prefixes and values', async (kv) => {
    for (const bad of ['\ud800', 'a\udc00', '\udc00\ud800']) {
      for (const [name, call] of Object.entries(calls(kv, bad))) await rejectsAs(call, TypeError, name)
      await rejectsAs(() => kv.save('k', bad), TypeError, 'value')
      await rejectsAs(() => kv.loadWithPrefix(bad), TypeError, 'prefix')
      await rejectsAs(() => kv.removeWithPrefix(bad), TypeError, 'prefix of removeWithPrefix')
      await rejectsAs(() => kv.watchWithPrefix(bad), TypeError, 'prefix of a watch')
    }
    assert.deepEqual((await kv.loadWithPrefix('')).keys, [], 'nothing was written')
  })

  kit.test('keys are non-empty strings of at most maxKeyBytes UTF-8 bytes', async (kv) => {
    const limit = kv.features.maxKeyBytes
    for (const [name, call] of Object.entries(calls(kv, ''))) await rejectsAs(call, RangeError, `${name} of ''`)
    for (const [name, call] of Object.entries(calls(kv, 'é'.repeat(limit)))) await rejectsAs(call, RangeError, `${name} of a long key`)
    for (const bad of [1, null, undefined, {}, ['a'], Symbol('a')]) {
      for (const [name, call] of Object.entries(calls(kv, wrong(bad)))) {
        if (bad === undefined && name.includes('startAfter')) continue
        await rejectsAs(call, TypeError, `${name} of ${String(bad)}`)
      }
    }
    const longest = 'x'.repeat(limit)
    await kv.save(longest, 'kept')
    assert.equal(await kv.load(longest), 'kept')
    assert.deepEqual((await kv.loadWithPrefix('x')).keys, [longest])
  })

  kit.test('values of a wrong kind are refused and nothing is written', async (kv) => {
    for (const bad of [1, null, undefined, {}, new Uint8Array(1)]) {
      await rejectsAs(() => kv.save('k', wrong(bad)), TypeError, 'save')
      await rejectsAs(() => kv.multiSave([['a', 'v'], ['k', wrong(bad)]]), TypeError, 'multiSave')
      await rejectsAs(() => kv.compareAndSave('k', 0n, wrong(bad)), TypeError, 'compareAndSave')
    }
    for (const bad of ['text', 1, null, {}, [1]]) await rejectsAs(() => kv.bytes.save('k', wrong(bad)), TypeError, 'bytes.save')
    assert.deepEqual((await kv.loadWithPrefix('')).keys, [])
  })

  kit.test('pairs, options and numbers of a wrong kind are refused', async (kv) => {
    for (const bad of [1, 'ab', null, undefined, [['a']], [['a', 'b', 'c']], ['a'], new Set(['a'])]) {
      await rejectsAs(() => kv.multiSave(wrong(bad)), TypeError, `pairs ${String(bad)}`)
    }
    await rejectsAs(() => kv.multiSave([['a', '1'], ['a', '2']]), TypeError, 'a key twice')
    for (const bad of ['a', null, undefined, 1]) await rejectsAs(() => kv.multiRemove(wrong(bad)), TypeError, 'keys')
    for (const bad of [0, -1, 1.5, Number.NaN]) await rejectsAs(() => kv.loadWithPrefix('', { limit: bad }), RangeError, `limit ${bad}`)
    await rejectsAs(() => kv.loadWithPrefix('', { limit: wrong('10') }), TypeError, 'limit as text')
    for (const bad of [1, '1', null]) await rejectsAs(() => kv.compareAndSave('a', wrong(bad), 'v'), TypeError, 'expected')
    await rejectsAs(() => kv.compareAndSave('a', -1n, 'v'), RangeError, 'a negative revision')
    await rejectsAs(() => kv.watch('a', { from: wrong(1) }), TypeError, 'from')
    await rejectsAs(() => kv.watchWithPrefix('', { from: -1n }), RangeError, 'a negative from')
    for (const bad of [null, 'x', [{}], [{ key: 'a' }], [{ key: 'a', exists: 1 }], [{ key: 'a', modRevision: 1 }]]) {
      await rejectsAs(() => kv.multiSaveAndRemove([['a', 'v']], [], { when: wrong(bad) }), TypeError, `when ${JSON.stringify(bad)}`)
    }
    for (const bad of [1, 'x', {}]) await rejectsAs(() => kv.save('a', 'v', { lease: wrong(bad) }), TypeError, 'lease')
    assert.deepEqual((await kv.loadWithPrefix('')).keys, [])
  })

  kit.test('more than the backend takes at once is KV_TOO_LARGE and nothing is written', async (kv) => {
    const { maxTransactionOps, maxValueBytes } = kv.features
    if (Number.isFinite(maxTransactionOps)) {
      const pairs = Array.from({ length: maxTransactionOps + 1 }, (_, index): [string, string] => [`k${index}`, 'v'])
      await rejectsWith(kv.multiSave(pairs), 'KV_TOO_LARGE')
    }
    if (maxValueBytes <= 128 * 1024 * 1024) {
      await rejectsWith(kv.save('big', 'x'.repeat(maxValueBytes + 1)), 'KV_TOO_LARGE')
      await rejectsWith(kv.bytes.save('big', new Uint8Array(maxValueBytes + 1)), 'KV_TOO_LARGE')
    }
    assert.deepEqual((await kv.loadWithPrefix('')).keys, [])
  })
}
