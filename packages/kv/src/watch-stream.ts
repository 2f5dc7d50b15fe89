/** A feed as the contract's `Watch`: an async iterator of batches. */
import type { Change } from './engine.ts'
import type { KVEvent, Revision, Watch, WatchBatch } from './kv.ts'
import type { WatchFeed } from './watch-hub.ts'

type Result<V> = IteratorResult<WatchBatch<V>, undefined>
interface Waiter<V> {
  resolve(result: Result<V>): void
  reject(error: unknown): void
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

export class WatchStream<V> implements Watch<V> {
  readonly ready: Promise<void>
  readonly #feed: WatchFeed | undefined
  readonly #decode: (change: Change) => KVEvent<V>
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => this.#fail(this.#signal?.reason)
  readonly #waiters: Waiter<V>[] = []
  #failure: { readonly error: unknown } | undefined
  #done = false

  /** @param open gives the feed, or throws what the iteration shall reject with. */
  constructor(open: () => WatchFeed, decode: (change: Change) => KVEvent<V>, signal: AbortSignal | undefined) {
    this.#decode = decode
    this.#signal = signal
    try {
      signal?.throwIfAborted()
      this.#feed = open()
      this.#feed.onReady = () => this.#pump()
      signal?.addEventListener('abort', this.#onAbort, { once: true })
      this.ready = this.#feed.ready
    } catch (error) {
      this.#failure = { error }
      this.#done = true
      this.ready = Promise.reject(error)
    }
    // Whoever iterates learns of it there; nobody has to look at `ready`.
    this.ready.catch(() => undefined)
  }

  next(): Promise<Result<V>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#pump()
    })
  }

  async return(): Promise<Result<V>> {
    this.#finish()
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(DONE)
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #pump(): void {
    while (this.#waiters.length > 0) {
      let result: Result<V> | undefined
      try {
        result = this.#step()
      } catch (error) {
        this.#finish()
        this.#waiters.shift()?.reject(error)
        continue
      }
      if (result === undefined) return
      this.#waiters.shift()?.resolve(result)
    }
    // Ended with nobody waiting: free the listener now.
    if (this.#feed?.ended === true) this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  #step(): Result<V> | undefined {
    if (this.#failure !== undefined) {
      const { error } = this.#failure
      this.#failure = undefined
      throw error
    }
    if (this.#done || this.#feed === undefined) return DONE
    const page = this.#feed.take()
    if (page !== undefined) return { done: false, value: this.#batch(page.changes, page.revision) }
    if (!this.#feed.ended) return undefined
    this.#finish()
    return DONE
  }

  #batch(changes: readonly Change[], revision: Revision): WatchBatch<V> {
    return { events: changes.map(this.#decode), revision }
  }

  #fail(error: unknown): void {
    if (this.#done) return
    this.#failure = { error }
    this.#finish()
    this.#pump()
  }

  #finish(): void {
    if (this.#done) return
    this.#done = true
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#feed?.close()
  }
}
