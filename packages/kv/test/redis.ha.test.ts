/** Redis Cluster and Sentinel: several servers, one of which holds the store and may be replaced by another. */
import { Redis } from 'ioredis'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { isKVError, type KVBase, type Watch, type WatchBatch } from '../src/index.ts'
import { openRedisKV } from '../src/redis.ts'
import { testKV } from '../src/testing.ts'
import { eventually } from '../src/testing/wait.edge.ts'
import { type RedisCluster, startCluster, startSentinel } from './cluster.edge.ts'
import { hasService, ring } from './services.edge.ts'

/** Saves until one is acknowledged; the others may or may not have been applied. */
async function saveAtLast(kv: KVBase, key: string): Promise<bigint> {
  let revision = 0n
  await eventually(async () => {
    try {
      revision = await kv.save(key, 'x')
      return true
    } catch (error) {
      if (!isKVError(error) || !error.retryable) throw error
      return false
    }
  }, 30_000, `a save of ${key}`)
  return revision
}

async function nextKeys(watch: Watch): Promise<string[]> {
  const batch: WatchBatch | undefined = (await watch.next()).value
  return (batch?.events ?? []).map((event) => event.key)
}

describe.skipIf(!hasService('redis'))('Redis Cluster', () => {
  let cluster: RedisCluster
  let count = 0
  const open = (store = `cluster-${count++}`): Promise<KVBase> => openRedisKV({ client: cluster.template(), store, timeoutMs: 10_000 })
  beforeAll(async () => {
    cluster = await startCluster()
  }, 60_000)

  if (ring !== 'default') testKV('redis cluster', { runner: { describe, it }, create: () => open() })

  it('keeps a store in one slot: transactions, prefixes, watches and leases work on every master', async () => {
    const masters = new Set<string>()
    for (let index = 0; index < 6; index++) {
      const kv = await open(`slot-${index}`)
      const watch = kv.watchWithPrefix('')
      await watch.ready
      await kv.multiSave({ a: '1', b: '2' })
      expect(await kv.multiSaveAndRemove({ c: '3' }, ['a'], { when: [{ key: 'b', exists: true }] })).toMatchObject({ applied: true })
      const lease = await kv.grantLease(60_000)
      await kv.save('d', '4', { lease })
      await lease.revoke()
      expect((await kv.loadWithPrefix('')).keys).toEqual(['b', 'c'])
      let events = 0
      while (events < 6) events += (await watch.next()).value?.events.length ?? 0
      masters.add((await cluster.masterOf(`{slot-${index}}:k`)).url)
      await kv.close()
    }
    expect(masters.size).toBe(2)
  })

  it('goes on while its slot moves to another master', { timeout: 60_000 }, async () => {
    const kv = await open('moving')
    const watch = kv.watchWithPrefix('')
    await watch.ready
    await kv.save('before', '1')
    await cluster.moveSlotOf('{moving}:k')
    await saveAtLast(kv, 'after')
    expect((await kv.loadWithPrefix('')).keys).toEqual(['after', 'before'])
    // Another server: the watch goes on, or says that it cannot.
    const seen: string[] = []
    try {
      while (!seen.includes('after')) seen.push(...await nextKeys(watch))
      expect(seen).toEqual(['before', 'after'])
    } catch (error) {
      if (!isKVError(error, 'KV_COMPACTED')) throw error
    }
    await kv.close()
  })

  it('goes on when a replica takes over', { timeout: 60_000 }, async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, (_, index) => open(`over-${index}`)))
    for (const kv of stores) await kv.save('before', '1')
    await cluster.failOver()
    for (const kv of stores) {
      await saveAtLast(kv, 'after')
      expect((await kv.loadWithPrefix('')).keys).toEqual(['after', 'before'])
      await kv.close()
    }
  })
})

describe.skipIf(!hasService('redis'))('Redis with a Sentinel', () => {
  it('a replica that takes over without the last writes ends the watches that saw them, and no others', { timeout: 90_000 }, async () => {
    const { master, replica, template } = await startSentinel('secret')
    const kv = await openRedisKV({ client: template(), timeoutMs: 2000 })
    const direct = new Redis(replica.url)
    onTestFinished(() => direct.disconnect())
    const kept = await kv.save('kept', '1')
    await eventually(async () => (await direct.hexists('{timetick-kv}:d', 'kept')) === 1, 10_000, 'the replica to have it')
    // From here on the replica hears nothing, as when the network between the two is gone.
    const admin = new Redis(master.url)
    onTestFinished(() => admin.disconnect())
    admin.on('error', () => undefined)
    await direct.config('SET', 'masterauth', 'wrong')
    await eventually(async () => {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'replica')
      return /master_link_status:down/.test(await direct.info('replication'))
    }, 10_000, 'the replica to lose its master')
    const watch = kv.watchWithPrefix('')
    await watch.ready
    const lost = await kv.save('lost', '1')
    expect((await watch.next()).value?.events).toHaveLength(1)
    expect(await direct.hexists('{timetick-kv}:d', 'lost'), 'the replica does not have it').toBe(0)
    await master.kill()
    const after = await saveAtLast(kv, 'after')
    expect(after).toBeGreaterThan(lost)
    await expect(watch.next()).rejects.toSatisfy((error) => isKVError(error, 'KV_COMPACTED'))
    expect((await kv.loadWithPrefix('')).keys).toEqual(['after', 'kept'])
    await expect(kv.watchWithPrefix('', { from: lost + 1n }).next(), 'it saw what is lost').rejects.toSatisfy((error) => isKVError(error, 'KV_COMPACTED'))
    expect(await nextKeys(kv.watchWithPrefix('', { from: kept })), 'it saw nothing that is lost').toEqual(['kept', 'after'])
    expect(await nextKeys(kv.watchWithPrefix('', { from: kept + 1n }))).toEqual(['after'])
    await kv.close()
  })
})
