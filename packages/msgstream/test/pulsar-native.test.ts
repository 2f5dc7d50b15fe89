/**
 * The native transport, without the native client: its binary cannot be had everywhere. A module of the same shape over WebSockets stands
 * in for it, so that what is written against the shape is proved on a real Pulsar.
 */
import { describe, expect, it } from 'vitest'
import type { Mq } from '../src/index.ts'
import { decodeMessageId, encodeMessageId } from '../src/pulsar/message-id.ts'
import { openWebTransport } from '../src/pulsar/web.edge.ts'
import { openPulsarMq, type PulsarEntry, type PulsarNativeClient, type PulsarNativeId, type PulsarNativeModule } from '../src/pulsar.ts'
import { testMq } from '../src/testing.ts'
import { runId, serviceUrl } from './services.edge.ts'

const url = serviceUrl('pulsar_web')
const namespace = `native-${runId}`

const idOf = (entry: PulsarEntry): PulsarNativeId => ({ serialize: () => Buffer.from(encodeMessageId(entry), 'base64') })
const earliest = idOf({ ledger: 0, entry: 0 })
const nameOf = (topic: string): string => topic.slice(topic.lastIndexOf('/') + 1)

class StandIn implements PulsarNativeClient {
  readonly #transport = openWebTransport({ url: url ?? '', tenant: 'public', namespace, token: undefined, timeoutMs: 10_000 })

  async createProducer({ topic }: { topic: string }) {
    expect(topic.startsWith(`persistent://public/${namespace}/`)).toBe(true)
    const sender = await (await this.#transport).openSender(nameOf(topic))
    return { send: async ({ data }: { data: Buffer }) => idOf(await sender.send(data)), close: () => sender.close() }
  }

  async createReader({ topic, startMessageId, receiverQueueSize }: { topic: string; startMessageId: PulsarNativeId; receiverQueueSize: number }) {
    const waiting: { resolve(message: { getData(): Buffer; getMessageId(): PulsarNativeId }): void; reject(error: Error): void }[] = []
    const come: { id: PulsarEntry; data: Buffer }[] = []
    const given = decodeMessageId(startMessageId.serialize().toString('base64'))
    // In front of a ledger's first entry is -1, unsigned.
    const after = startMessageId === earliest ? 'earliest' : { ledger: given.ledger, entry: given.entry > 2 ** 53 ? -1 : given.entry }
    const next = (): void => {
      while (waiting.length > 0 && come.length > 0) {
        const { id, data } = come.shift() as (typeof come)[number]
        waiting.shift()?.resolve({ getData: () => data, getMessageId: () => idOf(id) })
        receiver.grant(1)
      }
    }
    const fail = (error: Error): void => {
      for (const { reject } of waiting.splice(0)) reject(error)
    }
    const receiver = await (await this.#transport).openReceiver(nameOf(topic), after, receiverQueueSize, {
      onEntry: (id, data) => {
        come.push({ id, data })
        queueMicrotask(next)
      },
      onLost: fail,
    })
    return {
      readNext: () => new Promise<{ getData(): Buffer; getMessageId(): PulsarNativeId }>((resolve, reject) => {
        waiting.push({ resolve, reject })
        next()
      }),
      close: async () => {
        fail(new Error('AlreadyClosed'))
        await receiver.close()
      },
    }
  }

  async close(): Promise<void> {}
}

const nativeClient: PulsarNativeModule = { Client: StandIn, MessageId: { earliest: () => earliest, deserialize: (bytes) => ({ serialize: () => bytes }) } }
let count = 0
const prefixes = new WeakMap<Mq, string>()

async function open(prefix: string): Promise<Mq> {
  const mq = await openPulsarMq({ url: url ?? '', serviceUrl: 'pulsar://127.0.0.1:1', nativeClient, namespace, prefix })
  prefixes.set(mq, prefix)
  return mq
}

async function policy(method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}/admin/v2/namespaces/public/${namespace}${path}`, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
}

describe.skipIf(url === undefined)('pulsar through a client of the native shape', () => {
  const ready = url === undefined ? Promise.resolve() : (async () => {
    await policy('PUT', '', {})
    await policy('POST', '/retention', { retentionTimeInMinutes: -1, retentionSizeInMB: -1 })
    await policy('POST', '/autoTopicCreation', { allowAutoTopicCreation: false })
  })()
  const reopen = async (mq: Mq): Promise<Mq> => {
    await mq.close()
    return open(prefixes.get(mq) ?? '')
  }
  testMq('pulsar, native shape', { runner: { describe, it }, create: () => ready.then(() => open(`n${++count}-`)), reopen, timeoutMs: 10_000 })
})

it('refuses what is no native client, and says which package is missing', async () => {
  for (const bad of [{ serviceUrl: 'x' }, { serviceUrl: 'http://x' }, { serviceUrl: 'pulsar://x', nativeClient: {} }]) {
    await expect(openPulsarMq({ url: 'http://127.0.0.1:1', ...bad } as never)).rejects.toThrow(TypeError)
  }
  const missing = await openPulsarMq({ url: 'http://127.0.0.1:1', serviceUrl: 'pulsar://127.0.0.1:1' }).catch((error: unknown) => error)
  // Where the package is installed, nobody answers there.
  expect(missing).toMatchObject({ code: expect.stringMatching(/^MSG_(DRIVER_MISSING|UNAVAILABLE)$/) })
})
