/** Timestamps in one order: what is called first is processed first, with a timestamp above all processed before. */
import { MsgStreamError } from './errors.ts'
import type { Timestamp } from './message.ts'

const attempts = 3

export class Allocations {
  readonly #allocate: () => Promise<Timestamp>
  #turn: Promise<unknown> = Promise.resolve()
  /** The highest timestamp processed. Every later one is above it. */
  last: Timestamp = 0n

  constructor(allocate: () => Promise<Timestamp>) {
    this.#allocate = allocate
  }

  /** Calls run concurrently; `use` runs in the order of the calls, synchronously with raising {@link last}. */
  run<T>(use: (ts: Timestamp) => T): Promise<T> {
    const allocated = this.#call()
    // A failed allocation must not stop those behind it, and must not go unhandled while it waits for its turn.
    allocated.catch(() => {})
    const turn = this.#turn.then(async () => {
      const ts = await this.#above(allocated)
      this.last = ts
      return use(ts)
    })
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #call(): Promise<Timestamp> {
    return this.#allocate()
  }

  // An allocator may answer concurrent calls in another order: ask again where it is this one's turn.
  async #above(allocated: Promise<Timestamp>): Promise<Timestamp> {
    let ts = await allocated
    for (let attempt = 1; ts <= this.last && attempt < attempts; attempt++) ts = await this.#call()
    if (typeof ts !== 'bigint' || ts <= this.last) {
      throw new MsgStreamError('MSG_TIMESTAMP_ORDER', `the allocator gave ${String(ts)}, not above ${this.last}`, { outcome: 'not-applied' })
    }
    return ts
  }
}
