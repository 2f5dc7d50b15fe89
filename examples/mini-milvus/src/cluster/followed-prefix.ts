/**
 * Everything under a prefix of the metadata store, followed by a watch: a snapshot, then changes without a gap. Outages of the
 * store are waited out; what was missed meanwhile is found by another snapshot.
 */
import type { KVBase } from '@timetick/kv'
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'

export type FollowedStore = Pick<KVBase, 'loadEntry' | 'loadWithPrefix' | 'watchWithPrefix'>

/** One key's change; without a value it was removed. */
export interface PrefixEvent {
  /** Below the prefix. */
  readonly key: string
  readonly value: string | undefined
  readonly revision: bigint
}

export interface FollowedPrefixOptions {
  readonly kv: FollowedStore
  readonly prefix: string
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** Called in order, one transaction at a time, but for the first and later snapshots. Must not throw. */
  readonly onEvents: (events: readonly PrefixEvent[]) => void
  readonly onProblem?: ((error: unknown) => void) | undefined
}

const PAGE = 5_000
const RETRY_MS = 200
const WAIT_MS = 10_000

/** The key whose last change is the last change of all: writers that want to be waited for save it with every change. */
export const REVISION_KEY = 'revision'

export class FollowedPrefix {
  readonly #options: FollowedPrefixOptions
  /** Revision of each key's last change that was seen. */
  readonly #known = new Map<string, bigint>()
  readonly #closed = new AbortController()
  #revision = 0n
  #waiters: { readonly revision: bigint; readonly resolve: () => void }[] = []
  #running: Promise<void> = Promise.resolve()

  private constructor(options: FollowedPrefixOptions) {
    this.#options = options
  }

  /** Resolves when the first snapshot is there. */
  static async open(options: FollowedPrefixOptions): Promise<FollowedPrefix> {
    const followed = new FollowedPrefix(options)
    await followed.#snapshot()
    followed.#running = followed.#follow()
    return followed
  }

  /** Every change up to here has been told. */
  get revision(): bigint {
    return this.#revision
  }

  /** Of the last change of a key that was told; undefined where there is no such key. */
  revisionOf(key: string): bigint | undefined {
    return this.#known.get(key)
  }

  /** Resolves when every change up to `revision` has been told; rejects with a retryable `RPC_TIMEOUT` when that takes too long. */
  waitFor(revision: bigint, signal?: AbortSignal, timeoutMs = WAIT_MS): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve()
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    if (this.#closed.signal.aborted) return Promise.reject(stale())
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
        this.#closed.signal.removeEventListener('abort', onClose)
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
        done()
      }
      const waiter = { revision, resolve: () => settle(resolve) }
      const onAbort = (): void => settle(() => reject(signal?.reason as Error))
      const onClose = (): void => settle(() => reject(stale()))
      const cancelTimer = this.#options.clock.setTimer(onClose, timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#closed.signal.addEventListener('abort', onClose, { once: true })
      this.#waiters.push(waiter)
    })
  }

  /** Resolves when everything that was saved before this call has been told, by writers that save {@link REVISION_KEY}. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    const entry = await this.#options.kv.loadEntry(this.#options.prefix + REVISION_KEY, { signal })
    if (entry !== undefined) await this.waitFor(entry.modRevision, signal)
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('closed'))
    await this.#running
  }

  async #follow(): Promise<void> {
    const { kv, prefix, onProblem } = this.#options
    let isStale = false
    while (!this.#closed.signal.aborted) {
      try {
        if (isStale) await this.#snapshot()
        isStale = false
        for await (const { events, revision } of kv.watchWithPrefix(prefix, { from: this.#revision + 1n, signal: this.#closed.signal })) {
          this.#tell(events.map((event) => ({ key: event.key.slice(prefix.length), value: event.type === 'put' ? event.value : undefined, revision: event.revision })))
          this.#advance(revision)
        }
        return
      } catch (error) {
        if (this.#closed.signal.aborted) return
        // What ended it, a lagging reader or a store that was away, is the same to us: look at everything again.
        isStale = true
        onProblem?.(error)
        await this.#sleep()
      }
    }
  }

  /** Pages may be of different revisions: each key's own tells which of the watch's changes it has. */
  async #snapshot(): Promise<void> {
    const { kv, prefix } = this.#options
    const events: PrefixEvent[] = []
    const gone = new Set(this.#known.keys())
    let first: bigint | undefined
    let startAfter: string | undefined
    for (let more = true; more;) {
      const page = await kv.loadWithPrefix(prefix, { limit: PAGE, startAfter, signal: this.#closed.signal })
      page.keys.forEach((key, index) => {
        const short = key.slice(prefix.length)
        gone.delete(short)
        events.push({ key: short, value: page.values[index], revision: page.modRevisions[index] ?? page.revision })
      })
      first ??= page.revision
      startAfter = page.keys.at(-1)
      more = page.more
    }
    const at = first ?? 0n
    this.#tell([...events, ...[...gone].map((key) => ({ key, value: undefined, revision: at }))])
    this.#advance(at)
  }

  #tell(events: readonly PrefixEvent[]): void {
    const fresh = events.filter(({ key, revision }) => revision > (this.#known.get(key) ?? -1n))
    for (const { key, value, revision } of fresh) {
      if (value === undefined) this.#known.delete(key)
      else this.#known.set(key, revision)
    }
    if (fresh.length > 0) this.#options.onEvents(fresh)
  }

  #advance(revision: bigint): void {
    if (revision > this.#revision) this.#revision = revision
    for (const waiter of this.#waiters.filter((one) => one.revision <= this.#revision)) waiter.resolve()
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#closed.signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#options.clock.setTimer(done, RETRY_MS)
      this.#closed.signal.addEventListener('abort', done, { once: true })
    })
  }
}

function stale(): RpcError {
  return new RpcError('RPC_TIMEOUT', 'what is known of the metadata here is too old')
}
