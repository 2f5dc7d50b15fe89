import { describe, expect, it } from 'vitest'
import { createTsMsg, encodeEnvelope, openMsgStream, type ConsumerOptions, type Mq } from '../src/index.ts'
import { openKafkaMq, type KafkaMqOptions } from '../src/kafka.ts'
import { testMq, testMsgStream } from '../src/testing.ts'
import { pause, runId, serviceUrl } from './services.edge.ts'

const url = serviceUrl('kafka')
const runner = { describe, it }
let count = 0
const prefixes = new WeakMap<Mq, string>()
const nextPrefix = (): string => `${runId}-${++count}-`

describe.skipIf(url === undefined).each(['kafkajs', '@platformatic/kafka'] as const)('kafka through %s', (driver) => {
  const openWith = async (options: Partial<KafkaMqOptions> & { readonly prefix: string }): Promise<Mq> => {
    const mq = await openKafkaMq({ brokers: [url ?? ''], driver, maxWaitMs: 20, ...options })
    prefixes.set(mq, options.prefix)
    return mq
  }
  const open = (prefix: string): Promise<Mq> => openWith({ prefix })
  const reopen = async (mq: Mq): Promise<Mq> => {
    await mq.close()
    return open(prefixes.get(mq) ?? '')
  }
  testMq('kafka', { runner, create: () => open(nextPrefix()), reopen, timeoutMs: 10_000 })
  testMsgStream('kafka', { runner, create: () => open(nextPrefix()), reopen, timeoutMs: 10_000 })

  it('a send larger than one request goes in several, in order', async () => {
    const mq = await open(nextPrefix())
    const producer = await mq.openProducer('a')
    const frames = Array.from({ length: 12 }, (_, i) => new Uint8Array(300_000).fill(i))
    const ids = await producer.send(frames)
    expect(ids.length).toBe(12)
    const reader = await mq.openReader('a', { at: 'earliest' })
    const got: number[] = []
    while (got.length < 12) got.push(...((await reader.read())?.frames ?? []).map(([byte]) => byte ?? -1))
    expect(got).toEqual(Array.from({ length: 12 }, (_, i) => i))
    await mq.close()
  })

  it('`until: latest` ends behind an atomic broadcast, whose marker is the last record, also for who stands in front of the marker', async () => {
    const mq = await open(nextPrefix())
    const all = await mq.openBroadcaster?.(['a', 'b'])
    const ids = (await all?.send([1n, 2n, 3n].map((ts) => encodeEnvelope(createTsMsg({ type: 400, ts }))))) ?? []
    // Markers are written behind the answer to the commit; before them nothing of it is there for readers.
    for (const channel of ['a', 'b']) while ((await mq.bounds(channel)).last === undefined) await pause(20)
    const read = async (options: ConsumerOptions): Promise<bigint[]> => {
      const stream = await openMsgStream({ mq })
      await stream.asConsumer(['a', 'b'], { ...options, until: 'latest' })
      const times: bigint[] = []
      for (let pack = await stream.consume(); pack !== undefined; pack = await stream.consume()) times.push(...pack.msgs.map(({ endTs }) => endTs))
      await stream.close()
      return times.sort((a, b) => Number(a - b))
    }
    expect(await read({ from: 'earliest' })).toEqual([1n, 1n, 2n, 2n, 3n, 3n])
    const positions = ['a', 'b'].map((channel, i) => ({ channel, msgId: ids[i]?.[2], timestamp: 0n }))
    expect(await read({ positions })).toEqual([])
    await mq.close()
  }, 60_000)

  it('a reader that retention overtakes is told', async () => {
    const mq = await openWith({ prefix: nextPrefix(), maxBufferedBytes: 1000 })
    const producer = await mq.openProducer('a')
    const ids = (await Promise.all(Array.from({ length: 10 }, () => producer.send([new Uint8Array(900)])))).flat()
    const reader = await mq.openReader('a', { at: 'earliest' })
    expect((await reader.read({ maxMessages: 1 }))?.frames.length).toBe(1)
    await reader.seek({ after: ids[2] ?? { backend: '', bytes: new Uint8Array() } })
    await mq.truncate('a', ids[8] ?? { backend: '', bytes: new Uint8Array() })
    await expect(reader.read()).rejects.toMatchObject({ code: 'MSG_POSITION_EXPIRED', details: { first: ids[8] } })
    await mq.close()
  })
})

it('refuses options that are none', async () => {
  for (const bad of [undefined, {}, { brokers: [] }, { brokers: ['x'] }, { brokers: 'x:1' }, { client: {} }, { brokers: ['x:1'], prefix: 'a b' }, { brokers: ['x:1'], clientId: 5 }, { brokers: ['x:1'], driver: 'librdkafka' }]) {
    await expect(openKafkaMq(bad as never)).rejects.toThrow(TypeError)
  }
  await expect(openKafkaMq({ brokers: ['127.0.0.1:1'], maxWaitMs: 0 })).rejects.toThrow(RangeError)
  for (const driver of ['kafkajs', '@platformatic/kafka'] as const) {
    await expect(openKafkaMq({ brokers: ['127.0.0.1:1'], driver, timeoutMs: 200 })).rejects.toMatchObject({ code: 'MSG_UNAVAILABLE' })
  }
})
