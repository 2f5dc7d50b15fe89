/** Time that passes when a test says so. */
export class SimClock {
  #now = 0
  #next = 0
  readonly #timers = new Map<number, { readonly at: number; readonly run: () => void }>()

  now(): number {
    return 1_760_000_000_000 + this.#now
  }

  monotonic(): number {
    return this.#now
  }

  setTimer(run: () => void, delayMs: number): () => void {
    const id = this.#next++
    this.#timers.set(id, { at: this.#now + delayMs, run })
    return () => this.#timers.delete(id)
  }

  async yieldToLoop(): Promise<void> {}

  get timers(): number {
    return this.#timers.size
  }

  /** Runs what becomes due, in order. */
  pass(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([a, { at: left }], [b, { at: right }]) => left - right || a - b)[0]
      if (due === undefined) break
      const [id, { at, run }] = due
      this.#timers.delete(id)
      this.#now = Math.max(this.#now, at)
      run()
    }
    this.#now = end
  }

  /** The process stood still: everything that became due runs late. */
  standStill(ms: number): void {
    this.#now += ms
    this.pass(0)
  }
}
