import assert from 'node:assert/strict'
import type { KVBase } from '../kv.ts'
import { brief, type Kit, rejectsWith } from './kit.ts'
import { eventually, within } from './wait.edge.ts'

export function restartTests(kit: Kit): void {
  const { create, reopen, runner } = kit.options
  if (reopen === undefined) return
  const test = (name: string, before: (kv: KVBase) => Promise<void>, after: (kv: KVBase) => Promise<void>): void => runner.it(name, async () => {
    let kv = await create()
    try {
      await before(kv)
      kv = await reopen(kv)
      await after(kv)
    } finally {
      await kv.close()
    }
  })

  let revision = 0n
  test('what was saved is there after a restart, and revisions go on', async (kv) => {
    await kv.multiSave({ a: '1', '\u{1F600}': 'é', gone: 'x' })
    await kv.bytes.save('bytes', new Uint8Array([255, 0]))
    await kv.remove('gone')
    revision = (await kv.loadWithPrefix('a')).revision
  }, async (kv) => {
    assert.deepEqual(await kv.multiLoad(['a', '\u{1F600}', 'gone']), ['1', 'é', undefined])
    assert.deepEqual([...(await kv.bytes.load('bytes') ?? [])], [255, 0])
    assert.equal((await kv.loadWithPrefix('a')).revision, revision)
    assert.ok(await kv.save('a', '2') > revision)
  })

  let from = 0n
  test('watches resume across a restart, or say that they cannot', async (kv) => {
    from = await kv.save('k', '1')
    await kv.multiSave({ k: '2', l: '2' })
    await kv.remove('l')
  }, async (kv) => {
    if (!kv.features.watch) return
    const watch = kv.watchWithPrefix('', { from })
    if (!kv.features.watchAcrossRestarts) return rejectsWith(within(watch.next(), kit.waitMs, 'next'), 'KV_COMPACTED')
    await kv.save('k', '3')
    assert.deepEqual(brief(await kit.collect(watch, 5)), ['create k=1', 'change k=2', 'create l=2', 'delete l', 'change k=3'])
    await watch.return?.()
  })

  let endsWithin = 0
  test('leases that nobody keeps alive end after a restart', async (kv) => {
    if (!kv.features.leases) return
    const lease = await kv.grantLease(Math.max(kv.features.leaseGranularityMs, 200))
    endsWithin = lease.ttlMs
    await kv.save('leased', '1', { lease })
    await kv.save('stays', '1')
  }, async (kv) => {
    await eventually(async () => !(await kv.has('leased')), kit.waitMs + endsWithin * 4, 'the end of the lease')
    assert.equal(await kv.has('stays'), kv.features.leases)
  })
}
