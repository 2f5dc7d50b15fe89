/// <reference lib="esnext.disposable" />
/** A hybrid logical clock that outlives its process: an upper bound of what it gave is kept in a store. */
import { abortable } from './aborting.ts'
import { checkInteger, checkMethods, checkMs, keyBelow, show } from './check.ts'
import type { Clock } from './clock.ts'
import { holdProcess, randomName, systemClock } from './edge.ts'
import { TsoError } from './errors.ts'
import { HlcBound } from './hlc-bound.ts'
import { HybridLogicalClock, createHybridLogicalClock } from './hlc.ts'
import type { HybridLogicalClockOptions } from './hlc.ts'
import type { CallOptions } from './oracle.ts'
import type { TsoStore } from './store.ts'
import type { Timestamp } from './timestamp.ts'

/** Peers that are further ahead may find no room below the bound. */
const MAX_ROOM_MS = 3_600_000

export interface OpenHybridLogicalClockOptions extends HybridLogicalClockOptions, CallOptions {
  /** Any KVBase. Of it are used `loadEntry` and `compareAndSave`. */
  readonly kv: TsoStore
  /** The record is `<rootPath>/hlc`, one for each node. Default `tso`. */
  readonly rootPath?: string | undefined
  /**
   * How far ahead of the clock and of `maxOffsetMs` the bound is saved, in ms, 10 to 3,600,000. Default 1,000. An open after a crash waits
   * until the clock is there: at most `saveIntervalMs + maxOffsetMs`.
   */
  readonly saveIntervalMs?: number | undefined
  /** Deadline of one store call. Default 5,000. */
  readonly saveTimeoutMs?: number | undefined
  /** An open that finds the bound further ahead of the wall clock is refused. Default 10,000. */
  readonly maxClockWaitMs?: number | undefined
  /** A save in the background that failed; the next one comes by itself. */
  readonly onSaveFailed?: ((error: unknown) => void) | undefined
}

/**
 * Waits until the wall clock has passed all that earlier lives may have given, so that its timestamps are greater than theirs and yet near
 * the clock, where peers accept them.
 * @throws {TsoError} `TSO_CLOCK_BEHIND` when that takes longer than `maxClockWaitMs`, `TSO_CORRUPT`, `TSO_UNAVAILABLE`, `TSO_TIMEOUT`,
 * `TSO_FENCED` when a living clock keeps the record: each node has its own.
 */
export async function openHybridLogicalClock(options: OpenHybridLogicalClockOptions): Promise<PersistedHybridLogicalClock> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { kv, clock = systemClock, maxOffsetMs = 500, saveIntervalMs = 1_000, saveTimeoutMs = 5_000 } = options
  const { maxClockWaitMs = 10_000, signal, onSaveFailed } = options
  checkMethods('kv', kv, ['loadEntry', 'compareAndSave'])
  checkMethods('clock', clock, ['now', 'monotonic', 'setTimer'])
  checkInteger('saveIntervalMs', saveIntervalMs, 10, 3_600_000)
  checkInteger('saveTimeoutMs', saveTimeoutMs, 1, 2 ** 31 - 1)
  checkMs('maxClockWaitMs', maxClockWaitMs, 0)
  if (onSaveFailed !== undefined && typeof onSaveFailed !== 'function') {
    throw new TypeError(`expected \`onSaveFailed\` to be a function, got ${show(onSaveFailed)}`)
  }
  const key = keyBelow(options.rootPath ?? 'tso', 'hlc')
  // Its own options, before anything is saved.
  createHybridLogicalClock(options)
  signal?.throwIfAborted()
  const roomMs = Math.min(maxOffsetMs, MAX_ROOM_MS)
  const bound = new HlcBound({ kv, key, owner: randomName(), clock, saveIntervalMs, maxOffsetMs: roomMs, saveTimeoutMs, onSaveFailed })
  try {
    await abortable(bound.open((endMs) => reach(clock, endMs, maxClockWaitMs, signal)), signal)
    return new PersistedHybridLogicalClock({ ...options, clock }, bound)
  } catch (error) {
    await bound.close()
    throw error
  }
}

async function reach(clock: Clock, endMs: number, maxWaitMs: number, signal: AbortSignal | undefined): Promise<number> {
  for (let waitedMs = 0; ; ) {
    const wall = Math.floor(clock.now())
    const aheadMs = endMs - wall
    if (aheadMs <= 0) return wall
    if (aheadMs > maxWaitMs - waitedMs) {
      const details = { aheadMs, maxClockWaitMs: maxWaitMs }
      throw new TsoError('TSO_CLOCK_BEHIND', `an earlier life may have given timestamps ${aheadMs} ms ahead of the wall clock`, { details })
    }
    waitedMs += aheadMs
    let cancel = (): void => undefined
    const passed = new Promise<void>((resolve) => (cancel = clock.setTimer(resolve, aheadMs)))
    const release = holdProcess(clock)
    await abortable(passed, signal).finally(() => {
      cancel()
      release()
    })
  }
}

/**
 * While the store does not take a new bound, the physical part stands at the end of the old one and the logical part goes on; when that is
 * used up too, and when `observe` gets a timestamp at or above the bound, they throw `TSO_UNAVAILABLE`.
 */
export class PersistedHybridLogicalClock extends HybridLogicalClock implements AsyncDisposable {
  readonly #bound: HlcBound
  #isClosed = false

  /** @see openHybridLogicalClock */
  constructor(options: HybridLogicalClockOptions, bound: HlcBound) {
    super(options, bound)
    this.#bound = bound
    bound.keepAhead(() => this.readWall())
  }

  /** Saved: every physical part is below, in ms. */
  get boundMs(): number {
    return this.#bound.endMs
  }

  override now(): Timestamp {
    if (this.#isClosed) throw new TsoError('TSO_CLOSED', 'the clock was closed')
    return super.now()
  }

  override observe(remote: Timestamp): Timestamp {
    if (this.#isClosed) throw new TsoError('TSO_CLOSED', 'the clock was closed')
    return super.observe(remote)
  }

  /** Gives up a save under way. Idempotent. The store stays open: it is yours. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#bound.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
