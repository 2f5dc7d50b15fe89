/** How far a channel has been applied, and who waits for it (Milvus's tSafe). */
interface Waiter {
  readonly ts: bigint
  readonly resolve: () => void
}

export class ServiceTime {
  #ts = 0n
  #entered = 0n
  #waiters: Waiter[] = []

  get ts(): bigint {
    return this.#ts
  }

  /** How far the channel has been begun to be applied: who begins to follow it now gets all that comes after this. */
  get entered(): bigint {
    return this.#entered
  }

  enter(ts: bigint): void {
    if (ts > this.#entered) this.#entered = ts
  }

  /** Never falls (a zero or repeated tick is ignored). */
  advance(ts: bigint): void {
    if (ts <= this.#ts) return
    this.#ts = ts
    if (this.#waiters.length === 0) return
    const due = this.#waiters.filter((waiter) => waiter.ts <= ts)
    if (due.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => waiter.ts > ts)
    for (const waiter of due) waiter.resolve()
  }

  /** Resolves when everything up to `ts` has been applied; rejects with the signal's reason. */
  wait(ts: bigint, signal?: AbortSignal): Promise<void> {
    if (ts <= this.#ts) return Promise.resolve()
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    return new Promise((resolve, reject) => {
      const waiter = { ts, resolve: () => (signal?.removeEventListener('abort', onAbort), resolve()) }
      const onAbort = (): void => {
        this.#waiters = this.#waiters.filter((candidate) => candidate !== waiter)
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(waiter)
    })
  }
}
