import assert from 'node:assert/strict'
import { brief, type Kit, rejectsAs, rejectsWith } from './kit.ts'
import { eventually, stopwatch } from './wait.edge.ts'

export function leaseTests(kit: Kit): void {
  /** Short, but what the backend can do, and long enough for a few calls on a busy machine. */
  const shortTtl = (granularityMs: number): number => Math.max(granularityMs, 200)

  kit.test('leases are refused where features say there are none', async (kv) => {
    if (kv.features.leases) return
    await rejectsWith(kv.grantLease(1000), 'KV_UNSUPPORTED')
  })

  kit.test('a time to live is an integer in 1..2^31 - 1', async (kv) => {
    for (const bad of [0, -1, 0.5, 2 ** 31, Number.NaN]) await rejectsAs(() => kv.grantLease(bad), RangeError, `ttlMs ${bad}`)
    await rejectsAs(() => kv.grantLease('1' as never), TypeError, 'ttlMs as text')
  })

  const leaseTest: Kit['test'] = (name, body) => kit.test(name, async (kv) => (kv.features.leases ? body(kv) : undefined))

  leaseTest('the granted time is at least what was asked, ids are distinct', async (kv) => {
    const leases = await Promise.all([1, 1000, 2 ** 31 - 1].map((ttlMs) => kv.grantLease(ttlMs)))
    assert.ok((leases[0]?.ttlMs ?? 0) >= 1 && (leases[1]?.ttlMs ?? 0) >= 1000)
    assert.equal(new Set(leases.map((lease) => lease.id)).size, 3)
    for (const lease of leases) await lease.revoke()
  })

  leaseTest('keys go when their lease ends, in one revision, and watches see it', async (kv) => {
    const watch = kv.watchWithPrefix('l/')
    await watch.ready
    const lease = await kv.grantLease(shortTtl(kv.features.leaseGranularityMs))
    await kv.multiSave({ 'l/a': '1', 'l/b': '2' }, { lease })
    await kv.save('l/c', 'stays')
    const limit = kit.waitMs + lease.ttlMs * 4
    await eventually(async () => (await kv.loadWithPrefix('l/')).keys.length === 1, limit, 'the end of the lease')
    assert.deepEqual((await kv.loadWithPrefix('l/')).keys, ['l/c'])
    const events = await kit.collect(watch, 5)
    // The lease may end before the third save.
    const deletes = events.filter((event) => event.type === 'delete')
    assert.deepEqual(brief(deletes).sort(), ['delete l/a', 'delete l/b'])
    assert.equal(deletes[0]?.revision, deletes[1]?.revision)
    await watch.return?.()
  })

  leaseTest('revoke takes the keys at once, in one revision, and is idempotent', async (kv) => {
    const lease = await kv.grantLease(100_000)
    await kv.save('a', '1', { lease })
    await kv.multiSaveAndRemove({ b: '2' }, [], { lease })
    assert.equal(await kv.compareAndSave('c', 0n, '3', { lease }), true)
    const before = (await kv.loadWithPrefix('')).revision
    await lease.revoke()
    const page = await kv.loadWithPrefix('')
    assert.deepEqual([page.keys, page.revision], [[], before + 1n])
    await lease.revoke()
    assert.equal((await kv.loadWithPrefix('')).revision, before + 1n)
  })

  leaseTest('a save without a lease takes the key from its former lease', async (kv) => {
    const lease = await kv.grantLease(100_000)
    const other = await kv.grantLease(100_000)
    await kv.multiSave({ free: '1', moved: '1', removed: '1' }, { lease })
    await kv.save('free', '2')
    await kv.save('moved', '2', { lease: other })
    await kv.remove('removed')
    await kv.save('removed', 'again')
    await lease.revoke()
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['free', 'moved', 'removed'])
    await other.revoke()
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['free', 'removed'])
  })

  leaseTest('an ended lease refuses keepAlive and saves, and nothing is written', async (kv) => {
    const lease = await kv.grantLease(100_000)
    await lease.revoke()
    await rejectsWith(lease.keepAlive(), 'KV_LEASE_NOT_FOUND', 'keepAlive')
    await rejectsWith(kv.save('a', '1', { lease }), 'KV_LEASE_NOT_FOUND', 'save')
    await rejectsWith(kv.multiSave({ a: '1' }, { lease }), 'KV_LEASE_NOT_FOUND', 'multiSave')
    await rejectsWith(kv.compareAndSave('a', 0n, '1', { lease }), 'KV_LEASE_NOT_FOUND', 'compareAndSave')
    assert.deepEqual((await kv.loadWithPrefix('')).keys, [])
  })

  leaseTest('keepAlive gives the full time again', async (kv) => {
    const lease = await kv.grantLease(Math.max(kv.features.leaseGranularityMs, 400))
    await kv.save('k', '1', { lease })
    const elapsedMs = stopwatch()
    // Longer than the time to live in all, with pauses far below it.
    await eventually(async () => {
      await lease.keepAlive()
      return elapsedMs() > lease.ttlMs * 1.5
    }, lease.ttlMs * 4, 'keeping it alive')
    assert.equal(await kv.has('k'), true)
    await lease.revoke()
  })

  leaseTest('a lease is not a lock: a late holder\'s guarded write fails', async (kv) => {
    const lease = await kv.grantLease(shortTtl(kv.features.leaseGranularityMs))
    const fence = await kv.save('lock', 'holder 1', { lease })
    await eventually(async () => !(await kv.has('lock')), kit.waitMs + lease.ttlMs * 4, 'the end of the lease')
    await kv.save('lock', 'holder 2')
    const late = await kv.multiSaveAndRemove({ data: 'by holder 1' }, [], { when: [{ key: 'lock', modRevision: fence }] })
    assert.equal(late.applied, false)
    assert.equal(await kv.has('data'), false)
  })

  leaseTest('disposing a lease revokes it', async (kv) => {
    const lease = await kv.grantLease(100_000)
    await kv.save('k', '1', { lease })
    await lease[Symbol.asyncDispose]()
    assert.equal(await kv.has('k'), false)
  })
}
