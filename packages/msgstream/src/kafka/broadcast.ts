/**
 * Atomic broadcast: one transaction per step. Readers see nothing of it before its commit (kafkajs reads what is committed).
 * After any error whose outcome is open the producer is given up: a commit that comes late may hit its next transaction.
 */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import type { MessageId } from '../mq.ts'
import { OffsetId } from '../offset-id.ts'
import type { BroadcastOutlet } from '../remote/broadcaster.ts'
import { splitBySize } from '../remote/packing.ts'
import type { KafkaProducer, KafkaTransaction } from './client.ts'
import type { KafkaDriver } from './driver.ts'
import { kafkaError, within } from './failures.ts'

export interface KafkaBroadcastOptions {
  readonly client: KafkaDriver
  readonly clock: Clock
  readonly topics: readonly string[]
  readonly transactionalId: string
  readonly timeoutMs: number
  readonly maxRequestBytes: number
}

const overhead = 32

export class KafkaBroadcast implements BroadcastOutlet {
  readonly #options: KafkaBroadcastOptions
  readonly #producer: KafkaProducer

  constructor(options: KafkaBroadcastOptions) {
    this.#options = options
    this.#producer = options.client.producer({
      transactionalId: options.transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => () => 0,
      retry: { retries: Number.MAX_SAFE_INTEGER, initialRetryTime: 50, maxRetryTime: 1000 },
    })
  }

  async open(): Promise<this> {
    try {
      await this.#within(this.#producer.connect(), 'connect', false)
    } catch (cause) {
      await this.close()
      throw new MsgStreamError('MSG_UNAVAILABLE', 'no connection to Kafka', { cause, outcome: 'not-applied' })
    }
    return this
  }

  #within<T>(work: Promise<T>, what: string, isWrite: boolean): Promise<T> {
    return within(work, this.#options.clock, this.#options.timeoutMs, what, isWrite)
  }

  async append(frames: readonly Uint8Array[]): Promise<MessageId[][]> {
    const { topics, maxRequestBytes } = this.#options
    const values = frames.map((frame) => Buffer.from(frame.buffer, frame.byteOffset, frame.length))
    const groups = splitBySize(values, Math.floor(maxRequestBytes / topics.length), overhead) as (readonly Buffer[])[]
    const transaction = await this.#within(this.#producer.transaction(), 'begin a transaction', false).catch((cause: unknown) => {
      throw new MsgStreamError('MSG_UNAVAILABLE', 'no transaction', { cause, outcome: 'not-applied' })
    })
    const ids = topics.map((): MessageId[] => [])
    try {
      for (const group of groups) await this.#send(transaction, group, ids)
    } catch (error) {
      throw await this.#aborted(transaction, error)
    }
    await this.#within(transaction.commit(), 'commit', true).catch((error: unknown) => {
      // Asked for and not answered: it may be done, now or later.
      throw new MsgStreamError('MSG_UNAVAILABLE', 'the commit was not confirmed', { cause: error, outcome: 'unknown' })
    })
    return ids
  }

  async #send(transaction: KafkaTransaction, group: readonly Buffer[], ids: MessageId[][]): Promise<void> {
    const { topics } = this.#options
    const topicMessages = topics.map((topic) => ({ topic, messages: group.map((value) => ({ value, partition: 0 })) }))
    const answers = await this.#within(transaction.sendBatch({ acks: -1, topicMessages }), 'send in a transaction', true)
    for (const [i, topic] of topics.entries()) {
      const answer = answers.find(({ topicName }) => topicName === topic)
      if (answer?.baseOffset === undefined || answer.errorCode !== 0) throw new MsgStreamError('MSG_UNAVAILABLE', `send to ${topic}: no offset`, { outcome: 'unknown' })
      for (let k = 0; k < group.length; k++) ids[i]?.push(new OffsetId('kafka', Number(answer.baseOffset) + k))
    }
  }

  /** Nothing was committed, so nothing counts, also where the broker ends the transaction by its timeout. */
  async #aborted(transaction: KafkaTransaction, cause: unknown): Promise<MsgStreamError> {
    const { code, retryable, message } = kafkaError(cause, 'broadcast', true)
    try {
      await this.#within(transaction.abort(), 'abort', true)
      return new MsgStreamError(code, message, { cause, outcome: 'not-applied', retryable })
    } catch {
      // The next transaction of this producer could take what is open into its own.
      return new MsgStreamError(code, `${message}, and the abort was not confirmed`, { cause, outcome: 'unknown', retryable: false })
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect().catch(() => {})
  }
}
