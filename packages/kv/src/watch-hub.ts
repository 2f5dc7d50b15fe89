/**
 * Watches of an engine that sees all its changes itself. A feed first reads the log (resume), then lives from what the hub
 * queues at each commit; reading the log and going live is one synchronous step, so nothing falls between.
 */
import type { Change } from './engine.ts'
import { KVError } from './errors.ts'
import type { Revision } from './kv.ts'

export interface WatchTarget {
  readonly key: string
  readonly isPrefix: boolean
}

/** What was taken from a feed: whole revisions; `revision` tells up to where nothing was left out. */
export interface FeedPage {
  readonly changes: readonly Change[]
  readonly revision: Revision
}

/** One consumer's queue. `take` is synchronous; `onReady` is called when it would give something new. */
export interface WatchFeed {
  /** A page, `undefined` when there is nothing yet, or throws what ended the feed. */
  take(): FeedPage | undefined
  /** True once nothing more will come: `take` gives what is left. */
  readonly ended: boolean
  onReady: (() => void) | undefined
  readonly ready: Promise<void>
  close(): void
}

/** The changes that a store still knows, oldest first. */
export interface ChangeLog {
  /** The last revision that is no longer complete in the log. */
  readonly compacted: Revision
  /** Whole revisions in `from`..`upTo`, about `limit` changes. `next` is where to go on, `undefined` when `upTo` is reached. */
  read(from: Revision, upTo: Revision, limit: number): { readonly changes: readonly Change[]; readonly next: Revision | undefined }
}

const PAGE = 1000

export function changeBytes(change: Change): number {
  return 64 + change.key.length + (change.value?.length ?? 0)
}

export class WatchHub {
  #revision: Revision
  readonly #log: ChangeLog
  readonly #maxLagBytes: number
  readonly #exact = new Map<string, Set<Feed>>()
  readonly #prefixes = new Map<string, Set<Feed>>()
  readonly #lengths = new Map<number, number>()

  constructor(log: ChangeLog, revision: Revision, maxLagBytes: number) {
    this.#log = log
    this.#revision = revision
    this.#maxLagBytes = maxLagBytes
  }

  /** The last published revision. */
  get revision(): Revision {
    return this.#revision
  }

  get log(): ChangeLog {
    return this.#log
  }

  get maxLagBytes(): number {
    return this.#maxLagBytes
  }

  /** Nobody watches. */
  get isIdle(): boolean {
    return this.#exact.size === 0 && this.#prefixes.size === 0
  }

  open(target: WatchTarget, from: Revision | undefined): WatchFeed {
    return new Feed(this, target, from)
  }

  /** Passes a revision that nobody watches. */
  skip(revision: Revision): void {
    this.#revision = revision
  }

  /** Queues one revision's changes to everyone concerned. The changes must be in the log already. */
  publish(changes: readonly Change[], revision: Revision): void {
    this.#revision = revision
    if (this.isIdle) return
    const only = changes.length === 1 ? changes[0] : undefined
    if (only !== undefined) {
      const bytes = changeBytes(only)
      this.#match(only.key, (feed) => feed.push(changes, bytes))
      return
    }
    const parts = new Map<Feed, Change[]>()
    for (const change of changes) {
      this.#match(change.key, (feed) => {
        const part = parts.get(feed)
        if (part === undefined) parts.set(feed, [change])
        else part.push(change)
      })
    }
    for (const [feed, part] of parts) feed.push(part, part.reduce((sum, change) => sum + changeBytes(change), 0))
  }

  /** Ends every feed: with an error at once, without one after what is queued. */
  endAll(makeError?: ((lastRevision: Revision) => unknown) | undefined): void {
    for (const group of [...this.#exact.values(), ...this.#prefixes.values()]) {
      for (const feed of group) feed.end(makeError)
    }
  }

  attach(feed: Feed): void {
    const { key, isPrefix } = feed.target
    const index = isPrefix ? this.#prefixes : this.#exact
    let group = index.get(key)
    if (group === undefined) {
      group = new Set()
      index.set(key, group)
      if (isPrefix) this.#lengths.set(key.length, (this.#lengths.get(key.length) ?? 0) + 1)
    }
    group.add(feed)
  }

  detach(feed: Feed): void {
    const { key, isPrefix } = feed.target
    const index = isPrefix ? this.#prefixes : this.#exact
    const group = index.get(key)
    if (group === undefined || !group.delete(feed) || group.size > 0) return
    index.delete(key)
    if (!isPrefix) return
    const count = (this.#lengths.get(key.length) ?? 0) - 1
    if (count > 0) this.#lengths.set(key.length, count)
    else this.#lengths.delete(key.length)
  }

  #match(key: string, visit: (feed: Feed) => void): void {
    const exact = this.#exact.get(key)
    if (exact !== undefined) for (const feed of exact) visit(feed)
    for (const length of this.#lengths.keys()) {
      if (length > key.length) continue
      const group = this.#prefixes.get(length === key.length ? key : key.slice(0, length))
      if (group !== undefined) for (const feed of group) visit(feed)
    }
  }
}

class Feed implements WatchFeed {
  onReady: (() => void) | undefined
  readonly ready = Promise.resolve()
  readonly target: WatchTarget
  readonly #hub: WatchHub
  readonly #from: Revision
  /** Where to read on in the log; `undefined` once live. */
  #cursor: Revision | undefined
  #queue: (readonly Change[])[] = []
  #queuedBytes = 0
  #delivered: Revision
  #error: { readonly value: unknown } | undefined
  #ended = false

  constructor(hub: WatchHub, target: WatchTarget, from: Revision | undefined) {
    this.#hub = hub
    this.target = target
    this.#from = from ?? hub.revision + 1n
    this.#cursor = this.#from <= hub.revision ? this.#from : undefined
    this.#delivered = this.#from === 0n ? 0n : this.#from - 1n
    hub.attach(this)
  }

  get ended(): boolean {
    return this.#ended
  }

  take(): FeedPage | undefined {
    if (this.#cursor !== undefined && this.#error === undefined) {
      const page = this.#replay()
      if (page !== undefined) return page
    }
    if (this.#error !== undefined) {
      const { value } = this.#error
      this.#error = undefined
      throw value
    }
    if (this.#queue.length === 0) return undefined
    const changes = this.#queue.length === 1 ? this.#queue[0] ?? [] : this.#queue.flat()
    this.#queue = []
    this.#queuedBytes = 0
    this.#delivered = this.#hub.revision
    return { changes, revision: this.#delivered }
  }

  /** Reads the log until something matches or its end is reached: then this feed is live. */
  #replay(): FeedPage | undefined {
    while (this.#cursor !== undefined) {
      const { compacted } = this.#hub.log
      if (this.#cursor <= compacted && compacted > 0n) {
        this.end(() => compactedError(this.#from, compacted))
        return undefined
      }
      const { changes, next } = this.#hub.log.read(this.#cursor, this.#hub.revision, PAGE)
      this.#cursor = next
      const revision = next === undefined ? this.#hub.revision : next - 1n
      const matching = changes.filter((change) => this.#matches(change.key))
      this.#delivered = revision
      if (matching.length > 0) return { changes: matching, revision }
    }
    return undefined
  }

  #matches(key: string): boolean {
    return this.target.isPrefix ? key.startsWith(this.target.key) : key === this.target.key
  }

  push(changes: readonly Change[], bytes: number): void {
    // Not live yet: the log has it. Below `from`: not asked for.
    if (this.#cursor !== undefined) return
    if ((changes[0]?.revision ?? 0n) < this.#from) return
    this.#queue.push(changes)
    this.#queuedBytes += bytes
    if (this.#queuedBytes > this.#hub.maxLagBytes && this.#queue.length > 1) {
      this.end((revision) => new KVError('KV_WATCH_LAGGED', `the watch of ${JSON.stringify(this.target.key)} fell behind`, { details: { revision } }))
      return
    }
    this.onReady?.()
  }

  end(makeError?: ((lastRevision: Revision) => unknown) | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#hub.detach(this)
    if (makeError !== undefined) {
      this.#queue = []
      this.#cursor = undefined
      this.#error = { value: makeError(this.#delivered) }
    }
    this.onReady?.()
  }

  close(): void {
    this.#queue = []
    this.#cursor = undefined
    this.#ended = true
    this.#hub.detach(this)
  }
}

export function compactedError(from: Revision, compacted: Revision): KVError {
  return new KVError('KV_COMPACTED', `revision ${from} is no longer kept: the log begins behind revision ${compacted}`, {
    details: { from, compactedRevision: compacted },
  })
}
