/** What a reader of Kafka does when its consumer fails, with a client of the test. */
import { expect, it } from 'vitest'
import type { KafkaBatch, KafkaClient, KafkaConsumer } from '../src/kafka/client.ts'
import { KafkaPull } from '../src/kafka/pull.ts'
import { systemClock } from '../src/edge.ts'
import type { Feed } from '../src/remote/reader.ts'

class FakeConsumer implements KafkaConsumer {
  readonly events = { GROUP_JOIN: 'consumer.group_join', CRASH: 'consumer.crash', END_BATCH_PROCESS: 'consumer.end_batch_process' } as const
  readonly groupId: string
  readonly restarts: () => Promise<boolean>
  readonly seeks: string[] = []
  readonly #listeners = new Map<string, (event: never) => void>()
  eachBatch: ((payload: { batch: KafkaBatch; heartbeat(): Promise<void> }) => Promise<void>) | undefined
  isConnected = false

  constructor(groupId: string, restarts: () => Promise<boolean>) {
    this.groupId = groupId
    this.restarts = restarts
  }

  async connect(): Promise<void> {
    this.isConnected = true
  }

  async disconnect(): Promise<void> {
    this.isConnected = false
  }

  async subscribe(): Promise<void> {}

  async run({ eachBatch }: Parameters<KafkaConsumer['run']>[0]): Promise<void> {
    this.eachBatch = eachBatch
  }

  seek({ offset }: { readonly offset: string }): void {
    this.seeks.push(offset)
  }

  on(event: string, listener: (event: never) => void): void {
    this.#listeners.set(event, listener)
  }

  crash(): void {
    this.#listeners.get('consumer.crash')?.({ payload: { error: new Error('the broker went away'), restart: false } } as never)
  }

  batch(...offsets: number[]): Promise<void> {
    const messages = offsets.map((offset) => ({ offset: String(offset), value: Buffer.from([offset]) }))
    return this.eachBatch?.({ batch: { messages }, heartbeat: async () => undefined }) ?? Promise.resolve()
  }
}

it('begins again where it was, as a group of its own, when its consumer fails', async () => {
  const consumers: FakeConsumer[] = []
  const read: number[] = []
  const client: Pick<KafkaClient, 'consumer'> = {
    consumer({ groupId, retry }) {
      const consumer = new FakeConsumer(groupId, retry.restartOnFailure)
      consumers.push(consumer)
      return consumer
    },
  }
  const feed: Feed = { push: (_ids: unknown, frames: readonly Uint8Array[]) => void read.push(...frames.map(([first = -1]) => first)), passed: () => undefined, isFull: () => false, isLive: () => true, fail: (error: unknown) => expect.fail(String(error)) }
  const forgotten: string[] = []
  const options = { clock: systemClock, topic: 't', groupId: 'g', maxWaitMs: 10, check: async () => undefined, forget: async (group: string) => void forgotten.push(group) }
  const pull = new KafkaPull(client, options, 3, feed)
  await expect.poll(() => consumers[0]?.eachBatch).toBeDefined()
  await consumers[0]?.batch(3, 4)
  expect(await consumers[0]?.restarts()).toBe(false)
  consumers[0]?.crash()
  await expect.poll(() => consumers[1]?.eachBatch).toBeDefined()
  expect([consumers[0]?.isConnected, consumers[1]?.seeks]).toEqual([false, ['5']])
  expect(new Set(consumers.map(({ groupId }) => groupId)).size).toBe(2)
  // A failure that is told of late, of one that is not used any more, changes nothing.
  consumers[0]?.crash()
  await consumers[1]?.batch(4, 5, 6)
  await pull.stop()
  expect({ read, consumers: consumers.length, forgotten }).toEqual({ read: [3, 4, 5, 6], consumers: 2, forgotten: [consumers[1]?.groupId] })
})
