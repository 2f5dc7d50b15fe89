/** Callers that wait for numbers, in order of arrival, with a limit; an aborted one gives its place up at once. */
import { TsoError } from './errors.ts'
import { BigintRange } from './range.ts'

export class Waiter {
  /** 0 for `allocOne`, which gets a number instead of a range. */
  readonly count: number
  readonly #resolve: (value: never) => void
  readonly #reject: (error: unknown) => void
  readonly signal: AbortSignal | undefined
  done = false

  constructor(count: number, resolve: (value: never) => void, reject: (error: unknown) => void, signal: AbortSignal | undefined) {
    this.count = count
    this.#resolve = resolve
    this.#reject = reject
    this.signal = signal
  }

  get need(): number {
    return this.count === 0 ? 1 : this.count
  }

  resolve(first: bigint): void {
    this.done = true
    this.#resolve((this.count === 0 ? first : new BigintRange(first, this.count)) as never)
  }

  reject(error: unknown): void {
    this.done = true
    this.#reject(error)
  }
}

/** One listener for all waiters of a signal: hundreds of calls may share it. */
class SignalGroup {
  readonly waiters = new Set<Waiter>()
  readonly listener: () => void

  constructor(signal: AbortSignal, onAbort: (waiters: ReadonlySet<Waiter>, reason: unknown) => void) {
    this.listener = () => onAbort(this.waiters, signal.reason)
    signal.addEventListener('abort', this.listener, { once: true })
  }
}

/** First in, first out. `live` counts those that were not aborted. */
export class WaiterQueue {
  readonly #maxWaiting: number
  #waiters: Waiter[] = []
  /** Index of the first that did not leave; cut off from time to time. */
  #head = 0
  #live = 0
  readonly #groups = new Map<AbortSignal, SignalGroup>()
  readonly #onAbort = (waiters: ReadonlySet<Waiter>, reason: unknown): void => {
    this.fail([...waiters], reason)
    // Aborted waiters must not pile up behind a source that does not answer.
    if (this.#waiters.length <= 64 || this.#live >= this.#waiters.length / 2) return
    this.#waiters = this.#waiters.slice(this.#head).filter((waiter) => !waiter.done)
    this.#head = 0
  }

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  get live(): number {
    return this.#live
  }

  push<T>(count: number, signal: AbortSignal | undefined): Promise<T> {
    if (this.#live >= this.#maxWaiting) {
      return Promise.reject(new TsoError('TSO_OVERLOADED', `more than ${this.#maxWaiting} callers wait`, { details: { maxWaiting: this.#maxWaiting } }))
    }
    this.#live++
    return new Promise<T>((resolve, reject) => {
      const waiter = new Waiter(count, resolve, reject, signal)
      this.#waiters.push(waiter)
      if (signal !== undefined) this.#join(signal, waiter)
    })
  }

  /** What the first waiter needs. */
  peekNeed(): number | undefined {
    while (this.#head < this.#waiters.length) {
      const waiter = this.#waiters[this.#head]
      if (waiter !== undefined && !waiter.done) return waiter.need
      this.#head++
    }
    return undefined
  }

  /** The first waiters whose needs together are at most `limit`; they leave the queue when they are settled. */
  takeBatch(limit: number): { waiters: Waiter[]; need: number } {
    const all = this.#waiters
    const waiters: Waiter[] = []
    let need = 0
    let index = this.#head
    for (; index < all.length; index++) {
      const waiter = all[index]
      if (waiter === undefined || waiter.done) continue
      if (waiters.length > 0 && need + waiter.need > limit) break
      need += waiter.need
      waiters.push(waiter)
    }
    this.#leave(index)
    return { waiters, need }
  }

  #leave(index: number): void {
    if (index < this.#waiters.length && index < 1_024) this.#head = index
    else {
      this.#waiters = index === this.#waiters.length ? [] : this.#waiters.slice(index)
      this.#head = 0
    }
  }

  settle(waiters: readonly Waiter[], range: BigintRange): void {
    let next = range.first
    for (const waiter of waiters) {
      if (!waiter.done) {
        this.#live--
        if (waiter.signal !== undefined) this.#leaveGroup(waiter, waiter.signal)
        waiter.resolve(next)
      }
      // An aborted waiter's share is a gap.
      if (waiter.count <= 1) next++
      else next += BigInt(waiter.count)
    }
  }

  fail(waiters: readonly Waiter[], error: unknown): void {
    for (const waiter of waiters) {
      if (waiter.done) continue
      this.#live--
      if (waiter.signal !== undefined) this.#leaveGroup(waiter, waiter.signal)
      waiter.reject(error)
    }
  }

  #join(signal: AbortSignal, waiter: Waiter): void {
    let group = this.#groups.get(signal)
    if (group === undefined) {
      group = new SignalGroup(signal, this.#onAbort)
      this.#groups.set(signal, group)
    }
    group.waiters.add(waiter)
  }

  #leaveGroup(waiter: Waiter, signal: AbortSignal): void {
    const group = this.#groups.get(signal)
    if (group === undefined) return
    group.waiters.delete(waiter)
    if (group.waiters.size > 0) return
    signal.removeEventListener('abort', group.listener)
    this.#groups.delete(signal)
  }

  failAll(error: unknown): void {
    const { waiters } = this.takeBatch(Infinity)
    this.fail(waiters, error)
  }
}
