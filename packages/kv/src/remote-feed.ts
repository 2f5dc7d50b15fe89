/** One watch's queue where the changes come from a server: filled by a driver's reader, emptied by the consumer. */
import type { Change } from './engine.ts'
import { KVError } from './errors.ts'
import type { Revision } from './kv.ts'
import { changeBytes, type FeedPage, type WatchFeed, type WatchTarget } from './watch-hub.ts'

export class RemoteFeed implements WatchFeed {
  onReady: (() => void) | undefined
  /** Called once when it ends, whoever ends it: stop reading for it. */
  onEnd: (() => void) | undefined
  readonly ready: Promise<void>
  readonly target: WatchTarget
  readonly #maxLagBytes: number
  #opened!: () => void
  #refused!: (error: unknown) => void
  #pages: FeedPage[] = []
  #bytes = 0
  #queued: Revision
  #error: { readonly value: unknown } | undefined
  #ended = false

  /** @param delivered the revision up to which the consumer has everything. */
  constructor(target: WatchTarget, delivered: Revision, maxLagBytes: number) {
    this.target = target
    this.#queued = delivered
    this.#maxLagBytes = maxLagBytes
    this.ready = new Promise((resolve, reject) => {
      this.#opened = resolve
      this.#refused = reject
    })
    this.ready.catch(() => undefined)
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Everything up to this revision is queued or was taken. */
  get queued(): Revision {
    return this.#queued
  }

  /** From now on nothing is missed; `revision` is where the server stood. */
  open(revision: Revision): void {
    if (revision > this.#queued) this.#queued = revision
    this.#opened()
  }

  /** The queue first, then what ended it: a slow consumer gets on with each try. */
  take(): FeedPage | undefined {
    if (this.#pages.length > 0) {
      const page = this.#pages.length === 1 ? this.#pages[0] : this.#joined()
      this.#pages = []
      this.#bytes = 0
      return page
    }
    if (this.#error === undefined) return undefined
    const { value } = this.#error
    this.#error = undefined
    throw value
  }

  #joined(): FeedPage {
    return { changes: this.#pages.flatMap((page) => page.changes), revision: this.#queued }
  }

  /** Whole revisions behind `queued`, up to `revision`. */
  push(changes: readonly Change[], revision: Revision): void {
    if (this.#ended) return
    if (revision > this.#queued) this.#queued = revision
    if (changes.length === 0) return
    for (const change of changes) this.#bytes += changeBytes(change)
    this.#pages.push({ changes, revision: this.#queued })
    if (this.#bytes > this.#maxLagBytes && this.#pages.length > 1) {
      this.end(new KVError('KV_WATCH_LAGGED', `the watch of ${JSON.stringify(this.target.key)} fell behind`, { details: { revision: this.#queued } }))
      return
    }
    this.onReady?.()
  }

  /** Nothing more comes; with an error the consumer gets it behind what is queued. */
  end(error?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    if (error === undefined) this.#opened()
    else {
      this.#error = { value: error }
      this.#refused(error)
    }
    this.onEnd?.()
    this.onReady?.()
  }

  close(): void {
    this.#pages = []
    this.#error = undefined
    if (this.#ended) return
    this.#ended = true
    this.#opened()
    this.onEnd?.()
  }
}
