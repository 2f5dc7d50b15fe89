/** Unique ids from segments of a source (appendix A.5), with the next segment fetched before the present one is used up. */
import { checkInteger, checkMethods, show } from './check.ts'
import { TsoError } from './errors.ts'
import { MAX_ID_COUNT } from './id-source.ts'
import type { IdSource } from './id-source.ts'
import type { CallOptions } from './oracle.ts'
import { BigintRange } from './range.ts'
import type { IdRange } from './range.ts'
import { WaiterQueue } from './waiters.ts'
import { traced } from './tracing.ts'

export interface IdAllocatorOptions {
  readonly source: IdSource
  /** The next segment is fetched when less than this share of the present one is left, 0 to 1. Default 0.5. */
  readonly refillBelow?: number | undefined
  /** More waiting callers are refused with `TSO_OVERLOADED`. Default 10,000 (Milvus). */
  readonly maxWaiting?: number | undefined
}

export interface IdAllocator extends AsyncDisposable {
  /** `count` consecutive ids, 1 to 2^32 - 1. Served in order of arrival. What is left of a segment that is too short becomes a gap. */
  alloc(count: number, options?: CallOptions): Promise<IdRange>
  allocOne(options?: CallOptions): Promise<bigint>
  /** The same at once, when nobody waits and the ids are at hand; else `undefined`. */
  tryAlloc(count: number): IdRange | undefined
  /** One id at once, without a promise: the fastest way to number rows. `undefined` as of `tryAlloc`: then `await allocOne()`. */
  tryAllocOne(): bigint | undefined
  /** Rejects what waits with `TSO_CLOSED`. Idempotent. The source stays open: it is yours. */
  close(): Promise<void>
}

export function startIdAllocator(options: IdAllocatorOptions): IdAllocator {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { source, refillBelow = 0.5, maxWaiting = 10_000 } = options
  checkMethods('source', source, ['takeSegment'])
  if (typeof refillBelow !== 'number' || !(refillBelow >= 0 && refillBelow <= 1)) {
    throw new RangeError(`expected \`refillBelow\` to be a number in 0..1, got ${show(refillBelow)}`)
  }
  checkInteger('maxWaiting', maxWaiting, 1, Number.MAX_SAFE_INTEGER)
  return new SegmentAllocator(source, refillBelow, maxWaiting)
}

class SegmentAllocator implements IdAllocator {
  readonly #source: IdSource
  readonly #refillBelow: number
  readonly #queue: WaiterQueue
  readonly #closing = new AbortController()
  #isClosed = false
  /** The first free id of the present segment, and how many are left. */
  #next = 0n
  #left = 0
  #refillAt = 0
  #spare: IdRange | undefined
  #fetching = false

  constructor(source: IdSource, refillBelow: number, maxWaiting: number) {
    this.#source = source
    this.#refillBelow = refillBelow
    this.#queue = new WaiterQueue(maxWaiting)
  }

  async alloc(count: number, { signal }: CallOptions = {}): Promise<IdRange> {
    checkInteger('count', count, 1, MAX_ID_COUNT)
    this.#check(signal)
    return this.tryAlloc(count) ?? this.#wait(count, signal)
  }

  allocOne(options?: CallOptions): Promise<bigint> {
    const signal = options?.signal
    try {
      if (signal !== undefined || this.#isClosed) this.#check(signal)
    } catch (error) {
      return Promise.reject(error)
    }
    const id = this.tryAllocOne()
    return id === undefined ? this.#wait<bigint>(0, signal) : Promise.resolve(id)
  }

  tryAllocOne(): bigint | undefined {
    // Well within the segment, where nobody can be waiting; a close leaves no segment.
    if (this.#left > this.#refillAt + 1 && this.#queue.live === 0) {
      this.#left--
      return this.#next++
    }
    return this.tryAlloc(1)?.first
  }

  tryAlloc(count: number): IdRange | undefined {
    checkInteger('count', count, 1, MAX_ID_COUNT)
    return this.#isClosed || this.#queue.live > 0 ? undefined : this.#take(count)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#left = 0
    this.#spare = undefined
    const error = new TsoError('TSO_CLOSED', 'the allocator was closed')
    this.#closing.abort(error)
    this.#queue.failAll(error)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw new TsoError('TSO_CLOSED', 'the allocator was closed')
    signal?.throwIfAborted()
  }

  #wait<T>(count: number, signal: AbortSignal | undefined): Promise<T> {
    const promise = this.#queue.push<T>(count, signal)
    this.#fetch()
    return promise
  }

  #take(count: number): IdRange | undefined {
    if (this.#left < count && this.#spare !== undefined) this.#useSpare(this.#spare)
    if (this.#left < count) return undefined
    const range = new BigintRange(this.#next, count)
    this.#next += BigInt(count)
    this.#left -= count
    if (this.#left <= this.#refillAt && this.#spare === undefined) this.#fetch()
    return range
  }

  /** A spare that continues the present segment is joined to it; else the rest of the segment is given up. */
  #useSpare(spare: IdRange): void {
    const joins = this.#left > 0 && spare.first === this.#next + BigInt(this.#left)
    if (!joins) {
      this.#next = spare.first
      this.#left = 0
    }
    this.#left += spare.count
    this.#refillAt = Math.floor(spare.count * this.#refillBelow)
    this.#spare = undefined
  }

  /** One fetch at a time; large enough for the first who waits. */
  #fetch(): void {
    if (this.#fetching || this.#isClosed) return
    this.#fetching = true
    void this.#fetchOnce(this.#queue.peekNeed() ?? 1)
  }

  async #fetchOnce(need: number): Promise<void> {
    try {
      const segment = await traced('take-segment', () => ({ count: need }), () => this.#source.takeSegment(need, { signal: this.#closing.signal }))
      const spare = checkSegment(segment, need)
      this.#fetching = false
      if (this.#isClosed) return
      this.#spare = spare
      this.#serve()
    } catch (error) {
      this.#fetching = false
      // Nothing sticks: the next call tries again. A failed early refill concerns nobody yet.
      this.#queue.failAll(error)
    }
  }

  #serve(): void {
    for (let need = this.#queue.peekNeed(); need !== undefined; need = this.#queue.peekNeed()) {
      const range = this.#take(need)
      if (range === undefined) return this.#fetch()
      const { waiters } = this.#queue.takeBatch(need)
      this.#queue.settle(waiters, range)
    }
  }
}

function checkSegment(segment: IdRange, need: number): IdRange {
  if (typeof segment === 'object' && segment !== null && typeof segment.first === 'bigint' && segment.count >= need) return segment
  throw new TsoError('TSO_SOURCE_BROKEN', `expected the source to give ${need} ids or more, got ${show(segment)}`)
}
