import { Redis as Redis5 } from 'ioredis-5'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import type { Mq } from '../src/index.ts'
import { openRedisMq } from '../src/redis.ts'
import { testMq, testMsgStream } from '../src/testing.ts'
import { runId, serviceUrl } from './services.edge.ts'

const url = serviceUrl('redis')
const runner = { describe, it }
let count = 0
const prefixes = new WeakMap<Mq, string>()

async function open(prefix: string, client?: Redis | Redis5): Promise<Mq> {
  const mq = await openRedisMq(client === undefined ? { url: url ?? '', prefix, blockMs: 200 } : { client, prefix, blockMs: 200 })
  prefixes.set(mq, prefix)
  return mq
}
const nextPrefix = (): string => `${runId}:${++count}:`
const reopen = async (mq: Mq): Promise<Mq> => {
  await mq.close()
  return open(prefixes.get(mq) ?? '')
}

describe.skipIf(url === undefined)('redis', () => {
  testMq('redis', { runner, create: () => open(nextPrefix()), reopen })
  testMsgStream('redis', { runner, create: () => open(nextPrefix()), reopen })

  const old = new Redis5(url ?? '', { lazyConnect: true })
  const other = new Redis(url ?? '', { lazyConnect: true })
  afterAll(async () => {
    if (old.status !== 'wait') old.disconnect()
    const keys = await other.keys(`${runId}:*`)
    for (let i = 0; i < keys.length; i += 500) await other.del(keys.slice(i, i + 500))
    other.disconnect()
  })
  testMq('redis, ioredis 5', { runner, create: () => open(nextPrefix(), old) })

  it('finds out what others trimmed', async () => {
    const prefix = nextPrefix()
    const mq = await open(prefix)
    const producer = await mq.openProducer('a')
    for (let i = 0; i < 5; i++) await producer.send([new Uint8Array([i])])
    const reader = await mq.openReader('a', { at: 'earliest' })
    const [key] = await other.keys(`${prefix}s:*`)
    await other.xtrim(key ?? '', 'MAXLEN', 2)
    await expect(reader.read()).rejects.toMatchObject({ code: 'MSG_POSITION_EXPIRED' })
    await reader.seek({ at: 'earliest' })
    expect((await reader.read({ maxMessages: 1 }))?.frames.map(([byte]) => byte)).toEqual([3])
    await mq.close()
  })

  it('goes on where it stood when truncate took what was read', async () => {
    const mq = await open(nextPrefix())
    const producer = await mq.openProducer('a')
    const ids = []
    for (let i = 0; i < 5; i++) ids.push(...(await producer.send([new Uint8Array([i])])))
    const third = ids[2]
    const fourth = ids[3]
    if (third === undefined || fourth === undefined) throw new Error('no ids')
    await mq.truncate('a', fourth)
    const reader = await mq.openReader('a', { after: third })
    expect((await reader.read({ maxMessages: 1 }))?.frames).toEqual([Uint8Array.of(3)])
    await expect((await mq.openReader('a', { from: third })).read()).rejects.toMatchObject({ code: 'MSG_POSITION_EXPIRED', details: { first: { backend: 'redis' } } })
    await mq.close()
  })

  it('a deletion by another process ends a waiting read', async () => {
    const prefix = nextPrefix()
    const [mq, rival] = [await open(prefix), await open(prefix)]
    const producer = await mq.openProducer('a')
    const reading = (await mq.openReader('a', { at: 'latest' })).read()
    await rival.deleteChannel('a')
    await expect(reading).rejects.toMatchObject({ code: 'MSG_CHANNEL_NOT_FOUND' })
    await expect(producer.send([new Uint8Array(1)])).rejects.toMatchObject({ code: 'MSG_CHANNEL_NOT_FOUND', outcome: 'not-applied' })
    await rival.createChannel('a')
    await expect(producer.send([new Uint8Array(1)])).rejects.toMatchObject({ code: 'MSG_CHANNEL_NOT_FOUND' })
    await Promise.all([mq.close(), rival.close()])
  })

  it('a lost connection leaves the outcome unknown and the producer failed; readers go on', async () => {
    const named = new Redis(url ?? '', { lazyConnect: true, connectionName: runId })
    const mq = await open(nextPrefix(), named)
    const producer = await mq.openProducer('a')
    const reader = await mq.openReader('a', { at: 'earliest' })
    await producer.send([new Uint8Array([1])])
    expect((await reader.read())?.frames.length).toBe(1)
    const reading = reader.read()
    const lost = producer.send([new Uint8Array([2])])
    const outcome = lost.then(() => 'applied', (error: { outcome?: unknown }) => error.outcome)
    for (const line of String(await other.client('LIST')).split('\n')) {
      const id = line.includes(`name=${runId} `) ? /id=(\d+)/.exec(line)?.[1] : undefined
      if (id !== undefined) await other.call('CLIENT', 'KILL', 'ID', id)
    }
    expect(['applied', 'unknown']).toContain(await outcome)
    await expect.poll(() => mq.createChannel('b').then(() => true, () => false)).toBe(true)
    await (await mq.openProducer('a')).send([new Uint8Array([3])])
    expect((await reading)?.frames.length).toBeGreaterThan(0)
    await mq.close()
  })
})

it('refuses options that are none', async () => {
  for (const bad of [undefined, {}, { url: 'http://x' }, { client: {} }, { url: 'redis://127.0.0.1:1', prefix: 5 }, { url: 'redis://127.0.0.1:1', client: { duplicate() {} } }]) {
    await expect(openRedisMq(bad as never)).rejects.toThrow(TypeError)
  }
  await expect(openRedisMq({ url: 'redis://127.0.0.1:1', blockMs: 0 })).rejects.toThrow(RangeError)
  await expect(openRedisMq({ url: 'redis://127.0.0.1:1', timeoutMs: 50 })).rejects.toMatchObject({ code: 'MSG_UNAVAILABLE' })
})
