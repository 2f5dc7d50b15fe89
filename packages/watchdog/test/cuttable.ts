/** A client of a store whose calls get no answer while it is cut off. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { KVBase } from '@timetick/kv'
import type { SessionStore } from '../src/session.ts'

export type CuttableStore = SessionStore & { cut: boolean }

export function cuttable(kv: KVBase): CuttableStore {
  const through = async <T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> => {
    while (store.cut) {
      signal?.throwIfAborted()
      await sleep(10)
    }
    return call()
  }
  const store: CuttableStore = {
    cut: false,
    loadEntry: (key, options) => through(options?.signal, () => kv.loadEntry(key, options)),
    loadWithPrefix: (prefix, options) => through(options?.signal, () => kv.loadWithPrefix(prefix, options)),
    multiSaveAndRemove: (saves, removals, options) => through(options?.signal, () => kv.multiSaveAndRemove(saves, removals, options)),
    compareAndSave: (key, expected, value, options) => through(options?.signal, () => kv.compareAndSave(key, expected, value, options)),
    watch: (key, options) => kv.watch(key, options),
    watchWithPrefix: (prefix, options) => kv.watchWithPrefix(prefix, options),
    grantLease: (ttlMs, options) => through(options?.signal, async () => {
      const lease = await kv.grantLease(ttlMs, options)
      return {
        id: lease.id,
        ttlMs: lease.ttlMs,
        keepAlive: (more) => through(more?.signal, () => lease.keepAlive(more)),
        revoke: (more) => through(more?.signal, () => lease.revoke(more)),
        [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
      }
    }),
  }
  return store
}
