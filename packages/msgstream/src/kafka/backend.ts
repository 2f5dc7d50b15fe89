/** Channels as topics with one partition: `<prefix><channel>`. A frame is a record, its offset the id. */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import type { MqFeatures } from '../features.ts'
import type { MessageId, StartPosition } from '../mq.ts'
import { OffsetId, offsetOf } from '../offset-id.ts'
import type { Bounds, RemoteBackend } from '../remote/base.ts'
import type { BroadcastOutlet } from '../remote/broadcaster.ts'
import type { Outlet } from '../remote/producer.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import { KafkaBroadcast } from './broadcast.ts'
import type { KafkaAdmin } from './client.ts'
import type { KafkaDriver } from './driver.ts'
import { within } from './failures.ts'
import { KafkaOutlet } from './outlet.ts'

export interface KafkaBackendOptions {
  readonly features: MqFeatures
  readonly client: KafkaDriver
  readonly admin: KafkaAdmin
  readonly clock: Clock
  readonly randomToken: () => string
  readonly prefix: string
  readonly replicationFactor: number | undefined
  readonly timeoutMs: number
  readonly maxWaitMs: number
  readonly maxRequestBytes: number
  readonly maxPendingBytes: number
  readonly maxBufferedBytes: number
}

export interface Topic {
  readonly channel: string
  readonly topic: string
}

const backend = 'kafka'

export class KafkaBackend implements RemoteBackend<Topic, number> {
  readonly features: MqFeatures
  readonly maxPendingBytes: number
  readonly maxBufferedBytes: number
  readonly #options: KafkaBackendOptions

  constructor(options: KafkaBackendOptions) {
    this.features = options.features
    this.maxPendingBytes = options.maxPendingBytes
    this.maxBufferedBytes = options.maxBufferedBytes
    this.#options = options
  }

  #key(channel: string): Topic {
    return { channel, topic: `${this.#options.prefix}${channel}` }
  }

  #within<T>(work: Promise<T>, what: string, isWrite = false): Promise<T> {
    return within(work, this.#options.clock, this.#options.timeoutMs, what, isWrite)
  }

  async #topics(): Promise<string[]> {
    return this.#within(this.#options.admin.listTopics(), 'list topics')
  }

  async create(channel: string): Promise<Topic> {
    const { admin, replicationFactor, timeoutMs } = this.#options
    const key = this.#key(channel)
    if ((await this.#topics()).includes(key.topic)) return key
    const topic = { topic: key.topic, numPartitions: 1, ...(replicationFactor === undefined ? {} : { replicationFactor }) }
    try {
      await this.#within(admin.createTopics({ topics: [topic], waitForLeaders: true, timeout: timeoutMs }), `create ${key.topic}`, true)
    } catch (error) {
      // Brokers hear of a new topic one after the other: one that was asked too early said that there is none.
      if (!(error instanceof MsgStreamError) || !error.retryable || !(await this.#appears(key.topic))) throw error
    }
    return key
  }

  /** True once the topic has a leader. */
  async #appears(topic: string): Promise<boolean> {
    const { clock, admin } = this.#options
    for (let attempt = 0; attempt < 20; attempt++) {
      const hasLeader = await this.#within(admin.fetchTopicOffsets(topic), `offsets of ${topic}`).then((it) => it.length > 0, () => false)
      if (hasLeader) return true
      await new Promise<void>((resolve) => {
        clock.setTimer(resolve, 100)
      })
    }
    return false
  }

  async find(channel: string): Promise<Topic> {
    const key = this.#key(channel)
    if (!(await this.#topics()).includes(key.topic)) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} does not exist`)
    return key
  }

  async remove(channel: string): Promise<void> {
    const { admin, timeoutMs } = this.#options
    const { topic } = this.#key(channel)
    if (!(await this.#topics()).includes(topic)) return
    await this.#within(admin.deleteTopics({ topics: [topic], timeout: timeoutMs }), `delete ${topic}`, true)
  }

  async list(): Promise<string[]> {
    const { prefix } = this.#options
    const channel = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/
    return (await this.#topics()).flatMap((topic) => (topic.startsWith(prefix) && !topic.startsWith('__') ? [topic.slice(prefix.length)] : [])).filter((name) => channel.test(name))
  }

  async outlet({ topic }: Topic): Promise<Outlet> {
    const { client, clock, timeoutMs, maxRequestBytes } = this.#options
    return new KafkaOutlet({ client, clock, topic, timeoutMs, maxRequestBytes }).open()
  }

  async broadcastOutlet(topics: readonly Topic[]): Promise<BroadcastOutlet> {
    const { client, clock, timeoutMs, maxRequestBytes, randomToken } = this.#options
    const transactionalId = `timetick-${randomToken()}`
    return new KafkaBroadcast({ client, clock, topics: topics.map(({ topic }) => topic), transactionalId, timeoutMs, maxRequestBytes }).open()
  }

  async #offsets({ channel, topic }: Topic): Promise<{ low: number; high: number }> {
    const offsets = await this.#within(this.#options.admin.fetchTopicOffsets(topic), `offsets of ${topic}`).catch(async (error: unknown) => {
      await this.find(channel)
      throw error
    })
    const first = offsets.find(({ partition }) => partition === 0)
    if (first === undefined) throw new MsgStreamError('MSG_UNAVAILABLE', `partition 0 of ${topic} has no leader`)
    return { low: Number(first.low), high: Number(first.high) }
  }

  async resolve(key: Topic, start: StartPosition): Promise<number> {
    const { low, high } = await this.#offsets(key)
    if ('at' in start && start.at !== undefined) return start.at === 'earliest' ? low : high
    const cursor = 'from' in start ? offsetOf(start.from, backend, 'start.from') : 'after' in start ? offsetOf(start.after, backend, 'start.after') + 1 : high
    if (cursor > high) {
      throw new MsgStreamError('MSG_POSITION_AHEAD', `offset ${cursor} of channel ${key.channel} is beyond its end ${high}`, { details: { channel: key.channel } })
    }
    return cursor
  }

  pull(key: Topic, cursor: number, feed: Feed): Pull {
    const { client, clock, maxWaitMs, randomToken, admin } = this.#options
    const groupId = `timetick-${randomToken()}`
    const forget = async (group: string): Promise<void> => void (await admin.deleteGroups([group]))
    return client.pull({ clock, topic: key.topic, groupId, maxWaitMs, check: (offset) => this.#check(key, offset), forget }, cursor, feed)
  }

  async #check(key: Topic, offset: number): Promise<void> {
    const { low, high } = await this.#offsets(key)
    if (offset >= low) return
    throw new MsgStreamError('MSG_POSITION_EXPIRED', `offset ${offset} of channel ${key.channel} is no longer kept, the first is ${low}`, {
      details: { channel: key.channel, first: new OffsetId(backend, low), latest: high > low ? new OffsetId(backend, high - 1) : undefined },
    })
  }

  async bounds(key: Topic): Promise<Bounds> {
    const { low, high } = await this.#offsets(key)
    if (low >= high) return { first: undefined, last: undefined }
    return { first: new OffsetId(backend, low), last: new OffsetId(backend, high - 1) }
  }

  async truncate(key: Topic, before: MessageId): Promise<void> {
    const { low, high } = await this.#offsets(key)
    const offset = Math.min(offsetOf(before, backend, 'before'), high)
    if (offset <= low) return
    await this.#within(this.#options.admin.deleteTopicRecords({ topic: key.topic, partitions: [{ partition: 0, offset: String(offset) }] }), `truncate ${key.topic}`, true)
  }

  checkId(id: MessageId, name: string): void {
    offsetOf(id, backend, name)
  }

  async close(): Promise<void> {
    await this.#options.admin.disconnect().catch(() => {})
  }
}
