/** So many calls a second, and no more: a page must not be a load on the server that it shows. */
import type { Clock } from '../core/model.ts'

export class TokenBucket {
  readonly #clock: Clock
  readonly #perSecond: number
  #tokens: number
  #at: number

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#at = clock.now()
  }

  /** Takes one if there is one now. */
  tryTake(): boolean {
    this.#refill()
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** Takes one as soon as there is one; rejects when the signal aborts. */
  async take(signal: AbortSignal): Promise<void> {
    while (!this.tryTake()) {
      signal.throwIfAborted()
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => {
          cancel()
          reject(signal.reason as Error)
        }
        const cancel = this.#clock.setTimer(() => {
          signal.removeEventListener('abort', abort)
          resolve()
        }, 1000 / this.#perSecond)
        signal.addEventListener('abort', abort, { once: true })
      })
    }
    signal.throwIfAborted()
  }

  #refill(): void {
    const now = this.#clock.now()
    this.#tokens = Math.min(this.#perSecond, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
  }
}
