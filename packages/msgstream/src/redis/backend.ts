/** Channels as Redis streams: `<prefix>channels` maps a channel to its token, `<prefix>s:<channel>:<token>` is its stream. */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import type { MqFeatures } from '../features.ts'
import type { MessageId, StartPosition } from '../mq.ts'
import type { Bounds, RemoteBackend } from '../remote/base.ts'
import { cursorOf, EntryId, entryIdOf, entryIds, type EntryCursor } from '../remote/entry-id.ts'
import { packCount, packFrames } from '../remote/packing.ts'
import type { BroadcastOutlet } from '../remote/broadcaster.ts'
import type { Outlet } from '../remote/producer.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import type { RedisClient } from './client.ts'
import { RedisLink } from './link.ts'
import { RedisPull } from './pull.ts'
import { broadcastScript, createScript, removeScript, truncateScript } from './scripts.ts'
import { compareIds, parseId, streamState, type StreamState } from './state.ts'

export interface RedisBackendOptions {
  readonly features: MqFeatures
  readonly connect: () => RedisClient
  readonly admin: RedisLink
  readonly clock: Clock
  readonly randomToken: () => string
  readonly prefix: string
  readonly timeoutMs: number
  readonly blockMs: number
  readonly maxPendingBytes: number
  readonly maxBufferedBytes: number
}

export interface StreamKey {
  readonly channel: string
  readonly key: string
}

const backend = 'redis'

export class RedisBackend implements RemoteBackend<StreamKey, EntryCursor> {
  readonly features: MqFeatures
  readonly maxPendingBytes: number
  readonly maxBufferedBytes: number
  readonly #options: RedisBackendOptions
  readonly #registry: string
  /** A connection for the reader that was just opened: it is there when that reads. */
  #spare: RedisLink | undefined

  constructor(options: RedisBackendOptions) {
    this.features = options.features
    this.maxPendingBytes = options.maxPendingBytes
    this.maxBufferedBytes = options.maxBufferedBytes
    this.#options = options
    this.#registry = `${options.prefix}channels`
  }

  #link(): RedisLink {
    return new RedisLink(this.#options.connect(), this.#options.clock, this.#options.timeoutMs)
  }

  #takeLink(): RedisLink {
    const link = this.#spare ?? this.#link()
    this.#spare = undefined
    return link
  }

  #key(channel: string, token: unknown): StreamKey {
    return { channel, key: `${this.#options.prefix}s:${channel}:${String(token)}` }
  }

  async create(channel: string): Promise<StreamKey> {
    const { admin, prefix, randomToken } = this.#options
    const token = await admin.write('EVAL', createScript, 2, this.#registry, `${prefix}s:${channel}:`, channel, randomToken())
    return this.#key(channel, token)
  }

  async find(channel: string): Promise<StreamKey> {
    const token = await this.#options.admin.read('HGET', this.#registry, channel)
    if (token === null) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} does not exist`)
    return this.#key(channel, token)
  }

  async remove(channel: string): Promise<void> {
    await this.#options.admin.write('EVAL', removeScript, 2, this.#registry, `${this.#options.prefix}s:${channel}:`, channel)
  }

  async list(): Promise<string[]> {
    const names = await this.#options.admin.read('HKEYS', this.#registry)
    return Array.isArray(names) ? names.map(String) : []
  }

  async outlet({ channel, key }: StreamKey): Promise<Outlet> {
    const link = await this.#link().ready()
    return {
      async append(frames) {
        const id = await link.write('XADD', key, 'NOMKSTREAM', '*', 'p', packFrames(frames))
        if (id === null) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} was deleted`, { outcome: 'not-applied' })
        const { ms, seq } = parseId(String(id))
        return entryIds(backend, ms, seq, frames.length)
      },
      close: async () => link.close(),
    }
  }

  async broadcastOutlet(keys: readonly StreamKey[]): Promise<BroadcastOutlet> {
    const link = await this.#link().ready()
    return {
      async append(frames) {
        const ids = await link.write('EVAL', broadcastScript, keys.length, ...keys.map(({ key }) => key), packFrames(frames))
        if (!Array.isArray(ids)) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', 'a channel of the broadcast was deleted', { outcome: 'not-applied' })
        return ids.map((id) => {
          const { ms, seq } = parseId(String(id))
          return entryIds(backend, ms, seq, frames.length)
        })
      },
      close: async () => link.close(),
    }
  }

  async resolve({ channel, key }: StreamKey, start: StartPosition): Promise<EntryCursor> {
    this.#spare ??= this.#link()
    const state = await streamState(this.#options.admin, key, channel)
    const end = { high: state.last.ms, low: state.last.seq + 1, index: 0 }
    if ('at' in start && start.at !== undefined) {
      return start.at === 'latest' || state.first === undefined ? end : { high: state.first.ms, low: state.first.seq, index: 0 }
    }
    const id = 'from' in start ? start.from : 'after' in start ? start.after : undefined
    if (id === undefined) return end
    const entry = entryIdOf(id, backend, 'start')
    if (compareIds({ ms: entry.high, seq: entry.low }, state.last) > 0) {
      throw new MsgStreamError('MSG_POSITION_AHEAD', `entry ${entry.high}-${entry.low} is beyond the end of channel ${channel}`, { details: { channel } })
    }
    return cursorOf(entry, 'after' in start)
  }

  pull({ channel, key }: StreamKey, cursor: EntryCursor, feed: Feed): Pull {
    const { blockMs } = this.#options
    const expired = (state: StreamState, at: EntryCursor): Promise<MsgStreamError> => this.#expired(channel, key, state, at)
    return new RedisPull({ channel, key, blockMs, connect: () => this.#takeLink(), expired }, cursor, feed)
  }

  async #expired(channel: string, key: string, { last }: StreamState, at: EntryCursor): Promise<MsgStreamError> {
    const bounds = await this.bounds({ channel, key })
    const first = bounds.first ?? new EntryId(backend, last.ms, last.seq + 1, 0, false)
    return new MsgStreamError('MSG_POSITION_EXPIRED', `entry ${at.high}-${at.low} of channel ${channel} is no longer kept`, { details: { channel, first, latest: bounds.last } })
  }

  async bounds({ channel, key }: StreamKey): Promise<Bounds> {
    const { admin } = this.#options
    const [firsts, lasts] = await Promise.all([admin.read('XRANGE', key, '-', '+', 'COUNT', 1), admin.read('XREVRANGE', key, '+', '-', 'COUNT', 1)])
    const [first] = Array.isArray(firsts) ? (firsts as [Buffer, [Buffer, Buffer]][]) : []
    const [last] = Array.isArray(lasts) ? (lasts as [Buffer, [Buffer, Buffer]][]) : []
    if (first === undefined || last === undefined) {
      await streamState(admin, key, channel)
      return { first: undefined, last: undefined }
    }
    return { first: idsOfEntry(first)[0], last: idsOfEntry(last).at(-1) }
  }

  async truncate({ key }: StreamKey, before: MessageId): Promise<void> {
    const { high, low } = entryIdOf(before, backend, 'before')
    await this.#options.admin.write('EVAL', truncateScript, 1, key, `${high}-${low}`)
  }

  checkId(id: MessageId, name: string): void {
    entryIdOf(id, backend, name)
  }

  async close(): Promise<void> {
    this.#spare?.close()
    this.#options.admin.close()
  }
}

function idsOfEntry([id, fields]: [Buffer, [Buffer, Buffer]]): EntryId[] {
  const place = String(id)
  const { ms, seq } = parseId(place)
  return entryIds(backend, ms, seq, packCount(fields[1], place))
}
