/** A store behind a bad network: calls are delayed, lost before they arrive or after they were applied, or arrive long after their caller gave up. */
import type { KVEntry } from '@timetick/kv'
import type { TsoStore } from '../store.ts'
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
  readonly #entries = new Map<string, KVEntry>()
  #revision = 0n
  readonly #onWrite: (value: string) => void

  constructor(clock: SimulatedClock, random: SeededRandom, onWrite: (value: string) => void) {
    this.#clock = clock
    this.#random = random
    this.#onWrite = onWrite
  }

  /** The store as one process sees it; nothing is answered to a dead one, but what it sent may still arrive. */
  connect(isAlive: () => boolean): TsoStore {
    return {
      loadEntry: (key) => this.#call(isAlive, () => this.#entries.get(key)),
      compareAndSave: (key, expected, value) => this.#call(isAlive, () => this.#write(key, expected, value)),
    }
  }

  #write(key: string, expected: bigint, value: string): boolean {
    if ((this.#entries.get(key)?.modRevision ?? 0n) !== expected) return false
    this.#entries.set(key, { key, value, modRevision: ++this.#revision })
    this.#onWrite(value)
    return true
  }

  #call<T>(isAlive: () => boolean, run: () => T): Promise<T> {
    const { loss, refusal } = this.faults
    return new Promise<T>((resolve, reject) => {
      const answer = (settle: () => void): void => void this.#clock.setTimer(() => isAlive() && settle(), this.#delay())
      const lost = (): void => {
        // Some losses are noticed, as a broken connection; of others nothing is heard.
        if (this.#random.chance(0.5)) answer(() => reject(Object.assign(new Error('connection lost'), { outcome: 'unknown' })))
      }
      if (this.#random.chance(refusal)) return answer(() => reject(Object.assign(new Error('refused'), { outcome: 'not-applied' })))
      if (this.#random.chance(loss)) return lost()
      this.#clock.setTimer(() => {
        const result = run()
        if (this.#random.chance(loss)) lost()
        else answer(() => resolve(result))
      }, this.#delay())
    })
  }

  #delay(): number {
    const { late, lateMs } = this.faults
    return this.#random.chance(late) ? this.#random.integer(0, lateMs) : this.#random.integer(0, 5)
  }
}
