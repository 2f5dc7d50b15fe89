/**
 * Ids in segments, from a counter on a KVBase (PD's `AllocID`). A segment belongs to whoever moved the counter past it by compareAndSave; one
 * whose save had an unknown outcome is given up. So an id is never given twice, by any number of sources, and there are gaps.
 */
import { checkInteger, checkMethods, checkMs, keyBelow, show } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './edge.ts'
import { TsoError } from './errors.ts'
import type { CallOptions } from './oracle.ts'
import { abortable } from './aborting.ts'
import { BigintRange } from './range.ts'
import type { IdRange } from './range.ts'
import { callStore } from './store.ts'
import type { StoreCallContext, TsoStore } from './store.ts'

/** Ids stay below 2^63, so that a signed 64-bit integer holds them. */
export const MAX_ID = 2n ** 63n - 1n
/** The longest segment and the largest request. */
export const MAX_ID_COUNT = 2 ** 32 - 1
const MAX_ATTEMPTS = 20

/** Where ids come from. */
export interface IdSource {
  /** At least `count` consecutive ids that nobody else gets. May give more. */
  takeSegment(count: number, options?: CallOptions): Promise<IdRange>
}

export interface IdSourceOptions extends CallOptions {
  readonly kv: TsoStore
  /** The record is `<rootPath>/next`. Default `id`. */
  readonly rootPath?: string | undefined
  /** Length of a segment, 1 to 2^32 - 1. Default 10,000. A restart leaves a gap of at most two segments. */
  readonly step?: number | undefined
  /** The first id of a fresh store. Default 1n (Milvus). */
  readonly firstId?: bigint | undefined
  /** Deadline of one store call. Default 5,000. */
  readonly timeoutMs?: number | undefined
  readonly clock?: Clock | undefined
}

export interface OpenedIdSource extends IdSource, AsyncDisposable {
  /** Gives up what is under way. Idempotent. */
  close(): Promise<void>
}

/** @throws {TsoError} `TSO_CORRUPT`, `TSO_UNAVAILABLE`, `TSO_TIMEOUT` when the counter cannot be read. */
export async function openIdSource(options: IdSourceOptions): Promise<OpenedIdSource> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { kv, step = 10_000, firstId = 1n, timeoutMs = 5_000, clock = systemClock, signal } = options
  checkMethods('kv', kv, ['loadEntry', 'compareAndSave'])
  checkMethods('clock', clock, ['now', 'monotonic', 'setTimer'])
  checkInteger('step', step, 1, MAX_ID_COUNT)
  checkMs('timeoutMs', timeoutMs, 1)
  if (typeof firstId !== 'bigint' || firstId < 0n || firstId > MAX_ID) {
    throw new RangeError(`expected \`firstId\` to be a bigint in 0..2^63 - 1, got ${show(firstId)}`)
  }
  const key = keyBelow(options.rootPath ?? 'id', 'next')
  signal?.throwIfAborted()
  const source = new CounterSource(kv, key, step, firstId, clock, timeoutMs)
  await abortable(source.load(), signal)
  return source
}

class CounterSource implements OpenedIdSource {
  readonly #kv: TsoStore
  readonly #key: string
  readonly #step: number
  readonly #firstId: bigint
  readonly #closing = new AbortController()
  readonly #context: StoreCallContext

  constructor(kv: TsoStore, key: string, step: number, firstId: bigint, clock: Clock, saveTimeoutMs: number) {
    this.#kv = kv
    this.#key = key
    this.#step = step
    this.#firstId = firstId
    this.#context = { clock, saveTimeoutMs, closing: this.#closing.signal }
  }

  async load(): Promise<{ next: bigint; revision: bigint }> {
    const entry = await callStore(this.#context, 'load', (signal) => this.#kv.loadEntry(this.#key, { signal }))
    if (entry === undefined) return { next: this.#firstId, revision: 0n }
    const match = /^timetick-id\/1 (0|[1-9][0-9]{0,18})$/.exec(entry.value)
    if (match?.[1] === undefined || BigInt(match[1]) > MAX_ID + 1n) {
      const details = { key: this.#key }
      throw new TsoError('TSO_CORRUPT', `expected \`${this.#key}\` to hold "timetick-id/1 <next>", got ${show(entry.value)}`, { details })
    }
    return { next: BigInt(match[1]), revision: entry.modRevision }
  }

  async takeSegment(count: number, options: CallOptions = {}): Promise<IdRange> {
    checkInteger('count', count, 1, MAX_ID_COUNT)
    options.signal?.throwIfAborted()
    return abortable(this.#take(Math.max(count, this.#step)), options.signal)
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(new TsoError('TSO_CLOSED', 'the id source was closed'))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #take(count: number): Promise<IdRange> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { next, revision } = await this.load()
      if (next + BigInt(count) > MAX_ID + 1n) throw new TsoError('TSO_EXHAUSTED', `no ${count} ids are left below 2^63`)
      const value = `timetick-id/1 ${next + BigInt(count)}`
      const applied = await callStore(this.#context, 'save', (signal) => this.#kv.compareAndSave(this.#key, revision, value, { signal }))
      if (applied) return new BigintRange(next, count)
    }
    throw new TsoError('TSO_UNAVAILABLE', `others moved the counter ${MAX_ATTEMPTS} times first`, { outcome: 'not-applied' })
  }
}
