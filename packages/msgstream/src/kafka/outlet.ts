/**
 * One channel's producer. One request is under way at a time, with everything that came meanwhile in it: an idempotent producer of
 * kafkajs with several loses batches when a connection breaks, and a larger batch is faster anyway.
 */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import type { MessageId } from '../mq.ts'
import { OffsetId } from '../offset-id.ts'
import { splitBySize } from '../remote/packing.ts'
import type { Outlet } from '../remote/producer.ts'
import type { KafkaProducer } from './client.ts'
import type { KafkaDriver } from './driver.ts'
import { kafkaError, within } from './failures.ts'

export interface KafkaOutletOptions {
  readonly client: KafkaDriver
  readonly clock: Clock
  readonly topic: string
  readonly timeoutMs: number
  readonly maxRequestBytes: number
}

interface Group {
  readonly values: readonly Buffer[]
  readonly bytes: number
  resolve(first: number): void
  reject(error: MsgStreamError): void
}

const overhead = 32

export class KafkaOutlet implements Outlet {
  readonly #options: KafkaOutletOptions
  #producer: KafkaProducer | undefined
  #queue: Group[] = []
  #flushing = false

  constructor(options: KafkaOutletOptions) {
    this.#options = options
  }

  async open(): Promise<this> {
    await this.#connect()
    return this
  }

  async #connect(): Promise<KafkaProducer> {
    const { client, clock, timeoutMs } = this.#options
    const producer = client.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => () => 0,
      // Fewer would end a batch whose outcome is unknown, and the next one would take its place. The deadline is ours.
      retry: { retries: Number.MAX_SAFE_INTEGER, initialRetryTime: 50, maxRetryTime: 1000 },
    })
    try {
      await within(producer.connect(), clock, timeoutMs, 'connect', false)
    } catch (error) {
      void producer.disconnect().catch(() => {})
      throw new MsgStreamError('MSG_UNAVAILABLE', 'no connection to Kafka', { cause: error, outcome: 'not-applied' })
    }
    this.#producer = producer
    return producer
  }

  async append(frames: readonly Uint8Array[]): Promise<MessageId[]> {
    const groups = splitBySize(frames, this.#options.maxRequestBytes, overhead)
    // All are queued before anything is awaited: the order of calls is the order of the log.
    const appended = groups.map((group) => this.#enqueue(group))
    const settled = await Promise.allSettled(appended)
    const ids: MessageId[] = []
    for (const [i, result] of settled.entries()) {
      if (result.status === 'rejected') throw partly(result.reason as MsgStreamError, i)
      for (let k = 0; k < (groups[i]?.length ?? 0); k++) ids.push(new OffsetId('kafka', result.value + k))
    }
    return ids
  }

  #enqueue(frames: readonly Uint8Array[]): Promise<number> {
    const copy = Buffer.concat(frames)
    let at = 0
    const values = frames.map(({ length }) => copy.subarray(at, (at += length)))
    return new Promise<number>((resolve, reject) => {
      this.#queue.push({ values, bytes: copy.length + overhead * values.length, resolve, reject })
      if (!this.#flushing) void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    this.#flushing = true
    // Calls of this turn of the loop go together.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const groups = this.#next()
      try {
        let offset = await this.#send(groups)
        for (const group of groups) {
          group.resolve(offset)
          offset += group.values.length
        }
      } catch (error) {
        this.#failed(groups, error as MsgStreamError)
      }
    }
    this.#flushing = false
  }

  #next(): Group[] {
    let bytes = 0
    let count = 0
    for (const group of this.#queue) {
      if (count > 0 && bytes + group.bytes > this.#options.maxRequestBytes) break
      bytes += group.bytes
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #send(groups: readonly Group[]): Promise<number> {
    const { topic, clock, timeoutMs } = this.#options
    const producer = this.#producer ?? (await this.#connect())
    const messages = groups.flatMap(({ values }) => values.map((value) => ({ value, partition: 0 })))
    const [answer] = await within(producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages }] }), clock, timeoutMs, `send to ${topic}`, true)
    if (answer?.baseOffset === undefined || answer.errorCode !== 0) throw new MsgStreamError('MSG_UNAVAILABLE', `send to ${topic}: no offset`, { outcome: 'unknown' })
    return Number(answer.baseOffset)
  }

  #failed(groups: readonly Group[], cause: MsgStreamError): void {
    const error = kafkaError(cause, 'send', true)
    for (const group of groups) group.reject(error)
    if (error.outcome === 'unknown') {
      const later = new MsgStreamError('MSG_PRODUCER_FAILED', 'an earlier send has an unknown outcome', { cause, outcome: 'not-applied' })
      for (const group of this.#queue.splice(0)) group.reject(later)
    }
    // The next batch is numbered anew.
    void this.#producer?.disconnect().catch(() => {})
    this.#producer = undefined
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect().catch(() => {})
  }
}

/** A send in several requests of which an earlier one was taken. */
function partly(error: MsgStreamError, done: number): MsgStreamError {
  if (done === 0 || error.outcome === 'unknown') return error
  return new MsgStreamError(error.code, `${error.message} (a part of the send was written)`, { cause: error, outcome: 'unknown', details: error.details })
}
