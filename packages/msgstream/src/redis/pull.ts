/** Reads one stream ahead, on a connection of its own: a blocked XREAD would keep everything else on it waiting. */
import { MsgStreamError } from '../errors.ts'
import { entryIds, type EntryCursor } from '../remote/entry-id.ts'
import { unpackFrames } from '../remote/packing.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import type { RedisLink } from './link.ts'
import { hasGap, parseId, streamState, type StreamState } from './state.ts'

export interface RedisPullOptions {
  readonly channel: string
  readonly key: string
  readonly blockMs: number
  connect(): RedisLink
  expired(state: StreamState, cursor: EntryCursor): Promise<MsgStreamError>
}

const fetchBytes = 2 << 20
const maxEntries = 1024

export class RedisPull implements Pull {
  readonly #options: RedisPullOptions
  readonly #feed: Feed
  #cursor: EntryCursor
  #link: RedisLink | undefined
  #wake: (() => void) | undefined
  #count = 16
  #ahead: Promise<[unknown, StreamState]> | undefined
  #stopped = false

  constructor(options: RedisPullOptions, cursor: EntryCursor, feed: Feed) {
    this.#options = options
    this.#cursor = cursor
    this.#feed = feed
    void this.#run()
  }

  resume(): void {
    this.#wake?.()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake?.()
    this.#link?.close()
  }

  async #run(): Promise<void> {
    let pauseMs = 20
    while (!this.#stopped) {
      const link = (this.#link ??= this.#options.connect())
      try {
        await link.ready()
        if (this.#feed.isFull()) await this.#room()
        else if (!(await this.#fetch(link)) && !this.#stopped) await this.#waitForMore(link)
        pauseMs = 20
      } catch (error) {
        if (this.#stopped) return
        if (!isPassing(error)) return this.#give(error)
        // A new connection: this one may be the reason.
        link.close()
        this.#link = undefined
        this.#ahead = undefined
        await link.pause(pauseMs)
        pauseMs = Math.min(2 * pauseMs, 2000)
      }
    }
  }

  #give(error: unknown): void {
    this.#feed.fail(error)
    this.#link?.close()
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
      if (this.#stopped) resolve()
    })
  }

  /** False when there was nothing. The state is asked behind the range: it may say gone of what was just read, never the other way. */
  async #fetch(link: RedisLink): Promise<boolean> {
    const [entries, state] = await (this.#ahead ?? this.#request(link, this.#cursor))
    this.#ahead = undefined
    if (this.#stopped) return true
    if (hasGap(state, this.#cursor)) throw await this.#options.expired(state, this.#cursor)
    if (!Array.isArray(entries)) throw new MsgStreamError('MSG_UNAVAILABLE', 'XRANGE: an answer that is none', { retryable: false })
    this.#requestAhead(link, entries)
    let bytes = 0
    for (const entry of entries) bytes += this.#deliver(entry as readonly [Buffer, readonly [Buffer, Buffer]])
    if (entries.length > 0) this.#count = Math.min(maxEntries, Math.max(1, Math.floor((fetchBytes * entries.length) / Math.max(bytes, 1))))
    return entries.length > 0
  }

  #request(link: RedisLink, { high, low }: EntryCursor): Promise<[unknown, StreamState]> {
    const { key, channel } = this.#options
    return Promise.all([link.read('XRANGE', key, `${high}-${low}`, '+', 'COUNT', this.#count), streamState(link, key, channel)])
  }

  /** While a full answer is taken apart, the server works on the next one. */
  #requestAhead(link: RedisLink, entries: readonly unknown[]): void {
    if (entries.length < this.#count || this.#feed.isFull()) return
    const [id] = entries.at(-1) as readonly [Buffer]
    const { ms, seq } = parseId(id.toString('latin1'))
    this.#ahead = this.#request(link, { high: ms, low: seq + 1, index: 0 })
    this.#ahead.catch(() => {})
  }

  #deliver([id, fields]: readonly [Buffer, readonly [Buffer, Buffer]]): number {
    const place = id.toString('latin1')
    const { ms, seq } = parseId(place)
    const skip = ms === this.#cursor.high && seq === this.#cursor.low ? this.#cursor.index : 0
    const frames = unpackFrames(fields[1], skip, place)
    this.#cursor = { high: ms, low: seq + 1, index: 0 }
    this.#feed.push(entryIds('redis', ms, seq, frames.length + skip, skip), frames)
    return fields[1].length
  }

  /** What comes is fetched again with all that came with it: this only wakes. */
  async #waitForMore(link: RedisLink): Promise<void> {
    const { blockMs, key } = this.#options
    const { high, low } = this.#cursor
    const before = low > 0 ? `${high}-${low - 1}` : high > 0 ? `${high - 1}-18446744073709551615` : '0-0'
    await link.wait(blockMs, 'XREAD', 'COUNT', 1, 'BLOCK', blockMs, 'STREAMS', key, before)
  }
}

const isPassing = (error: unknown): boolean => error instanceof MsgStreamError && error.retryable
