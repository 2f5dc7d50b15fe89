/** Watches at their limits: too old, too slow, cut. */
import assert from 'node:assert/strict'
import { isKVError } from '../errors.ts'
import type { KVBase } from '../kv.ts'
import { brief, type Kit, rejectsWith } from './kit.ts'
import { eventually, within } from './wait.edge.ts'

export function boundedTests(kit: Kit): void {
  const { createBounded, runner } = kit.options
  if (createBounded === undefined) return
  const bounded = (name: string, body: (kv: KVBase) => Promise<void>): void => runner.it(name, async () => {
    const kv = await createBounded()
    try {
      await body(kv)
    } finally {
      await kv.close()
    }
  })

  bounded('Must end with KV_COMPACTED when from is older than what the store kept', async (kv) => {
    const first = await kv.save('k', '0')
    for (let round = 0; round < 100; round++) await kv.save('k', String(round))
    const watch = kv.watch('k', { from: first })
    await rejectsWith(within(watch.next(), kit.waitMs, 'the watch'), 'KV_COMPACTED')
    assert.equal((await within(watch.next(), kit.waitMs, 'next after the error')).done, true, 'it has ended')
    const { revision } = await kv.loadWithPrefix('')
    const again = kv.watch('k', { from: revision + 1n })
    await again.ready
    await kv.save('k', 'new')
    assert.deepEqual(brief((await kit.next(again)).events), ['change k=new'], 'list and watch from there works')
    await again.return?.()
  })

  bounded('Must end with KV_WATCH_LAGGED when the consumer lets too much wait, and can be resumed', async (kv) => {
    const watch = kv.watch('k')
    await watch.ready
    const first = await kv.save('k', 'x')
    assert.equal((await kit.next(watch)).events.length, 1)
    for (let round = 0; round < 8; round++) await kv.save('k', 'x'.repeat(1000))
    let failure: unknown
    await eventually(async () => {
      try {
        await within(watch.next(), kit.waitMs, 'the watch')
        return false
      } catch (error) {
        failure = error
        return true
      }
    }, kit.waitMs, 'the end of the watch')
    assert.ok(isKVError(failure, 'KV_WATCH_LAGGED') && failure.retryable, String(failure))
    const { revision } = failure.details
    assert.ok(typeof revision === 'bigint' && revision >= first)
    const again = kv.watch('k', { from: revision + 1n })
    const events = await kit.collect(again, 8 - Number(revision - first))
    assert.ok(events.every((event) => event.revision > revision))
    await again.return?.()
  })
}

export function disruptTests(kit: Kit): void {
  const { disrupt } = kit.options
  if (disrupt === undefined) return
  kit.test('a disrupted watch loses nothing: it heals or can be resumed', async (kv) => {
    const seen: string[] = []
    let from = (await kv.loadWithPrefix('')).revision + 1n
    let watch = kv.watchWithPrefix('', { from })
    for (let round = 0; round < 10; round++) {
      await kv.save(`k${round}`, 'x')
      if (round % 3 === 1) await disrupt(kv)
    }
    while (seen.length < 10) {
      try {
        const batch = await kit.next(watch)
        from = batch.revision + 1n
        seen.push(...batch.events.map((event) => event.key))
      } catch (error) {
        if (!isKVError(error) || !error.retryable) throw error
        watch = kv.watchWithPrefix('', { from })
      }
    }
    assert.deepEqual(seen, Array.from({ length: 10 }, (_, round) => `k${round}`))
    await watch.return?.()
  })
}
