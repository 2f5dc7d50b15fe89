import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import { afterAll, describe, expect, it } from 'vitest'
import type { KVBase } from '../src/index.ts'
import { openRedisKV, type RedisKVOptions } from '../src/redis.ts'
import { testKV } from '../src/testing.ts'
import { hasService, ring, serviceUrl } from './services.edge.ts'

let count = 0
const stores = new WeakMap<KVBase, string>()

async function open(options: RedisKVOptions = {}, store = `kit-${process.pid}-${count++}`): Promise<KVBase> {
  const kv = await openRedisKV({ ...(options.client === undefined ? { url: serviceUrl('redis') } : {}), store, ...options })
  stores.set(kv, store)
  return kv
}

describe.skipIf(!hasService('redis'))('on Redis', () => {
  testKV('redis', {
    runner: { describe, it },
    create: () => open(),
    createBounded: () => open({ maxHistory: 10, maxWatchLagBytes: 4096 }),
    async reopen(kv) {
      await kv.close()
      return open({}, stores.get(kv) ?? '')
    },
    features: { backend: 'redis', sharing: 'writers' },
  })

  describe('through a client of ioredis 5', () => {
    const client = new Redis5(serviceUrl('redis'), { lazyConnect: true })
    afterAll(() => client.disconnect())
    const create = (): Promise<KVBase> => open({ client, rootPath: 'by-dev' })
    if (ring !== 'default') testKV('redis', { runner: { describe, it }, create })

    it('saves, loads and watches', async () => {
      const kv = await create()
      const watch = kv.watchWithPrefix('')
      await watch.ready
      await kv.multiSave({ a: '1', '\u{1F600}': '' })
      expect(await kv.multiLoad(['\u{1F600}', 'b', 'a'])).toEqual(['', undefined, '1'])
      expect((await watch.next()).value?.events).toHaveLength(2)
      await kv.close()
    })
  })

  it('takes a client of ioredis 6 as a pattern and leaves it alone', async () => {
    const client = new Redis(serviceUrl('redis'), { lazyConnect: true })
    const kv = await open({ client })
    await kv.save('a', '1')
    await kv.close()
    expect(client.status).toBe('wait')
  })
})
