/**
 * Watches over the change log. One connection waits for the log's end for all watches of a store; a watch that resumes
 * first reads the log itself, and joins the others in the same synchronous step in which it has reached them.
 */
import type { Clock } from '../clock.ts'
import type { Change } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { Revision } from '../kv.ts'
import { RemoteFeed } from '../remote-feed.ts'
import { compactedError, type WatchTarget } from '../watch-hub.ts'
import type { Connection } from './connection.ts'
import { listOf, type LogPart, logPart, revisionOf, textOf } from './replies.ts'
import { scriptHead, scripts } from './scripts.ts'

export interface TailOptions {
  readonly main: Connection
  /** Opens the connection that waits. */
  readonly connect: () => Promise<Connection>
  readonly keys: readonly string[]
  readonly maxHistory: number
  readonly maxWatchLagBytes: number
  readonly clock: Clock
}

const BLOCK_MS = 1000
const PAGE = 500
/** Leases of others are looked at this often, so that their ends reach watches. */
const REAP_MS = 200

interface Position {
  readonly revision: Revision
  readonly base: Revision
}

export class Tail {
  readonly #options: TailOptions
  readonly #feeds = new Set<RemoteFeed>()
  readonly #live = new Set<RemoteFeed>()
  #connection: Connection | undefined
  #starting: Promise<void> | undefined
  #base: Revision = 0n
  /** Everything up to here has been given to the live watches. */
  #revision: Revision = 0n
  #lastId = ''
  #parts: Change[] = []
  #cancelReap: () => void = () => undefined
  #closed = false

  constructor(options: TailOptions) {
    this.#options = options
  }

  open(target: WatchTarget, from: Revision | undefined): RemoteFeed {
    const feed = new RemoteFeed(target, from === undefined || from === 0n ? 0n : from - 1n, this.#options.maxWatchLagBytes)
    this.#feeds.add(feed)
    feed.onEnd = () => {
      this.#feeds.delete(feed)
      this.#live.delete(feed)
    }
    void this.#join(feed, from).catch((error: unknown) => feed.end(error))
    return feed
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelReap()
    for (const feed of this.#feeds) feed.end()
    this.#connection?.abort()
    await this.#starting?.catch(() => undefined)
  }

  async #join(feed: RemoteFeed, from: Revision | undefined): Promise<void> {
    this.#starting ??= this.#start()
    try {
      await this.#starting
    } catch (error) {
      this.#starting = undefined
      throw error
    }
    let next = from
    if (next === undefined) {
      const { revision } = await this.#position()
      feed.open(revision)
      next = revision + 1n
    }
    // A revision that is not there yet needs no reading.
    while (!feed.ended && next <= this.#revision) next = await this.#catchUp(feed, next, from ?? next)
    feed.open(0n)
    if (!feed.ended) this.#live.add(feed)
  }

  /** Gives a page of the log to a feed; the revision to go on with. */
  async #catchUp(feed: RemoteFeed, next: Revision, from: Revision): Promise<Revision> {
    const { main, keys, maxHistory } = this.#options
    let start = `${next}-0`
    const changes: Change[] = []
    for (;;) {
      const reply = listOf(await main.run(scripts.log, [...scriptHead(keys, maxHistory), start, PAGE], { what: 'watch', isWrite: false }), 'the log')
      const [revision, base, firstId] = [revisionOf(reply[0]), revisionOf(reply[1]), textOf(reply[2], 'an id')]
      const lost = lostUpTo(revision, base, firstId)
      if (base !== this.#base || next <= lost) throw compactedError(from, lost)
      const parts = listOf(reply[3], 'the log').map(logPart)
      for (const part of parts) {
        if (part.follows !== undefined && part.follows < next - 1n) throw compactedError(from, part.revision)
        changes.push(...part.changes)
      }
      const last = parts.at(-1)
      if (last === undefined || last.left === 0) {
        const upTo = last?.revision ?? revision
        feed.push(changes.filter((change) => matches(feed.target, change.key)), upTo)
        feed.open(0n)
        return upTo + 1n
      }
      start = `${last.revision}-${Number(last.id.slice(last.id.indexOf('-') + 1)) + 1}`
    }
  }

  async #start(): Promise<void> {
    const connection = await this.#options.connect()
    if (this.#closed) connection.abort()
    this.#connection = connection
    this.#reset(await this.#position())
    void this.#read(connection)
    this.#armReap(0)
  }

  #reset({ revision, base }: Position): void {
    this.#base = base
    this.#revision = revision
    this.#lastId = `${revision}-18446744073709551615`
    this.#parts = []
  }

  async #position(): Promise<Position & { readonly waitMs: number }> {
    const { main, keys, maxHistory } = this.#options
    const reply = listOf(await main.run(scripts.tail, scriptHead(keys, maxHistory), { what: 'watch', isWrite: false }), 'the position')
    return { revision: revisionOf(reply[0]), base: revisionOf(reply[1]), waitMs: Number(reply[2]) }
  }

  async #read(connection: Connection): Promise<void> {
    const [, , , log = ''] = this.#options.keys
    while (!this.#closed) {
      const since = this.#lastId
      let reply: unknown
      try {
        reply = await connection.command('xread', ['COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', log, since], { what: 'watch', isWrite: false })
      } catch {
        // The connection heals by itself; the position stays.
        if (!this.#closed) await this.#pause(50)
        continue
      }
      // A reset came between.
      if (reply === null || since !== this.#lastId) continue
      try {
        const [stream] = listOf(reply, 'the log')
        for (const entry of listOf(listOf(stream, 'the log')[1], 'the log')) this.#take(entry)
      } catch (error) {
        this.#failAll(() => error)
        await this.#pause(50)
      }
    }
  }

  #take(entry: unknown): void {
    const part = logPart(entry)
    if (part.follows !== undefined) return this.#takeMark(part, part.follows)
    if (part.revision !== this.#revision + 1n) {
      // Trimmed away before it was read.
      this.#failAll((feed) => compactedError(feed.queued + 1n, part.revision - 1n))
      this.#parts = []
    }
    this.#lastId = part.id
    this.#parts.push(...part.changes)
    if (part.left > 0) {
      this.#revision = part.revision - 1n
      return
    }
    const changes = this.#parts
    this.#parts = []
    this.#revision = part.revision
    for (const feed of this.#live) {
      const matching = changes.filter((change) => change.revision > feed.queued && matches(feed.target, change.key))
      feed.push(matching, part.revision)
    }
  }

  /** The server is another one since: a watch goes on if it saw nothing that is lost now. */
  #takeMark(part: LogPart, follows: Revision): void {
    const isGap = follows !== this.#revision
    for (const feed of this.#live) if (isGap || feed.queued > follows) feed.end(compactedError(feed.queued + 1n, part.revision))
    this.#parts = []
    this.#lastId = part.id
    this.#revision = part.revision
  }

  /** Ends the leases whose time is over and sees whether the data is still the same. */
  async #reap(): Promise<void> {
    let waitMs = -1
    try {
      if (this.#feeds.size > 0) {
        const before = this.#revision
        const position = await this.#position()
        waitMs = position.waitMs
        if (position.base !== this.#base || position.revision < before) {
          this.#failAll((feed) => new KVError('KV_COMPACTED', 'the server has lost its data or went back to older data: list again', {
            details: { from: feed.queued + 1n, compactedRevision: position.revision },
          }))
          this.#reset(position)
        }
      }
    } catch {
      // Said by the calls that are waited for.
    }
    this.#armReap(waitMs < 0 ? REAP_MS : Math.min(waitMs + 1, REAP_MS))
  }

  #armReap(delayMs: number): void {
    if (this.#closed) return
    this.#cancelReap = this.#options.clock.setTimer(() => void this.#reap(), delayMs)
  }

  #failAll(makeError: (feed: RemoteFeed) => unknown): void {
    for (const feed of this.#live) feed.end(makeError(feed))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.setTimer(resolve, ms)
    })
  }
}

/** The last revision that the log no longer has whole. What was before the beginning is not missing. */
function lostUpTo(revision: Revision, base: Revision, firstId: string): Revision {
  if (firstId === '') return revision > base ? revision : 0n
  const [first = '', part] = firstId.split('-')
  const lost = part === '0' ? BigInt(first) - 1n : BigInt(first)
  return lost > base ? lost : 0n
}

function matches({ key, isPrefix }: WatchTarget, changed: string): boolean {
  return isPrefix ? changed.startsWith(key) : changed === key
}
