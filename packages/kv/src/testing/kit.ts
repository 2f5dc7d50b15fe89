/** What the parts of the kit share. */
import assert from 'node:assert/strict'
import { isKVError, type KVErrorCode } from '../errors.ts'
import type { KVFeatures } from '../features.ts'
import type { KVBase, KVEvent, Watch, WatchBatch } from '../kv.ts'
import { withPrefix } from '../with-prefix.ts'
import { within } from './wait.edge.ts'

/** The two functions of a test runner that the kit uses; vitest's, jest's and node:test's fit. */
export interface KitRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
}

type Awaitable<T> = T | Promise<T>

export interface KVKitOptions {
  readonly runner: KitRunner
  /** An empty store. The kit closes it. */
  readonly create: () => Awaitable<KVBase>
  /** What `features` must say. */
  readonly features?: Partial<KVFeatures> | undefined
  /** Closes the store and opens what it left. Absent: nothing outlives a close. */
  readonly reopen?: ((kv: KVBase) => Awaitable<KVBase>) | undefined
  /** An empty store that keeps at most 10 changes for watches and lets at most 4 KiB wait for one watch. */
  readonly createBounded?: (() => Awaitable<KVBase>) | undefined
  /** Breaks what connects watches to the store; they may end with a resumable error or heal by themselves. */
  readonly disrupt?: ((kv: KVBase) => Awaitable<void>) | undefined
  /** How long the kit waits for what should happen soon. Default 5,000. */
  readonly waitMs?: number | undefined
  /** Seed of the random tests; a failure prints the one it had. Default: a fixed one. */
  readonly seed?: number | undefined
}

export interface Kit {
  readonly options: KVKitOptions
  readonly waitMs: number
  /** Registers a test on a fresh store. */
  test(name: string, body: (kv: KVBase) => Promise<void>): void
  next<V>(watch: Watch<V>): Promise<WatchBatch<V>>
  /** Reads on until `count` events have come. */
  collect<V>(watch: Watch<V>, count: number): Promise<KVEvent<V>[]>
}

export function makeKit(options: KVKitOptions, viewPrefix?: string | undefined): Kit {
  const waitMs = options.waitMs ?? 5000
  const next = async <V>(watch: Watch<V>): Promise<WatchBatch<V>> => {
    const result = await within(watch.next(), waitMs, 'a watch')
    if (result.done === true) return assert.fail('the watch ended')
    return result.value
  }
  return {
    options,
    waitMs,
    next,
    test(name, body) {
      options.runner.it(name, async () => {
        const store = await options.create()
        try {
          if (viewPrefix === undefined) return await body(store)
          // Neighbours that a view must never show.
          await store.multiSave([[viewPrefix.slice(0, -1), 'beside'], [`${viewPrefix.slice(0, -1)}0`, 'behind'], ['a', 'outside']])
          await body(withPrefix(store, viewPrefix))
          assert.equal(await store.load('a'), 'outside', 'a view must leave its neighbours alone')
        } finally {
          await store.close()
        }
      })
    },
    async collect(watch, count) {
      const events = []
      while (events.length < count) events.push(...(await next(watch)).events)
      return events
    },
  }
}

export async function rejectsWith(promise: Promise<unknown>, code: KVErrorCode, what?: string): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isKVError(error, code), `${what ?? 'the call'}: expected ${code}, got ${String(error)}`)
    return true
  })
}

export async function rejectsAs(call: () => unknown, kind: typeof TypeError | typeof RangeError, what: string): Promise<void> {
  await assert.rejects(async () => await call(), (error) => {
    assert.ok(error instanceof kind, `${what}: expected a ${kind.name}, got ${String(error)}`)
    return true
  })
}

/** Events without their revisions, for comparison. */
export function brief<V>(events: readonly KVEvent<V>[]): string[] {
  return events.map((event) => (event.type === 'put' ? `${event.created ? 'create' : 'change'} ${event.key}=${String(event.value)}` : `delete ${event.key}`))
}
