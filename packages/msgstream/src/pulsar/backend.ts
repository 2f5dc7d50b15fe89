/** Channels as topics without partitions: `<prefix><channel>` in one namespace. A send is a message. */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import type { MqFeatures } from '../features.ts'
import type { MessageId, StartPosition } from '../mq.ts'
import type { Bounds, RemoteBackend } from '../remote/base.ts'
import { cursorOf, EntryId, entryIdOf, entryIds, type EntryCursor } from '../remote/entry-id.ts'
import { packCount } from '../remote/packing.ts'
import type { Outlet } from '../remote/producer.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import { PulsarOutlet } from './outlet.ts'
import { PulsarPull } from './pull.ts'
import type { PulsarEntry, PulsarTransport } from './transport.ts'

export interface PulsarBackendOptions {
  readonly features: MqFeatures
  readonly transport: PulsarTransport
  readonly clock: Clock
  readonly prefix: string
  readonly timeoutMs: number
  readonly maxMessageBytes: number
  readonly maxPendingBytes: number
  readonly maxBufferedBytes: number
}

export interface PulsarTopic {
  readonly channel: string
  readonly topic: string
}

const backend = 'pulsar'

export class PulsarBackend implements RemoteBackend<PulsarTopic, EntryCursor> {
  readonly features: MqFeatures
  readonly maxPendingBytes: number
  readonly maxBufferedBytes: number
  readonly #options: PulsarBackendOptions

  constructor(options: PulsarBackendOptions) {
    this.features = options.features
    this.maxPendingBytes = options.maxPendingBytes
    this.maxBufferedBytes = options.maxBufferedBytes
    this.#options = options
  }

  #key(channel: string): PulsarTopic {
    return { channel, topic: `${this.#options.prefix}${channel}` }
  }

  async create(channel: string): Promise<PulsarTopic> {
    const key = this.#key(channel)
    await this.#options.transport.create(key.topic)
    return key
  }

  async find(channel: string): Promise<PulsarTopic> {
    const key = this.#key(channel)
    // Any other question may make the topic, where the namespace allows it.
    if (!(await this.#options.transport.topics()).includes(key.topic)) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} does not exist`)
    return key
  }

  async remove(channel: string): Promise<void> {
    await this.#options.transport.remove(this.#key(channel).topic)
  }

  async list(): Promise<string[]> {
    const { prefix, transport } = this.#options
    return (await transport.topics()).flatMap((topic) => (topic.startsWith(prefix) ? [topic.slice(prefix.length)] : [])).filter((name) => /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(name))
  }

  async outlet({ topic }: PulsarTopic): Promise<Outlet> {
    const { transport, clock, timeoutMs, maxMessageBytes } = this.#options
    return new PulsarOutlet({ transport, clock, topic, timeoutMs, maxMessageBytes }).open()
  }

  async resolve({ channel, topic }: PulsarTopic, start: StartPosition): Promise<EntryCursor> {
    const { end, last, first } = await this.#options.transport.state(topic)
    const behind = { high: end.ledger, low: end.entry + 1, index: 0 }
    if ('at' in start && start.at !== undefined) {
      if (start.at === 'latest') return behind
      return first === undefined ? behind : { high: first.ledger, low: first.entry, index: 0 }
    }
    const given = 'from' in start ? start.from : 'after' in start ? start.after : undefined
    if (given === undefined) return behind
    const id = entryIdOf(given, backend, 'start')
    if (last === undefined || id.high > last.ledger || (id.high === last.ledger && id.low > last.entry)) {
      if (id.high > end.ledger || (id.high === end.ledger && id.low > end.entry)) {
        throw new MsgStreamError('MSG_POSITION_AHEAD', `entry ${id.high}:${id.low} is beyond the end of channel ${channel}`, { details: { channel } })
      }
    }
    return cursorOf(id, 'after' in start)
  }

  pull(key: PulsarTopic, cursor: EntryCursor, feed: Feed): Pull {
    const { transport, clock } = this.#options
    return new PulsarPull({ transport, clock, topic: key.topic, check: (at) => this.#check(key, at) }, cursor, feed)
  }

  /** Pulsar removes whole ledgers, and a reader of a removed one just waits. */
  async #check({ channel, topic }: PulsarTopic, cursor: EntryCursor): Promise<void> {
    await this.find(channel)
    const { first, last, firstLedger, end } = await this.#options.transport.state(topic)
    if (cursor.high < 0 || cursor.high >= firstLedger) return
    throw new MsgStreamError('MSG_POSITION_EXPIRED', `ledger ${cursor.high} of channel ${channel} is no longer kept, the first is ${firstLedger}`, {
      details: {
        channel,
        first: first === undefined ? new EntryId(backend, end.ledger, end.entry + 1, 0, false) : (await this.#ids(topic, first))[0],
        latest: last === undefined ? undefined : (await this.#ids(topic, last)).at(-1),
      },
    })
  }

  async #ids(topic: string, id: PulsarEntry): Promise<EntryId[]> {
    const payload = await this.#options.transport.payload(topic, id)
    return entryIds(backend, id.ledger, id.entry, packCount(payload, `${id.ledger}:${id.entry}`))
  }

  async bounds({ topic }: PulsarTopic): Promise<Bounds> {
    const { first, last } = await this.#options.transport.state(topic)
    if (first === undefined || last === undefined) return { first: undefined, last: undefined }
    const [firsts, lasts] = await Promise.all([this.#ids(topic, first), this.#ids(topic, last)])
    return { first: firsts[0], last: lasts.at(-1) }
  }

  async truncate(): Promise<void> {
    throw new MsgStreamError('MSG_UNSUPPORTED', 'Pulsar removes by its retention policies', { outcome: 'not-applied' })
  }

  checkId(id: MessageId, name: string): void {
    entryIdOf(id, backend, name)
  }

  async close(): Promise<void> {
    await this.#options.transport.close?.()
  }
}
