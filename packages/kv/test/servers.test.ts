/** What only servers do: users, data that is lost, limits of a request. */
import { Etcd3 } from 'etcd3'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { openEtcdKV } from '../src/etcd.ts'
import { isKVError, type WatchBatch } from '../src/index.ts'
import { openRedisKV } from '../src/redis.ts'
import { hasService, ownService, serviceUrl } from './services.edge.ts'

describe.skipIf(!hasService('etcd'))('etcd', () => {
  it('lets users in by name and password, and nobody else', async () => {
    const { url: hosts } = await ownService('etcd')
    const admin = new Etcd3({ hosts })
    await admin.user('root').create('secret')
    await admin.user('root').addRole('root')
    await admin.auth.authEnable()
    admin.close()
    const kv = await openEtcdKV({ hosts, auth: { username: 'root', password: 'secret' } })
    const watch = kv.watchWithPrefix('')
    await watch.ready
    await kv.save('a', '1')
    expect((await watch.next()).value?.events).toHaveLength(1)
    await kv.close()
    const isRefused = (error: unknown): boolean => isKVError(error) && !error.retryable
    await expect(openEtcdKV({ hosts, timeoutMs: 2000 })).rejects.toSatisfy(isRefused)
    await expect(openEtcdKV({ hosts, timeoutMs: 2000, auth: { username: 'root', password: 'wrong' } })).rejects.toSatisfy(isRefused)
  })

  it('checks the bytes of a transaction before it is sent, and the connection goes on', async () => {
    const kv = await openEtcdKV({ hosts: serviceUrl('etcd'), rootPath: 'limits' })
    const big = 'x'.repeat(800 * 1024)
    await expect(kv.multiSave({ a: big, b: big })).rejects.toSatisfy((error) => isKVError(error, 'KV_TOO_LARGE') && error.outcome === 'not-applied')
    await expect(kv.save('largest', 'x'.repeat(kv.features.maxValueBytes))).resolves.toBeTypeOf('bigint')
    expect(await kv.has('a')).toBe(false)
    await kv.removeWithPrefix('')
    await kv.close()
  })
})

describe.skipIf(!hasService('redis'))('Redis', () => {
  it('a server that lost its data ends watches with KV_COMPACTED, and no revision comes again', async () => {
    const { url } = await ownService('redis')
    const kv = await openRedisKV({ url })
    const admin = new Redis(url)
    const last = await kv.save('a', '1')
    const watch = kv.watchWithPrefix('')
    await watch.ready
    await admin.flushall()
    await expect(watch.next()).rejects.toSatisfy((error) => isKVError(error, 'KV_COMPACTED'))
    expect(await kv.load('a')).toBeUndefined()
    expect(await kv.compareAndSave('a', last, 'late')).toBe(false)
    expect(await kv.save('a', '2')).toBeGreaterThan(last)
    const again = kv.watchWithPrefix('')
    await again.ready
    await kv.save('b', '3')
    expect((await again.next()).value?.events).toHaveLength(1)
    admin.disconnect()
    await kv.close()
  })

  it('a transaction of thousands of operations is one revision, also for watches that resume', async () => {
    const kv = await openRedisKV({ url: serviceUrl('redis'), store: `servers-${process.pid}` })
    const pairs = Array.from({ length: 5000 }, (_, index): [string, string] => [`k${index}`, 'v'])
    const revision = await kv.multiSave(pairs)
    const live = kv.watchWithPrefix('')
    await live.ready
    await kv.removeWithPrefix('k')
    for (const [watch, type] of [[live, 'delete'], [kv.watchWithPrefix('', { from: revision }), 'put']] as const) {
      const batch: WatchBatch | undefined = (await watch.next()).value
      const events = batch?.events.filter((event) => event.type === type) ?? []
      expect(events).toHaveLength(5000)
      expect(new Set(events.map((event) => event.revision)).size).toBe(1)
    }
    await kv.close()
  })
})
