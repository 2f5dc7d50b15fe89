/**
 * The client side of an oracle (appendix A.6.3). All who wait at the same time share one request (PD's dispatcher); no timestamp is
 * kept for later, because a kept one would be older than what others have seen since: the appendix's "expiration" is
 * immediate here.
 */
import { checkInteger, checkMethods, checkMs, show } from './check.ts'
import { TsoError } from './errors.ts'
import type { CallOptions } from './oracle.ts'
import { BigintRange } from './range.ts'
import type { TimestampRange } from './range.ts'
import { MAX_LOGICAL } from './timestamp.ts'
import type { Timestamp } from './timestamp.ts'
import { WaiterQueue } from './waiters.ts'
import type { Waiter } from './waiters.ts'
import { traced } from './tracing.ts'

/** Where timestamps come from: a `TimestampOracle`, or a client of one. */
export interface TimestampSource {
  /** Exactly `count` (1 to 262,143) timestamps. */
  getTimestamp(count: number, options?: CallOptions): Promise<TimestampRange>
  /** The same at once, or `undefined` when that takes a wait. */
  tryGetTimestamp?(count: number): TimestampRange | undefined
}

export interface TimestampAllocatorOptions {
  readonly source: TimestampSource
  /** More waiting callers are refused with `TSO_OVERLOADED`. Default 20,000 (PD). */
  readonly maxWaiting?: number | undefined
}

export interface TimestampAllocator extends AsyncDisposable {
  /** `count` timestamps, 1 to 262,143, of one millisecond. Served in order of arrival. */
  alloc(count: number, options?: CallOptions): Promise<TimestampRange>
  allocOne(options?: CallOptions): Promise<Timestamp>
  /** Rejects what waits with `TSO_CLOSED`. Idempotent. The source stays open: it is yours. */
  close(): Promise<void>
}

export function startTimestampAllocator(options: TimestampAllocatorOptions): TimestampAllocator {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { source, maxWaiting = 20_000 } = options
  checkMethods('source', source, ['getTimestamp'])
  if (maxWaiting !== Infinity) checkInteger('maxWaiting', maxWaiting, 1, Number.MAX_SAFE_INTEGER)
  else checkMs('maxWaiting', maxWaiting, 1)
  return new Allocator(source, maxWaiting)
}

class Allocator implements TimestampAllocator {
  readonly #source: TimestampSource
  readonly #queue: WaiterQueue
  readonly #closing = new AbortController()
  #isClosed = false
  #scheduled = false
  #inFlight: readonly Waiter[] | undefined
  readonly #flush = (): void => this.#run()

  constructor(source: TimestampSource, maxWaiting: number) {
    this.#source = source
    this.#queue = new WaiterQueue(maxWaiting)
  }

  alloc(count: number, options?: CallOptions): Promise<TimestampRange> {
    try {
      checkInteger('count', count, 1, MAX_LOGICAL)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#enqueue(count, options?.signal)
  }

  allocOne(options?: CallOptions): Promise<Timestamp> {
    return this.#enqueue(0, options?.signal)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const error = new TsoError('TSO_CLOSED', 'the allocator was closed')
    if (this.#inFlight !== undefined) this.#queue.fail(this.#inFlight, error)
    this.#queue.failAll(error)
    this.#closing.abort(error)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #enqueue<T>(count: number, signal: AbortSignal | undefined): Promise<T> {
    if (this.#isClosed) return Promise.reject(new TsoError('TSO_CLOSED', 'the allocator was closed'))
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    const promise = this.#queue.push<T>(count, signal)
    if (!this.#scheduled && this.#inFlight === undefined) {
      this.#scheduled = true
      queueMicrotask(this.#flush)
    }
    return promise
  }

  /** Serves in batches as long as the source answers at once; the first that takes a wait is the one in flight. */
  #run(): void {
    this.#scheduled = false
    while (this.#queue.live > 0) {
      const { waiters, need } = this.#queue.takeBatch(MAX_LOGICAL)
      try {
        const range = this.#source.tryGetTimestamp?.(need)
        if (range === undefined) return void this.#request(waiters, need)
        this.#queue.settle(waiters, checkRange(range, need))
      } catch (error) {
        this.#queue.fail(waiters, error)
      }
    }
  }

  async #request(waiters: readonly Waiter[], need: number): Promise<void> {
    this.#inFlight = waiters
    try {
      const range = await traced('allocate', () => ({ count: need }), () => this.#source.getTimestamp(need, { signal: this.#closing.signal }))
      this.#queue.settle(waiters, checkRange(range, need))
    } catch (error) {
      this.#queue.fail(waiters, error)
    }
    this.#inFlight = undefined
    this.#run()
  }
}

/** A source that gives less than asked for would make equal timestamps (Milvus ignored it: id 0 for everybody). */
export function checkRange(range: BigintRange, need: number): BigintRange {
  if (typeof range === 'object' && range !== null && typeof range.first === 'bigint' && range.count === need) {
    return range instanceof BigintRange ? range : new BigintRange((range as { first: bigint }).first, need)
  }
  throw new TsoError('TSO_SOURCE_BROKEN', `expected the source to give ${need} numbers, got ${show(range)}`)
}
