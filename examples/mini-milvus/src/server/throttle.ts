/** Guesses at passwords: ten a minute for each user and address, then a delay that doubles with each further one. */
export interface ThrottleOptions {
  readonly now: () => number
  /** Failures within a minute that cost nothing. */
  readonly free?: number | undefined
  /** Users and addresses that are remembered. */
  readonly maxEntries?: number | undefined
}

interface Failures {
  count: number
  since: number
  /** No attempt before this, on the monotonic clock. */
  until: number
}

const WINDOW_MS = 60_000
const FIRST_DELAY_MS = 1_000
const MAX_DELAY_MS = 30_000

export class FailureThrottle {
  readonly #now: () => number
  readonly #free: number
  readonly #maxEntries: number
  /** In order of the last failure, so that the oldest is forgotten first. */
  readonly #failures = new Map<string, Failures>()

  constructor({ now, free = 10, maxEntries = 10_000 }: ThrottleOptions) {
    this.#now = now
    this.#free = free
    this.#maxEntries = maxEntries
  }

  get size(): number {
    return this.#failures.size
  }

  /** Milliseconds until the next attempt is looked at; 0: now. */
  delayMs(key: string): number {
    const known = this.#failures.get(key)
    return known === undefined ? 0 : Math.max(0, Math.ceil(known.until - this.#now()))
  }

  failed(key: string): void {
    const at = this.#now()
    const before = this.#failures.get(key)
    const isOld = before === undefined || at > Math.max(before.since + WINDOW_MS, before.until + WINDOW_MS)
    const count = isOld ? 1 : before.count + 1
    const delay = count < this.#free ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(count - this.#free, 10))
    this.#failures.delete(key)
    this.#failures.set(key, { count, since: isOld ? at : before.since, until: at + delay })
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= this.#maxEntries) break
      this.#failures.delete(oldest)
    }
  }

  succeeded(key: string): void {
    this.#failures.delete(key)
  }
}
