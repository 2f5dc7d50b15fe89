/** The kit can fail: every store that breaks one promise is caught by it. */
import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import type { KVBase, KVEntry, KVEvent, Lease, Pairs, Watch, WatchBatch } from '../src/index.ts'
import { createMemoryKV, type MemoryKVOptions } from '../src/memory.ts'
import { type KVKitOptions, testKV } from '../src/testing.ts'

type Overrides = (kv: KVBase) => Partial<KVBase>

/** A memory store with some methods replaced. */
function broken(overrides: Overrides, options?: MemoryKVOptions): KVBase {
  const kv = createMemoryKV(options)
  const replaced = new Map(Object.entries(overrides(kv)))
  return new Proxy<KVBase>(kv, {
    get(target, name) {
      if (typeof name === 'string' && replaced.has(name)) return replaced.get(name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Watches through a function on each batch. */
function rewatch(change: (batch: WatchBatch) => WatchBatch[]): Overrides {
  const wrap = (watch: Watch): Watch => {
    const waiting: WatchBatch[] = []
    const next = async (): Promise<IteratorResult<WatchBatch>> => {
      while (waiting.length === 0) {
        const result = await watch.next()
        if (result.done === true) return result
        waiting.push(...change(result.value))
      }
      return { done: false, value: waiting.shift() as WatchBatch }
    }
    return Object.assign(Object.create(watch) as Watch, {
      ready: watch.ready, next, return: () => watch.return?.(), [Symbol.asyncIterator]() { return this },
    })
  }
  return (kv) => ({
    watch: (key, options) => wrap(kv.watch(key, options)),
    watchWithPrefix: (prefix, options) => wrap(kv.watchWithPrefix(prefix, options)),
  })
}

const list = (pairs: Pairs): [string, string][] => {
  if (pairs instanceof Map) return [...pairs]
  return Array.isArray(pairs) ? [...pairs] : Object.entries(pairs)
}
const withEvents = (batch: WatchBatch, events: readonly KVEvent[]): WatchBatch => ({ ...batch, events })
let count = 0

const stores: Record<string, Overrides> = {
  'loses every tenth save': (kv) => ({ save: async (key, value, options) => (++count % 10 === 0 ? 1n : kv.save(key, value, options)) }),
  'gives an empty string for a missing key': (kv) => ({ load: async (key, options) => (await kv.load(key, options)) ?? '' }),
  'orders by UTF-16 units': (kv) => ({
    async loadWithPrefix(prefix, options) {
      const page = await kv.loadWithPrefix(prefix, options)
      const order = page.keys.map((_, index) => index).sort((a, b) => ((page.keys[a] ?? '') < (page.keys[b] ?? '') ? -1 : 1))
      return { ...page, keys: order.map((index) => page.keys[index] ?? ''), values: order.map((index) => page.values[index] ?? '') }
    },
  }),
  'takes a prefix for a folder': (kv) => ({ loadWithPrefix: (prefix, options) => kv.loadWithPrefix(prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`, options) }),
  'starts a page at startAfter itself': (kv) => ({
    async loadWithPrefix(prefix, options) {
      const page = await kv.loadWithPrefix(prefix, options)
      const entry = options?.startAfter === undefined ? undefined : await kv.loadEntry(options.startAfter)
      return entry === undefined ? page : { ...page, keys: [entry.key, ...page.keys], values: [entry.value, ...page.values] }
    },
  }),
  'never says that there is more': (kv) => ({ loadWithPrefix: async (prefix, options) => ({ ...(await kv.loadWithPrefix(prefix, options)), more: false }) }),
  'lists at an old revision': (kv) => ({
    async loadWithPrefix(prefix, options) {
      const page = await kv.loadWithPrefix(prefix, options)
      return { ...page, revision: page.revision > 3n ? page.revision - 3n : 0n }
    },
  }),
  'saves pairs one by one': (kv) => ({
    async multiSave(pairs, options) {
      let revision = await kv.multiSave([], options)
      for (const [key, value] of list(pairs)) revision = await kv.save(key, value, options)
      return revision
    },
  }),
  'lets removals win over saves': (kv) => ({
    multiSaveAndRemove: (saves, removals, options) => kv.multiSaveAndRemove(list(saves).filter(([key]) => !removals.includes(key)), removals, options),
  }),
  'ignores conditions': (kv) => ({ multiSaveAndRemove: (saves, removals, options) => kv.multiSaveAndRemove(saves, removals, { ...options, when: [] }) }),
  'compares only whether the key exists': (kv) => ({
    async compareAndSave(key, expected, value, options) {
      const entry = await kv.loadEntry(key)
      return kv.compareAndSave(key, expected === 0n ? 0n : entry?.modRevision ?? 0n, value, options)
    },
  }),
  'compares and saves in two steps': (kv) => ({
    async compareAndSave(key, expected, value, options) {
      if (((await kv.loadEntry(key))?.modRevision ?? 0n) !== expected) return kv.compareAndSave(key, expected, value, options)
      await kv.save(key, value, options)
      return true
    },
  }),
  'makes a revision for a removal of nothing': (kv) => ({
    async remove(key, options) {
      if (!(await kv.has(key, options))) await kv.save(key, 'shadow')
      return kv.remove(key, options)
    },
  }),
  'accepts lone surrogates': (kv) => ({ save: (key, value, options) => kv.save(Buffer.from(key).toString(), value, options) }),
  'ignores aborts': (kv) => ({ load: (key) => kv.load(key) }),
  'answers after close': (kv) => ({ has: async (key, options) => kv.has(key, options).catch((error) => (key === 'a' && options === undefined ? false : Promise.reject(error))) }),
  'leaves watches open at close': (kv) => {
    const held: Promise<IteratorResult<WatchBatch>> = new Promise(() => undefined)
    return { watch: (key, options) => Object.assign(kv.watch(key, options), { next: () => held }) }
  },
  'hands out its own bytes': (kv) => {
    const cache = new Map<string, Uint8Array>()
    return {
      bytes: new Proxy(kv.bytes, {
        get(target, name) {
          if (name !== 'load') return Reflect.get(target, name, target) instanceof Function ? (Reflect.get(target, name, target) as () => unknown).bind(target) : Reflect.get(target, name, target)
          return async (key: string) => {
            const value = cache.get(key) ?? (await target.load(key))
            if (value !== undefined) cache.set(key, value)
            return value
          }
        },
      }),
    }
  },
  'splits a revision over batches': rewatch((batch) => batch.events.map((event) => ({ events: [event], revision: event.revision }))),
  'drops every seventh event': rewatch((batch) => [withEvents(batch, batch.events.filter(() => ++count % 7 !== 0))]),
  'delivers an event twice': rewatch((batch) => [batch, withEvents(batch, batch.events.slice(-1))]),
  'delivers out of order': rewatch((batch) => [withEvents(batch, [...batch.events].reverse())]),
  'says created for every put': rewatch((batch) => [withEvents(batch, batch.events.map((event) => (event.type === 'put' ? { ...event, created: true } : event)))]),
  'watches the prefix of a key': (kv) => ({ watch: (key, options) => kv.watchWithPrefix(key, options) }),
  'starts a watch one revision too late': (kv) => ({
    watchWithPrefix: (prefix, options) => kv.watchWithPrefix(prefix, options?.from === undefined ? options : { ...options, from: options.from + 1n }),
  }),
  'serves a stale read now and then': (kv) => {
    const former = new Map<string, KVEntry>()
    return {
      async loadEntry(key, options) {
        const entry = await kv.loadEntry(key, options)
        const stale = former.get(key)
        if (entry !== undefined) former.set(key, entry)
        return entry !== undefined && ++count % 40 === 0 ? stale ?? entry : entry
      },
    }
  },
  'never ends a lease': (kv) => ({ grantLease: (ttlMs, options) => kv.grantLease(Math.min(ttlMs + 1_000_000, 2 ** 31 - 1), options) }),
  'forgets the lease of a transaction': (kv) => ({ multiSaveAndRemove: (saves, removals, options) => kv.multiSaveAndRemove(saves, removals, { ...options, lease: undefined }) }),
  'keeps an ended lease alive': (kv) => ({
    async grantLease(ttlMs, options) {
      const lease = await kv.grantLease(ttlMs, options)
      return Object.assign(Object.create(lease) as Lease, {
        id: lease.id, ttlMs: lease.ttlMs, revoke: () => lease.revoke(), keepAlive: () => lease.keepAlive().catch(() => undefined),
      })
    },
  }),
}

/** Runs the kit until its first failure. */
async function firstFailure(options: Omit<KVKitOptions, 'runner'>): Promise<string | undefined> {
  const tests: { name: string; body: () => Promise<void> }[] = []
  testKV('under test', { ...options, runner: { describe: (_, body) => body(), it: (name, body) => void tests.push({ name, body }) } })
  assert.ok(tests.length > 100, 'the kit has registered its tests')
  for (const { name, body } of tests) {
    try {
      await body()
    } catch (error) {
      return `${name}: ${String(error)}`
    }
  }
  return undefined
}

describe('the kit', () => {
  it('finds nothing in the memory store', async () => {
    const bounds = { maxHistory: 10, maxWatchLagBytes: 4096 }
    expect(await firstFailure({ create: () => createMemoryKV(), createBounded: () => createMemoryKV(bounds) })).toBeUndefined()
  })

  for (const [name, overrides] of Object.entries(stores)) {
    it(`catches a store that ${name}`, async () => {
      count = 0
      expect(await firstFailure({ create: () => broken(overrides), waitMs: 150 })).toBeDefined()
    })
  }

  it('catches a store that hides compaction', async () => {
    const create = (): KVBase => createMemoryKV()
    expect(await firstFailure({ create, createBounded: () => createMemoryKV({ maxWatchLagBytes: 4096 }), waitMs: 150 })).toMatch('KV_COMPACTED')
  })

  it('catches a store that lets any amount wait', async () => {
    const create = (): KVBase => createMemoryKV()
    expect(await firstFailure({ create, createBounded: () => createMemoryKV({ maxHistory: 10 }), waitMs: 150 })).toMatch('KV_WATCH_LAGGED')
  })

  it('catches a store that loses its data at a restart', async () => {
    const create = (): KVBase => createMemoryKV()
    expect(await firstFailure({ create, reopen: async (kv) => (await kv.close(), createMemoryKV()), waitMs: 150 })).toMatch('restart')
  })
})
