/** Reads one stream ahead, on a connection of its own: a blocked XREAD would keep everything else on it waiting. */
import { MsgStreamError } from '../errors.ts'
import type { MessageId } from '../mq.ts'
import { addEntryIds, type EntryCursor } from '../remote/entry-id.ts'
import { unpackFrames } from '../remote/packing.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import type { RedisLink } from './link.ts'
import { hasGap, parseId, streamState, type StreamState } from './state.ts'

export interface RedisPullOptions {
  readonly channel: string
  readonly key: string
  readonly blockMs: number
  connect(): RedisLink
  readonly expired: (state: StreamState, cursor: EntryCursor) => Promise<MsgStreamError>
}

const fetchBytes = 2 << 20
const maxEntries = 1024
/** Where an answer has fewer, one more costs too much. */
const minOverlapping = 4

type Entry = readonly [Buffer, readonly [Buffer, Buffer]]

export class RedisPull implements Pull {
  readonly #options: RedisPullOptions
  readonly #feed: Feed
  #cursor: EntryCursor
  #link: RedisLink | undefined
  #wake: (() => void) | undefined
  #count = 16
  #ahead: Promise<[unknown, StreamState | undefined]> | undefined
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

  /** False when there was nothing. */
  async #fetch(link: RedisLink): Promise<boolean> {
    const request = this.#ahead ?? this.#request(link, this.#cursor)
    this.#ahead = undefined
    const [entries, state] = await request
    if (this.#stopped) return true
    if (!Array.isArray(entries)) throw new MsgStreamError('MSG_UNAVAILABLE', 'XRANGE: an answer that is none', { retryable: false })
    const [first] = (entries as Entry[])[0] ?? []
    const overlaps = first !== undefined && isBehind(this.#cursor, first)
    if (!overlaps) await this.#checkGap(link, state)
    const fresh = (overlaps ? entries.slice(1) : entries) as readonly Entry[]
    this.#requestAhead(link, entries as readonly Entry[])
    const bytes = this.#deliver(fresh)
    if (fresh.length > 0) this.#count = Math.min(maxEntries, Math.max(1, Math.floor((fetchBytes * fresh.length) / Math.max(bytes, 1))))
    return fresh.length > 0
  }

  /** The state is asked behind the range: it may say gone of what was just read, never the other way. */
  async #checkGap(link: RedisLink, known: StreamState | undefined): Promise<void> {
    const { key, channel, expired } = this.#options
    const state = known ?? (await streamState(link, key, channel))
    if (hasGap(state, this.#cursor)) throw await expired(state, this.#cursor)
  }

  #request(link: RedisLink, { high, low }: EntryCursor): Promise<[unknown, StreamState | undefined]> {
    const { key, channel } = this.#options
    return Promise.all([link.read('XRANGE', key, `${high}-${low}`, '+', 'COUNT', this.#count), streamState(link, key, channel)])
  }

  /**
   * While a full answer is taken apart, the server works on the next one. It begins with the last entry of this one: that it
   * is there still shows that nothing behind it was trimmed, for less than the state costs.
   */
  #requestAhead(link: RedisLink, entries: readonly Entry[]): void {
    const last = entries.at(-1)
    if (last === undefined || entries.length < Math.max(this.#count, minOverlapping) || this.#feed.isFull()) return
    const range = link.read('XRANGE', this.#options.key, last[0].toString('latin1'), '+', 'COUNT', this.#count + 1)
    this.#ahead = range.then((next): [unknown, undefined] => [next, undefined])
    this.#ahead.catch(() => {})
  }

  #deliver(entries: readonly Entry[]): number {
    const ids: MessageId[] = []
    const frames: Uint8Array[] = []
    let bytes = 0
    try {
      for (const [id, fields] of entries) {
        const place = id.toString('latin1')
        const { ms, seq } = parseId(place)
        const skip = ms === this.#cursor.high && seq === this.#cursor.low ? this.#cursor.index : 0
        const before = frames.length
        unpackFrames(fields[1], skip, place, frames)
        addEntryIds(ids, 'redis', ms, seq, frames.length - before + skip, skip)
        this.#cursor = { high: ms, low: seq + 1, index: 0 }
        bytes += fields[1].length
      }
    } finally {
      // What came before an entry that is none is good.
      this.#feed.push(ids, frames)
    }
    return bytes
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

/** True for the entry right in front of the cursor, which was delivered before. */
function isBehind({ high, low, index }: EntryCursor, id: Buffer): boolean {
  const { ms, seq } = parseId(id.toString('latin1'))
  return index === 0 && ms === high && seq === low - 1
}
