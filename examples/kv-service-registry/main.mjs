// @ts-check
/**
 * A registry of services in a KVBase: each instance registers under a lease and keeps it alive; a balancer follows the registry
 * without a gap. One instance leaves in good order, one dies without a word, one sleeps through its lease and is fenced.
 *
 *     node main.mjs                            # in memory
 *     node main.mjs redis://127.0.0.1:6379     # or http://127.0.0.1:2379 for etcd
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { isKVError } from '@timetick/kv'

/** @param {string | undefined} url @returns {Promise<import('@timetick/kv').KVBase>} */
async function open(url) {
  const rootPath = `registry-${process.pid}`
  if (url === undefined) return (await import('@timetick/kv/memory')).createMemoryKV({ rootPath })
  if (url.startsWith('redis')) return (await import('@timetick/kv/redis')).openRedisKV({ url, rootPath })
  return (await import('@timetick/kv/etcd')).openEtcdKV({ hosts: url, rootPath })
}

const kv = await open(process.argv[2])
const TTL_MS = Math.max(kv.features.leaseGranularityMs * 2, 1500)

/**
 * Registers an instance. What it gives back ends in good order with `leave`, or dies with `die`.
 * @param {string} name
 * @param {string} address
 */
async function register(name, address) {
  const lease = await kv.grantLease(TTL_MS)
  const key = `services/search/${name}`
  const fence = await kv.save(key, address, { lease })
  let isOver = false
  const beating = (async () => {
    while (!isOver) {
      await sleep(lease.ttlMs / 3)
      try {
        if (!isOver) await lease.keepAlive()
      } catch (error) {
        // Too late: somebody may have taken the place. Anything else is tried again while the lease lives.
        if (isKVError(error, 'KV_LEASE_NOT_FOUND')) return
        if (!isKVError(error) || !error.retryable) throw error
      }
    }
  })()
  const stop = async () => {
    isOver = true
    await beating
  }
  return { key, fence, leave: async () => (await stop(), await lease.revoke()), die: stop }
}

/** Follows the registry until told to stop: `current()` is what the balancer would use. */
async function follow() {
  const page = await kv.loadWithPrefix('services/search/')
  const instances = new Map(page.keys.map((key, i) => [key, page.values[i]]))
  const watch = kv.watchWithPrefix('services/search/', { from: page.revision + 1n })
  /** @type {Set<() => void>} */
  const waiting = new Set()
  const following = (async () => {
    for await (const { events } of watch) {
      for (const event of events) {
        if (event.type === 'put') instances.set(event.key, event.value)
        else instances.delete(event.key)
        console.log(`balancer: ${event.type === 'put' ? 'joins' : 'is gone'}: ${event.key.split('/').at(-1)}; ${instances.size} left`)
      }
      for (const check of waiting) check()
    }
  })()
  return {
    /** @param {readonly string[]} names @returns {Promise<void>} resolves when the balancer knows exactly these */
    until: (names) => new Promise((resolve) => {
      const check = () => {
        if (instances.size !== names.length || !names.every((name) => instances.has(`services/search/${name}`))) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    }),
    stop: async () => {
      await watch.return?.()
      await following
    },
  }
}

const balancer = await follow()
const a = await register('a', '10.0.0.1:80')
const b = await register('b', '10.0.0.2:80')
const c = await register('c', '10.0.0.3:80')
await balancer.until(['a', 'b', 'c'])

await a.leave()
await balancer.until(['b', 'c'])
console.log('a left in good order: gone at once')

await b.die()
await balancer.until(['c'])
console.log('b died: gone when its lease had ended')

// b wakes up and believes that it still serves. Its write is guarded by the revision of its registration, and refused.
const late = await kv.multiSaveAndRemove({ 'results/last': 'by b' }, [], { when: [{ key: b.key, modRevision: b.fence }] })
assert.equal(late.applied, false)
const timely = await kv.multiSaveAndRemove({ 'results/last': 'by c' }, [], { when: [{ key: c.key, modRevision: c.fence }] })
assert.equal(timely.applied, true)
assert.equal(await kv.load('results/last'), 'by c')
console.log('b woke up and was fenced; c wrote')

await c.leave()
await balancer.until([])
await balancer.stop()
await kv.removeWithPrefix('')
await kv.close()
console.log('ok')
