import { beforeAll, describe, expect, it } from 'vitest'
import type { Mq } from '../src/index.ts'
import { openPulsarMq } from '../src/pulsar.ts'
import { testMq, testMsgStream } from '../src/testing.ts'
import { runId, serviceUrl } from './services.edge.ts'

const url = serviceUrl('pulsar_web')
const runner = { describe, it }
const namespace = `msgstream-${runId}`
let count = 0
const prefixes = new WeakMap<Mq, string>()

async function open(prefix: string): Promise<Mq> {
  const mq = await openPulsarMq({ url: url ?? '', namespace, prefix })
  prefixes.set(mq, prefix)
  return mq
}
const nextPrefix = (): string => `p${++count}-`
const reopen = async (mq: Mq): Promise<Mq> => {
  await mq.close()
  return open(prefixes.get(mq) ?? '')
}

async function policy(method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}/admin/v2/namespaces/public/${namespace}${path}`, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
}

describe.skipIf(url === undefined)('pulsar', () => {
  beforeAll(async () => {
    await policy('PUT', '', {})
    await policy('POST', '/retention', { retentionTimeInMinutes: -1, retentionSizeInMB: -1 })
    await policy('POST', '/autoTopicCreation', { allowAutoTopicCreation: false })
  })

  testMq('pulsar', { runner, create: () => open(nextPrefix()), reopen, timeoutMs: 10_000 })
  testMsgStream('pulsar', { runner, create: () => open(nextPrefix()), reopen, timeoutMs: 10_000 })

  it('a send larger than one message goes in several, in order', async () => {
    const mq = await open(nextPrefix())
    const producer = await mq.openProducer('a')
    const ids = await producer.send(Array.from({ length: 12 }, (_, i) => new Uint8Array(300_000).fill(i)))
    expect(ids.length).toBe(12)
    const reader = await mq.openReader('a', { at: 'earliest' })
    const got: number[] = []
    while (got.length < 12) got.push(...((await reader.read())?.frames ?? []).map(([byte]) => byte ?? -1))
    expect(got).toEqual(Array.from({ length: 12 }, (_, i) => i))
    await mq.close()
  })

  it('a position in a ledger that is gone has expired', async () => {
    const mq = await open(nextPrefix())
    await (await mq.openProducer('a')).send([new Uint8Array(1)])
    const reader = await mq.openReader('a', { from: { backend: 'pulsar', bytes: new Uint8Array(20) } })
    await expect(reader.read()).rejects.toMatchObject({ code: 'MSG_POSITION_EXPIRED', details: { first: { backend: 'pulsar' } } })
    await mq.close()
  })
})

it('refuses options that are none', async () => {
  for (const bad of [undefined, {}, { url: 'x' }, { transport: {} }, { url: 'http://x', prefix: 'a b' }, { url: 'http://x', namespace: 'a/b' }, { url: 'http://x', token: 5 }]) {
    await expect(openPulsarMq(bad as never)).rejects.toThrow(TypeError)
  }
  await expect(openPulsarMq({ url: 'http://x', maxMessageBytes: 5 })).rejects.toThrow(RangeError)
  await expect(openPulsarMq({ url: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'MSG_UNAVAILABLE' })
})
