import type { Clock } from '../src/index.ts'

/** Time that moves when told to. */
export class ManualClock implements Clock {
  #now = 1_700_000_000_000
  readonly #timers = new Set<{ at: number; callback: () => void }>()

  get pending(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  advance(ms: number): void {
    this.#now += ms
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at)) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue
      timer.callback()
    }
  }
}
