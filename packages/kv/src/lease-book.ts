/** Deadlines of leases on an injected clock. It decides when a lease is over; the engine removes what hangs on it. */
import type { Clock } from './clock.ts'
import { KVError } from './errors.ts'

interface Held {
  readonly ttlMs: number
  /** On the monotonic clock: a jump of the wall clock neither ends nor extends a lease. */
  deadline: number
  cancel: () => void
}

export class LeaseBook {
  readonly #clock: Clock
  readonly #onExpired: (id: string) => void
  readonly #held = new Map<string, Held>()

  constructor(clock: Clock, onExpired: (id: string) => void) {
    this.#clock = clock
    this.#onExpired = onExpired
  }

  add(id: string, ttlMs: number, remainingMs = ttlMs): void {
    const held: Held = { ttlMs, deadline: this.#clock.monotonic() + remainingMs, cancel: () => undefined }
    this.#held.set(id, held)
    this.#arm(id, held)
  }

  /** Throws when it has ended, also when only its timer is late. */
  check(id: string): void {
    const held = this.#held.get(id)
    if (held === undefined || held.deadline <= this.#clock.monotonic()) throw leaseNotFound(id)
  }

  renew(id: string): void {
    this.check(id)
    const held = this.#held.get(id)
    // The timer stays: when it fires it sees the new deadline and sleeps again.
    if (held !== undefined) held.deadline = this.#clock.monotonic() + held.ttlMs
  }

  ttlMs(id: string): number {
    return this.#held.get(id)?.ttlMs ?? 0
  }

  has(id: string): boolean {
    return this.#held.has(id)
  }

  drop(id: string): void {
    this.#held.get(id)?.cancel()
    this.#held.delete(id)
  }

  close(): void {
    for (const held of this.#held.values()) held.cancel()
    this.#held.clear()
  }

  #arm(id: string, held: Held): void {
    const restMs = Math.max(Math.ceil(held.deadline - this.#clock.monotonic()), 1)
    held.cancel = this.#clock.setTimer(() => {
      if (this.#held.get(id) !== held) return
      if (held.deadline <= this.#clock.monotonic()) this.#onExpired(id)
      else this.#arm(id, held)
    }, restMs)
  }
}

export function leaseNotFound(id: string): KVError {
  return new KVError('KV_LEASE_NOT_FOUND', `lease ${id} has ended or never was`, { outcome: 'not-applied', details: { leaseId: id } })
}
