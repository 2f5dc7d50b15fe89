/**
 * One leadership: a lease of the store with a record on it, and how long it surely holds. The deadline counts from the moment at which
 * the last renewal was sent (PD #1661), less a margin for clocks that run at another rate, by whichever clock went furthest: see
 * {@link ElapsedTime}.
 */
import type { KVBase, Lease } from '@timetick/kv'
import { show } from './check.ts'
import { ElapsedTime } from './elapsed-time.ts'
import type { Moment } from './elapsed-time.ts'
import { TsoError } from './errors.ts'
import { callStore } from './store.ts'
import type { StoreCallContext } from './store.ts'

/** What an election uses of a `KVBase`. */
export type LeaderStore = Pick<KVBase, 'loadEntry' | 'compareAndSave' | 'grantLease'>

export interface LeaderRecord {
  readonly owner: string
  readonly name: string
}

const FORM = /^timetick-leader\/1 (\S{1,200}) (\S{1,200})$/

export function decodeLeader(key: string, value: string): LeaderRecord {
  const [, owner, name] = FORM.exec(value) ?? []
  if (owner === undefined || name === undefined) {
    throw new TsoError('TSO_CORRUPT', `expected \`${key}\` to hold "timetick-leader/1 <owner> <name>", got ${show(value)}`, { details: { key } })
  }
  return { owner, name }
}

export interface LeaderTermOptions extends StoreCallContext {
  readonly kv: LeaderStore
  readonly key: string
  readonly name: string
  /** Names this term; no other has it. */
  readonly owner: string
  readonly ttlMs: number
  readonly maxClockDrift: number
  readonly onRenewFailed: (error: unknown) => void
}

/** Looks at the clocks within the time of a lease. */
const LOOKS = 10

export class LeaderTerm {
  readonly owner: string
  readonly #options: LeaderTermOptions
  readonly #lease: Lease
  readonly #time: ElapsedTime
  /** When the last renewal that arrived was sent. */
  #sent: Moment
  readonly #over = new AbortController()
  #cancelTimer: (() => void) | undefined

  private constructor(options: LeaderTermOptions, lease: Lease, time: ElapsedTime) {
    this.#options = options
    this.owner = options.owner
    this.#lease = lease
    this.#time = time
    this.#sent = time.begin
  }

  /** `undefined` when somebody else was first. */
  static async win(options: LeaderTermOptions): Promise<LeaderTerm | undefined> {
    const time = new ElapsedTime(options.clock, Math.ceil(options.ttlMs / LOOKS))
    const granted = callStore(options, 'save', (signal) => options.kv.grantLease(options.ttlMs, { signal }))
    const lease = await granted.catch((error: unknown) => {
      time.stop()
      throw error
    })
    const term = new LeaderTerm(options, lease, time)
    try {
      if (await term.#claim()) return term
    } catch (error) {
      await term.end()
      throw error
    }
    await term.end()
    return undefined
  }

  /** Aborted when the term is over, with the reason. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Ms for which nobody else can lead; not above 0 when that is not sure. */
  get leftMs(): number {
    if (this.#over.signal.aborted) return 0
    return this.#lease.ttlMs * (1 - this.#options.maxClockDrift) - this.#time.since(this.#sent)
  }

  /** Renews until the term is over. Never rejects. */
  keep(): Promise<void> {
    return new Promise((resolve) => {
      this.over.addEventListener('abort', () => resolve(), { once: true })
      if (this.over.aborted) resolve()
      else this.#schedule()
    })
  }

  #schedule(): void {
    const { clock, ttlMs } = this.#options
    this.#cancelTimer = clock.setTimer(() => void this.#renew(), Math.ceil(ttlMs / 4))
  }

  /** From now on it does not hold. The lease goes on in the store: see {@link end}. */
  stop(reason: unknown): void {
    this.#cancelTimer?.()
    this.#time.stop()
    this.#over.abort(reason)
  }

  /** Ends the lease too, so that the next leader need not wait for it. What fails there ends by time. */
  async end(): Promise<void> {
    this.stop(new TsoError('TSO_CLOSED', 'the term was ended'))
    const { clock, saveTimeoutMs } = this.#options
    // Also while closing, so not with the signal of that.
    const context = { clock, saveTimeoutMs: Math.min(saveTimeoutMs, 1_000), closing: new AbortController().signal }
    await callStore(context, 'save', (signal) => this.#lease.revoke({ signal })).catch(() => undefined)
  }

  async #claim(): Promise<boolean> {
    const { kv, key, owner, name } = this.#options
    const value = `timetick-leader/1 ${owner} ${name}`
    try {
      return await callStore(this.#options, 'save', (signal) => kv.compareAndSave(key, 0n, value, { signal, lease: this.#lease }))
    } catch (error) {
      if (!(error instanceof TsoError) || error.outcome !== 'unknown') throw error
      return this.#isOurs()
    }
  }

  async #isOurs(): Promise<boolean> {
    const { kv, key, owner } = this.#options
    const entry = await callStore(this.#options, 'load', (signal) => kv.loadEntry(key, { signal }))
    return entry !== undefined && decodeLeader(key, entry.value).owner === owner
  }

  async #renew(): Promise<void> {
    const sent = this.#time.now()
    try {
      await callStore(this.#options, 'save', (signal) => this.#lease.keepAlive({ signal }))
      // A lease without its record (somebody removed it) leads nobody: another may be elected.
      if (!(await this.#isOurs())) throw new TsoError('TSO_FENCED', `\`${this.#options.key}\` names another leader or none`)
      this.#sent = sent
    } catch (error) {
      if (this.over.aborted) return
      this.#options.onRenewFailed(error)
      if (isLost(error) || this.leftMs < -2 * this.#lease.ttlMs) this.stop(error)
    }
    if (!this.over.aborted) this.#schedule()
  }
}

/** The store says that the lease has ended, or that the record is another's. */
function isLost(error: unknown): boolean {
  if (!(error instanceof TsoError)) return true
  const cause = error.cause as { code?: unknown } | undefined
  return error.code === 'TSO_FENCED' || error.code === 'TSO_CORRUPT' || cause?.code === 'KV_LEASE_NOT_FOUND'
}
