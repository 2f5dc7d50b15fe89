/** The election behind `startTimestampLeader`: look who leads, try to win, serve for a term, begin again. */
import { checkInteger } from './check.ts'
import type { Clock } from './clock.ts'
import { TsoError } from './errors.ts'
import type { TimestampLeader, TimestampLeaderEvent, TimestampLeaderOptions, TimestampLeaderStates } from './leader.ts'
import { LeaderTerm, decodeLeader } from './leader-term.ts'
import { openTimestampOracle } from './oracle.ts'
import type { CallOptions, TimestampOracle } from './oracle.ts'
import type { TimestampRange } from './range.ts'
import { callStore } from './store.ts'
import type { StoreCallContext } from './store.ts'
import type { Timestamp } from './timestamp.ts'

export interface LeaderCoreOptions extends TimestampLeaderOptions {
  readonly key: string
  readonly ttlMs: number
  readonly pollMs: number
  readonly maxClockDrift: number
  readonly clock: Clock
  readonly createOwner: () => string
}

interface Service {
  readonly term: LeaderTerm
  readonly oracle: TimestampOracle
}

export class LeaderCore implements TimestampLeader {
  readonly #options: LeaderCoreOptions
  readonly #closing = new AbortController()
  readonly #context: StoreCallContext
  #running: Promise<void> | undefined
  /** The term under way, also while its oracle opens. */
  #term: LeaderTerm | undefined
  #service: Service | undefined
  #leader: string | undefined
  #restUntilMono = -Infinity
  #termEnded: Promise<void> | undefined
  #wake: (() => void) | undefined

  constructor(options: LeaderCoreOptions) {
    this.#options = options
    this.#context = { clock: options.clock, saveTimeoutMs: Math.ceil(options.ttlMs / 4), closing: this.#closing.signal }
  }

  get states(): TimestampLeaderStates {
    const service = this.#service
    const leaseLeftMs = Math.max(0, this.#term?.leftMs ?? 0)
    return { role: this.#role(leaseLeftMs), leader: this.#leader, leaseLeftMs, oracle: service?.oracle.states }
  }

  #role(leaseLeftMs: number): TimestampLeaderStates['role'] {
    if (this.#closing.signal.aborted) return 'closed'
    if (this.#service !== undefined) return leaseLeftMs > 0 ? 'leading' : 'unsure'
    return this.#restMs() > 0 ? 'resting' : 'following'
  }

  start(): void {
    this.#running = this.#run()
  }

  tryGetTimestamp(count: number = 1): TimestampRange | undefined {
    const service = this.#service
    const range = service?.oracle.tryGetTimestamp(count)
    // Asked after the range was made: the process may have been stopped in between.
    return range !== undefined && service !== undefined && this.#holds(service) ? range : undefined
  }

  getTimestamp(count: number = 1, options: CallOptions = {}): Promise<TimestampRange> {
    return this.#serve((oracle) => oracle.getTimestamp(count, options))
  }

  getTimestamps(count: number, options: CallOptions = {}): Promise<TimestampRange[]> {
    return this.#serve((oracle) => oracle.getTimestamps(count, options))
  }

  setTimestamp(ts: Timestamp, options: CallOptions = {}): Promise<void> {
    return this.#serve((oracle) => oracle.setTimestamp(ts, options))
  }

  acceptClock(): void {
    this.#service?.oracle.acceptClock()
  }

  async resign({ pauseMs = this.#options.ttlMs }: { readonly pauseMs?: number | undefined } = {}): Promise<void> {
    checkInteger('pauseMs', pauseMs, 0, 2 ** 31 - 1)
    this.#restUntilMono = this.#options.clock.monotonic() + pauseMs
    this.#term?.stop(new TsoError('TSO_NOT_LEADER', 'the leader resigned'))
    await this.#termEnded
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      const error = new TsoError('TSO_CLOSED', 'the leader was closed')
      this.#term?.stop(error)
      this.#closing.abort(error)
      this.#wake?.()
    }
    await this.#running
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #serve<T>(run: (oracle: TimestampOracle) => Promise<T>): Promise<T> {
    const service = this.#service
    if (service === undefined || !this.#holds(service)) throw this.#notLeading()
    let result: T
    try {
      result = await run(service.oracle)
    } catch (error) {
      // The oracle of a term that ended meanwhile: what matters is who leads now.
      const isOver = error instanceof TsoError && (error.code === 'TSO_CLOSED' || error.code === 'TSO_FENCED')
      throw isOver ? this.#notLeading() : error
    }
    if (!this.#holds(service)) throw this.#notLeading()
    return result
  }

  #holds(service: Service): boolean {
    return this.#service === service && service.term.leftMs > 0
  }

  #notLeading(): TsoError {
    if (this.#closing.signal.aborted) return new TsoError('TSO_CLOSED', 'the leader was closed')
    const { name } = this.#options
    const leader = this.#leader === name ? undefined : this.#leader
    const details = { leader, name }
    return new TsoError('TSO_NOT_LEADER', leader === undefined ? `${name} does not lead` : `${leader} leads, not ${name}`, { details })
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#campaign()
      } catch (error) {
        if (!this.#closing.signal.aborted) this.#report({ type: 'campaign-failed', error })
      }
      await this.#pause()
    }
  }

  /** One look, and where nobody leads one try; comes back when there is nothing to win or the term is over. */
  async #campaign(): Promise<void> {
    const { kv, key, name, clock } = this.#options
    const entry = await callStore(this.#context, 'load', (signal) => kv.loadEntry(key, { signal }))
    this.#follow(entry === undefined ? undefined : decodeLeader(key, entry.value).name)
    if (entry !== undefined || this.#restMs() > 0) return
    const owner = this.#options.createOwner()
    const onRenewFailed = (error: unknown): void => this.#report({ type: 'renew-failed', error })
    const term = await LeaderTerm.win({ ...this.#options, ...this.#context, clock, owner, onRenewFailed })
    if (term === undefined) return
    this.#term = term
    this.#termEnded = this.#lead(term)
    await this.#termEnded
    this.#report({ type: 'term-ended', error: term.over.reason })
    if (this.#leader === name) this.#leader = undefined
  }

  async #lead(term: LeaderTerm): Promise<void> {
    const kept = term.keep()
    // Closed or resigned while it was being won.
    if (this.#closing.signal.aborted || this.#restMs() > 0) term.stop(new TsoError('TSO_NOT_LEADER', 'the leader resigned'))
    try {
      const oracle = await this.#openOracle(term)
      this.#leader = this.#options.name
      this.#service = { term, oracle }
      this.#report({ type: 'leading', owner: term.owner })
      await kept
      // First nothing is served any more, then the lease is given back.
      this.#service = undefined
      await oracle.close()
    } catch (error) {
      if (!term.over.aborted) {
        this.#report({ type: 'campaign-failed', error })
        // Elected, but unable to serve (its clock is behind, say): another may be able.
        this.#restUntilMono = Math.max(this.#restUntilMono, this.#options.clock.monotonic() + this.#options.ttlMs)
      }
    }
    this.#term = undefined
    await term.end()
  }

  #openOracle(term: LeaderTerm): Promise<TimestampOracle> {
    const { rootPath, saveIntervalMs, saveTimeoutMs, maxForwardJumpMs, maxLeadMs, maxBurstMs, maxClockWaitMs, minPhysicalMs } = this.#options
    const limits = { saveIntervalMs, saveTimeoutMs, maxForwardJumpMs, maxLeadMs, maxBurstMs, maxClockWaitMs, minPhysicalMs }
    const { kv, clock } = this.#options
    return openTimestampOracle({
      ...limits, kv, rootPath, clock, owner: term.owner, signal: term.over,
      onEvent: (event) => {
        this.#report(event)
        if (event.type === 'fenced') term.stop(event.error)
      },
    })
  }

  #follow(leader: string | undefined): void {
    if (leader === this.#leader) return
    this.#leader = leader
    this.#report({ type: 'following', leader })
  }

  #restMs(): number {
    return this.#restUntilMono - this.#options.clock.monotonic()
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closing.signal.aborted) return resolve()
      const cancel = this.#options.clock.setTimer(resolve, this.#options.pollMs)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  #report(event: TimestampLeaderEvent): void {
    try {
      this.#options.onEvent?.(event)
    } catch {
      // A listener's mistake must not end a term.
    }
  }
}
