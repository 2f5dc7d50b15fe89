/**
 * Reads one topic ahead with a consumer of its own. kafkajs knows only groups: this one has one member and commits nothing, so
 * every joining begins at the offset that is needed next, and what lies below it is not handed out. Behind a failure it is another
 * group: a member that could not say goodbye keeps its own waiting until its session ends, half a minute.
 */
import { MsgStreamError } from '../errors.ts'
import { OffsetId } from '../offset-id.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import type { KafkaBatch, KafkaClient, KafkaConsumer } from './client.ts'
import type { KafkaPullOptions } from './pull-options.ts'

const heartbeatMs = 1000
/** It does not begin again by itself, in the same group: we do. */
const retry = { retries: 3, initialRetryTime: 50, maxRetryTime: 500, restartOnFailure: () => Promise.resolve(false) }

export class KafkaPull implements Pull {
  readonly #client: Pick<KafkaClient, 'consumer'>
  readonly #options: KafkaPullOptions
  readonly #feed: Feed
  #cursor: number
  #starts = 0
  #groupId = ''
  #isLost = false
  #wake: (() => void) | undefined
  #consumer: KafkaConsumer | undefined
  #stopping: Promise<void> | undefined
  #running: Promise<void>

  constructor(client: Pick<KafkaClient, 'consumer'>, options: KafkaPullOptions, cursor: number, feed: Feed) {
    this.#client = client
    this.#options = options
    this.#cursor = cursor
    this.#feed = feed
    this.#running = this.#run()
  }

  resume(): void {
    this.#wake?.()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#wake?.()
    await this.#running
    await this.#consumer?.disconnect().catch(() => {})
    if (this.#consumer !== undefined) await this.#options.forget(this.#groupId).catch(() => {})
  }

  async #run(): Promise<void> {
    let pauseMs = 50
    while (this.#stopping === undefined) {
      try {
        await this.#options.check(this.#cursor)
        if (this.#stopping === undefined) await this.#start()
        return
      } catch (error) {
        if (!isPassing(error)) return this.#feed.fail(error)
        await this.#pause(pauseMs)
        pauseMs = Math.min(2 * pauseMs, 2000)
      }
    }
  }

  async #start(): Promise<void> {
    const { topic, groupId: own, maxWaitMs } = this.#options
    const groupId = (this.#groupId = this.#starts++ === 0 ? own : `${own}-${this.#starts}`)
    const consumer = this.#client.consumer({ groupId, maxWaitTimeInMs: maxWaitMs, minBytes: 1, maxBytesPerPartition: 4 << 20, allowAutoTopicCreation: false, retry })
    this.#consumer = consumer
    const seek = (): void => {
      if (this.#stopping === undefined && consumer === this.#consumer) consumer.seek({ topic, partition: 0, offset: String(this.#cursor) })
    }
    consumer.on(consumer.events.GROUP_JOIN, seek)
    consumer.on(consumer.events.CRASH, () => {
      if (this.#stopping === undefined && consumer === this.#consumer) void this.#crashed()
    })
    // Heard for batches of control records too, which are not handed out.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (this.#stopping === undefined && consumer === this.#consumer) this.#passed(Number(payload.lastOffset))
    })
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      const running = consumer.run({ autoCommit: false, eachBatch: (payload) => this.#take(payload.batch, () => payload.heartbeat()) })
      // The first fetch begins here: the group is there as soon as run was called.
      seek()
      await running
    } catch (error) {
      // Another has begun already.
      if (consumer !== this.#consumer) return
      this.#consumer = undefined
      await consumer.disconnect().catch(() => {})
      throw error
    }
  }

  async #crashed(): Promise<void> {
    const consumer = this.#consumer
    this.#consumer = undefined
    await consumer?.disconnect().catch(() => {})
    await this.#pause(100)
    if (this.#stopping === undefined) this.#running = this.#run()
  }

  async #take({ messages }: KafkaBatch, heartbeat: () => Promise<void>): Promise<void> {
    const ids: OffsetId[] = []
    const frames: Uint8Array[] = []
    for (const { offset: text, value } of messages) {
      const offset = Number(text)
      if (offset < this.#cursor) continue
      // Kafka goes on behind what retention took without a word. Control records leave gaps too: the broker knows which it is.
      if (offset > this.#cursor && ids.length === 0) {
        // What fails here for now makes kafkajs fetch the batch again.
        await this.#options.check(this.#cursor).catch((error: unknown) => {
          if (isPassing(error)) throw error
          this.#feed.fail(error)
          this.#isLost = true
        })
        if (this.#isLost) break
      }
      ids.push(new OffsetId('kafka', offset))
      frames.push(value ?? new Uint8Array(0))
      this.#cursor = offset + 1
    }
    this.#feed.push(ids, frames)
    // This consumer reads one channel, so waiting here holds up no other.
    while ((this.#isLost || this.#feed.isFull()) && this.#feed.isLive() && this.#stopping === undefined) {
      await this.#pause(heartbeatMs)
      await heartbeat()
    }
  }

  #passed(offset: number): void {
    if (this.#isLost || !(offset >= this.#cursor - 1)) return
    this.#cursor = offset + 1
    this.#feed.passed(new OffsetId('kafka', offset))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setTimer(resolve, ms)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}

const isPassing = (error: unknown): boolean => !(error instanceof MsgStreamError) || error.retryable
