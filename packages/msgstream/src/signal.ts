/** Waiting for "something changed". Check, then wait, without an `await` between: no wake-up is lost. */
export class Signal {
  readonly #waiting = new Set<() => void>()

  get waiters(): number {
    return this.#waiting.size
  }

  /** Wake everyone who waits now. */
  notify(): void {
    if (this.#waiting.size === 0) return
    const woken = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of woken) wake()
  }

  /** Resolves at the next {@link notify}; rejects with the abort's reason. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal === undefined) {
        this.#waiting.add(resolve)
        return
      }
      if (signal.aborted) return reject(signal.reason as Error)
      const wake = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#waiting.delete(wake)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(wake)
    })
  }
}

/** Settle as the promise does, unless the signal aborts first: then reject with its reason. The work goes on. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => {})
      return reject(signal.reason as Error)
    }
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    const done = (): void => signal.removeEventListener('abort', onAbort)
    void promise.then(resolve, reject).finally(done)
  })
}
