import assert from 'node:assert/strict'
import { isKVError } from '../errors.ts'
import type { CallOptions, KVBase } from '../kv.ts'
import { type Kit, rejectsWith } from './kit.ts'
import { within } from './wait.edge.ts'

/** Every asynchronous method with fair arguments. */
function calls(kv: KVBase, options?: CallOptions): Record<string, () => Promise<unknown>> {
  return {
    load: () => kv.load('a', options),
    loadEntry: () => kv.loadEntry('a', options),
    multiLoad: () => kv.multiLoad(['a'], options),
    'multiLoad of nothing': () => kv.multiLoad([], options),
    loadWithPrefix: () => kv.loadWithPrefix('', options),
    has: () => kv.has('a', options),
    save: () => kv.save('a', '1', options),
    multiSave: () => kv.multiSave({ a: '1' }, options),
    'multiSave of nothing': () => kv.multiSave({}, options),
    remove: () => kv.remove('a', options),
    multiRemove: () => kv.multiRemove(['a'], options),
    removeWithPrefix: () => kv.removeWithPrefix('', options),
    multiSaveAndRemove: () => kv.multiSaveAndRemove({ a: '1' }, ['b'], options),
    compareAndSave: () => kv.compareAndSave('a', 0n, '1', options),
    grantLease: () => kv.grantLease(1000, options),
  }
}

function closedTests(kit: Kit): void {
  kit.test('after close every call rejects with KV_CLOSED; close is idempotent', async (kv) => {
    await Promise.all([kv.close(), kv.close()])
    await kv.close()
    await kv[Symbol.asyncDispose]()
    for (const [name, call] of Object.entries(calls(kv))) await rejectsWith(call(), 'KV_CLOSED', name)
    await rejectsWith(kv.bytes.load('a'), 'KV_CLOSED', 'bytes')
    if (!kv.features.watch) return
    const watch = kv.watch('a')
    await rejectsWith(watch.ready, 'KV_CLOSED', 'ready of a watch')
    await rejectsWith(within(watch.next(), kit.waitMs, 'next'), 'KV_CLOSED', 'a watch')
  })

  kit.test('calls while closing reject or succeed, none hangs', async (kv) => {
    const saving = kv.save('a', '1')
    const closing = kv.close()
    await rejectsWith(kv.load('a'), 'KV_CLOSED')
    await within(closing, kit.waitMs, 'close')
    const [outcome] = await within(Promise.allSettled([saving]), kit.waitMs, 'a save under way')
    assert.ok(outcome.status === 'fulfilled' || isKVError(outcome.reason))
  })

  kit.test('close ends watches', async (kv) => {
    if (!kv.features.watch) return
    const [waiting, idle] = [kv.watch('a'), kv.watchWithPrefix('')]
    await Promise.all([waiting.ready, idle.ready])
    const next = waiting.next()
    await kv.close()
    assert.equal((await within(next, kit.waitMs, 'next')).done, true)
    assert.equal((await within(idle.next(), kit.waitMs, 'next')).done, true)
  })
}

function abortTests(kit: Kit): void {
  kit.test('an aborted signal rejects every call with its reason, and nothing is done', async (kv) => {
    const reason = { not: 'even an error' }
    const signal = AbortSignal.abort(reason)
    const { revision } = await kv.loadWithPrefix('')
    for (const [name, call] of Object.entries(calls(kv, { signal }))) {
      await assert.rejects(call(), (error) => {
        assert.equal(error, reason, name)
        return true
      })
    }
    const page = await kv.loadWithPrefix('')
    assert.deepEqual([page.keys, page.revision], [[], revision])
  })

  kit.test('a signal that is never aborted changes nothing and keeps no listener', async (kv) => {
    const { signal } = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...list: Parameters<typeof addEventListener>) => {
      listeners++
      addEventListener.apply(signal, list)
    }
    signal.removeEventListener = (...list: Parameters<typeof removeEventListener>) => {
      listeners--
      removeEventListener.apply(signal, list)
    }
    for (const call of Object.values(calls(kv, { signal }))) await call()
    if (kv.features.watch) {
      const watch = kv.watch('a', { signal })
      await watch.ready
      await watch.return?.()
    }
    assert.equal(listeners, 0)
  })
}

/** On the store itself. */
export function lifecycleTests(kit: Kit): void {
  closedTests(kit)
  abortTests(kit)
  kit.test('a store starts empty; bytes closes the same store', async (kv) => {
    assert.deepEqual((await kv.loadWithPrefix('')).keys, [])
    await kv.bytes.close()
    await rejectsWith(kv.load('a'), 'KV_CLOSED')
  })
}

/** On a prefix view; the kit looks at the neighbours after each test, so the store must outlive the view. */
export function viewTests(kit: Kit): void {
  closedTests(kit)
  abortTests(kit)
}
