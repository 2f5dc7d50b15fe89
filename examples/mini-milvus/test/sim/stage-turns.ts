/** Steps of clients run side by side; a definition that empties a collection waits for those that run, and runs alone. */
export class StageTurns {
  #running = 0
  #alone: Promise<void> = Promise.resolve()
  #wake: (() => void) | undefined

  async beside<T>(work: () => Promise<T>): Promise<T> {
    for (let seen: Promise<void> | undefined; seen !== this.#alone; ) await (seen = this.#alone)
    this.#running++
    try {
      return await work()
    } finally {
      this.#running--
      if (this.#running === 0) this.#wake?.()
    }
  }

  /** One at a time. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    let done = (): void => undefined
    this.#alone = new Promise((resolve) => (done = resolve))
    try {
      if (this.#running > 0) await new Promise<void>((resolve) => (this.#wake = resolve))
      return await work()
    } finally {
      this.#wake = undefined
      done()
    }
  }
}
