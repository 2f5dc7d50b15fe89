/**
 * Time as the watchdog lived it. Between two checks no more than one interval passes on it: of the rest the watchdog was stalled (a
 * blocked event loop, a suspended machine), heard nobody, and must hold it against nobody.
 */
export class ObservedTime {
  readonly #intervalMs: number
  #checkedAt: number
  #observed = 0

  constructor(intervalMs: number, now: number) {
    this.#intervalMs = intervalMs
    this.#checkedAt = now
  }

  at(now: number): number {
    return this.#observed + Math.min(Math.max(now - this.#checkedAt, 0), this.#intervalMs)
  }

  /** A check happens; gives how late it is. */
  check(now: number): number {
    const lateMs = now - this.#checkedAt - this.#intervalMs
    this.#observed = this.at(now)
    this.#checkedAt = now
    return Math.max(lateMs, 0)
  }
}
