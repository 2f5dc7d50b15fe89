/// <reference lib="esnext.disposable" />
/**
 * One leader at a time, by a record on a lease. Two that believe themselves leaders are kept apart by time (`isLive` is false before
 * the lease can end in the store) and, for what they write elsewhere, by the fencing token, which grows with each term: whoever
 * stores refuses a token below the highest that it saw.
 */
import { checkFunction, checkName } from '../arguments.ts'
import { WatchdogError } from '../errors.ts'
import { LeasedKey } from './leased-key.ts'
import { readLease } from './settings.ts'
import type { LeaseOptions, LeaseSettings } from './settings.ts'
import { callStore, sleep } from './store-call.ts'

export interface LeaderTerm {
  /** Grows from term to term, whoever leads. */
  readonly token: bigint
  /** Nobody else can lead at this moment. Ask before each reply, and again after each await. */
  readonly isLive: boolean
  readonly leftMs: number
  /** Aborts when the term is over; what runs on it must end. */
  readonly over: AbortSignal
  /** Ends the term; the election goes on. */
  resign(): void
}

export type ElectionEvent = { readonly type: 'elected'; readonly token: bigint } | { readonly type: 'over' | 'problem'; readonly error: unknown }

export interface ElectionOptions extends LeaseOptions {
  /** The key that the candidates fight for. */
  readonly key: string
  /** Of this candidate, for others to read. */
  readonly name: string
  /** Called at the begin of each term; the term ends when it settles. What it throws is told as `over`. */
  readonly lead: (term: LeaderTerm) => Promise<void> | void
  readonly onEvent?: ((event: ElectionEvent) => void) | undefined
}

export interface Election extends AsyncDisposable {
  /** The present term of this candidate. */
  readonly term: LeaderTerm | undefined
  /** Ends the term, waits for `lead`, and takes the record back. Idempotent; never rejects. */
  close(): Promise<void>
}

/** Stand for election until closed. Without `await` in `lead` the term would end at once: keep it pending while you lead. */
export function startElection(options: ElectionOptions): Election {
  const settings = readLease(options)
  checkName('key', options.key)
  checkName('name', options.name)
  checkFunction('lead', options.lead)
  if (options.onEvent !== undefined) checkFunction('onEvent', options.onEvent)
  return new Candidate(settings, options)
}

class Candidate implements Election {
  readonly #settings: LeaseSettings
  readonly #options: ElectionOptions
  readonly #closed = new AbortController()
  readonly #running: Promise<void>
  #terms = 0
  #term: Term | undefined

  constructor(settings: LeaseSettings, options: ElectionOptions) {
    this.#settings = settings
    this.#options = options
    this.#running = this.#run()
  }

  get term(): LeaderTerm | undefined {
    return this.#term
  }

  async close(): Promise<void> {
    const reason = new WatchdogError('WATCHDOG_SESSION_CLOSED', 'the election was closed')
    this.#closed.abort(reason)
    this.#term?.stop(reason)
    await this.#running
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #run(): Promise<void> {
    const { kv, clock, ttlMs, margin, callTimeoutMs, owner } = this.#settings
    const { key, name } = this.#options
    while (!this.#closed.signal.aborted) {
      try {
        const options = { kv, key, ttlMs, callTimeoutMs, margin, clock, closing: this.#closed.signal }
        const entry = await callStore(clock, callTimeoutMs, this.#closed.signal, (signal) => kv.loadEntry(key, { signal }))
        const held = entry === undefined ? await LeasedKey.claim(options, JSON.stringify({ v: 1, name, owner, term: ++this.#terms })) : undefined
        if (held !== undefined) await this.#lead(held)
        else await this.#untilGone(entry?.modRevision)
      } catch (error) {
        if (!this.#closed.signal.aborted) this.#tell({ type: 'problem', error })
        await sleep(clock, ttlMs / 5, this.#closed.signal)
      }
    }
  }

  async #lead(held: LeasedKey): Promise<void> {
    const term = new Term(held, this.#settings)
    this.#term = term
    try {
      if (this.#closed.signal.aborted) return
      this.#tell({ type: 'elected', token: term.token })
      const keeping = term.keep()
      let failure: unknown
      try {
        if (term.isLive) await this.#options.lead(term)
      } catch (error) {
        failure = error
      }
      term.stop(failure ?? new WatchdogError('WATCHDOG_SESSION_CLOSED', 'the term was ended'))
      await keeping
      this.#tell({ type: 'over', error: term.over.reason })
    } finally {
      this.#term = undefined
      await held.end()
    }
  }

  /** Waits for the removal of the record; looks again after a while, for a watch may be late. */
  async #untilGone(modRevision: bigint | undefined): Promise<void> {
    const { kv, clock, ttlMs } = this.#settings
    const waiting = new AbortController()
    const stop = (): void => waiting.abort()
    this.#closed.signal.addEventListener('abort', stop, { once: true })
    const cancel = clock.setTimer(stop, ttlMs)
    try {
      if (modRevision === undefined) return await sleep(clock, ttlMs / 20, waiting.signal)
      for await (const { events } of kv.watch(this.#options.key, { from: modRevision + 1n, signal: waiting.signal })) {
        if (events.at(-1)?.type === 'delete') return
      }
    } catch (error) {
      if (!waiting.signal.aborted) throw error
    } finally {
      cancel()
      this.#closed.signal.removeEventListener('abort', stop)
      waiting.abort()
    }
  }

  #tell(event: ElectionEvent): void {
    try {
      this.#options.onEvent?.(event)
    } catch {
      // A listener must not end an election.
    }
  }
}

class Term implements LeaderTerm {
  readonly token: bigint
  readonly #held: LeasedKey
  readonly #settings: LeaseSettings
  readonly #over = new AbortController()

  constructor(held: LeasedKey, settings: LeaseSettings) {
    this.#held = held
    this.#settings = settings
    this.token = held.token
  }

  get over(): AbortSignal {
    return this.#over.signal
  }

  get leftMs(): number {
    return this.#over.signal.aborted ? 0 : Math.max(0, this.#held.leftMs)
  }

  get isLive(): boolean {
    return this.leftMs > 0
  }

  resign(): void {
    this.stop(new WatchdogError('WATCHDOG_SESSION_CLOSED', 'the leader resigned'))
  }

  stop(reason: unknown): void {
    this.#over.abort(reason)
  }

  /** Renews; the term is over when a renewal does not arrive in time, and stays over. */
  async keep(): Promise<void> {
    const { clock, ttlMs } = this.#settings
    const fence = (): void => {
      if (this.leftMs > 0) cancel = clock.setTimer(fence, this.leftMs)
      else this.stop(new WatchdogError('WATCHDOG_SESSION_FENCED', 'the lease was not renewed in time'))
    }
    let cancel = clock.setTimer(fence, this.leftMs)
    while (!this.over.aborted) {
      await sleep(clock, ttlMs / 4, this.over)
      if (this.over.aborted) break
      // Too late is too late, also when the timer is: what saw `isLive` false must not see it true again.
      if (!this.isLive) fence()
      else await this.#held.renew().catch((error: unknown) => this.#failed(error))
    }
    cancel()
  }

  #failed(error: unknown): void {
    if (error instanceof WatchdogError && error.code === 'WATCHDOG_SESSION_LOST') this.stop(error)
  }
}
