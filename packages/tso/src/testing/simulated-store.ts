/** A store behind a bad network: calls are delayed, lost before they arrive or after they were applied, or arrive long after their caller gave up. */
import type { KVEntry, Lease } from '@timetick/kv'
import type { LeaderStore } from '../leader-term.ts'
import type { SeededRandom } from './random.ts'
import type { SimulatedClock } from './simulated-clock.ts'

export interface StoreFaults {
  /** Share of calls that never arrive, and of answers that never come. */
  readonly loss: number
  /** Share of calls that are refused, surely without effect. */
  readonly refusal: number
  /** Share of calls that take up to `lateMs` instead of up to 5 ms. */
  readonly late: number
  readonly lateMs: number
}

export const NO_STORE_FAULTS: StoreFaults = { loss: 0, refusal: 0, late: 0, lateMs: 0 }

export class SimulatedStore {
  faults: StoreFaults = NO_STORE_FAULTS
  readonly #clock: SimulatedClock
  readonly #random: SeededRandom
  readonly #entries = new Map<string, KVEntry & { readonly leaseId: string | undefined }>()
  /** Leases and when they end, on the monotonic clock. */
  readonly #leases = new Map<string, number>()
  #revision = 0n
  readonly #onWrite: (value: string) => void

  constructor(clock: SimulatedClock, random: SeededRandom, onWrite: (value: string) => void) {
    this.#clock = clock
    this.#random = random
    this.#onWrite = onWrite
  }

  /**
   * The store as one process sees it; nothing is answered to a dead one, but what it sent may still arrive.
   * @param deliver runs an answer in the process, perhaps later.
   */
  connect(isAlive: () => boolean, deliver: (run: () => void) => void = (run) => run()): LeaderStore {
    const call = <T>(run: () => T): Promise<T> => this.#call(isAlive, deliver, run)
    return {
      loadEntry: (key) => call(() => this.#load(key)),
      compareAndSave: (key, expected, value, options) => call(() => this.#write(key, expected, value, options?.lease?.id)),
      grantLease: (ttlMs) => call(() => this.#grant(ttlMs, call)),
    }
  }

  #load(key: string): KVEntry | undefined {
    const entry = this.#entries.get(key)
    const isGone = entry?.leaseId !== undefined && !this.#isHeld(entry.leaseId)
    if (isGone) this.#entries.delete(key)
    return isGone ? undefined : entry
  }

  #write(key: string, expected: bigint, value: string, leaseId: string | undefined): boolean {
    if ((this.#load(key)?.modRevision ?? 0n) !== expected) return false
    if (leaseId !== undefined && !this.#isHeld(leaseId)) throw leaseEnded()
    this.#entries.set(key, { key, value, modRevision: ++this.#revision, leaseId })
    this.#onWrite(value)
    return true
  }

  #isHeld(leaseId: string): boolean {
    return (this.#leases.get(leaseId) ?? -1) > this.#clock.monotonic()
  }

  #grant(ttlMs: number, call: <T>(run: () => T) => Promise<T>): Lease {
    const id = `lease-${++this.#revision}`
    const renew = (): void => void this.#leases.set(id, this.#clock.monotonic() + ttlMs)
    const revoke = (): Promise<void> => call(() => void this.#leases.delete(id))
    const keepAlive = (): void => {
      if (!this.#isHeld(id)) throw leaseEnded()
      renew()
    }
    renew()
    return { id, ttlMs, keepAlive: () => call(keepAlive), revoke, [Symbol.asyncDispose]: revoke }
  }

  #call<T>(isAlive: () => boolean, deliver: (run: () => void) => void, run: () => T): Promise<T> {
    const { loss, refusal } = this.faults
    return new Promise<T>((resolve, reject) => {
      const answer = (settle: () => void): void => void this.#clock.setTimer(() => isAlive() && deliver(settle), this.#delay())
      const lost = (): void => {
        // Some losses are noticed, as a broken connection; of others nothing is heard.
        if (this.#random.chance(0.5)) answer(() => reject(Object.assign(new Error('connection lost'), { outcome: 'unknown' })))
      }
      if (this.#random.chance(refusal)) return answer(() => reject(Object.assign(new Error('refused'), { outcome: 'not-applied' })))
      if (this.#random.chance(loss)) return lost()
      this.#clock.setTimer(() => {
        let settle: () => void
        try {
          const result = run()
          settle = () => resolve(result)
        } catch (error) {
          settle = () => reject(error)
        }
        if (this.#random.chance(loss)) lost()
        else answer(settle)
      }, this.#delay())
    })
  }

  #delay(): number {
    const { late, lateMs } = this.faults
    return this.#random.chance(late) ? this.#random.integer(0, lateMs) : this.#random.integer(0, 5)
  }
}

function leaseEnded(): Error {
  return Object.assign(new Error('the lease has ended'), { code: 'KV_LEASE_NOT_FOUND', outcome: 'not-applied' })
}
