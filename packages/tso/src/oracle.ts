/**
 * The contract of the timestamp oracle (appendix A.6.2) and the function that opens one.
 *
 * **Uniqueness.** Must never give one timestamp twice, whatever the clock does and however many oracles share a store:
 * the end of a window is saved under a compare-and-save before anything below it is served, and the next owner starts above it.
 *
 * **Order.** Must give a call that starts after another call of the same oracle returned a greater timestamp. Across a
 * takeover that holds once the old owner has noticed: at its next save, at most about `saveIntervalMs` later.
 *
 * **Nearness.** The physical part follows the wall clock. It is ahead of it after a quick restart (at most a window), after the
 * clock was set back, and never further than `maxLeadMs`. Under more than 262 million timestamps/s it runs ahead by `maxBurstMs`, then the
 * rate is that of the clock.
 */
/// <reference lib="esnext.disposable" />
import type { Clock } from './clock.ts'
import { checkInteger, checkMethods, checkMs, keyBelow, show } from './check.ts'
import { randomName, systemClock } from './edge.ts'
import { OracleCore } from './oracle-core.ts'
import type { OracleCoreOptions } from './oracle-core.ts'
import type { TsoEvent, TimestampOracleStates } from './oracle-states.ts'
import type { TimestampRange } from './range.ts'
import type { TsoStore } from './store.ts'
import type { Timestamp } from './timestamp.ts'

const YEAR_2019_MS = 1_546_300_800_000

/** The argument that ends every call: an abort rejects it with `signal.reason`, unwrapped. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface TimestampOracleOptions extends CallOptions {
  /** Any KVBase. Of it are used `loadEntry` and `compareAndSave`. */
  readonly kv: TsoStore
  /** The record is `<rootPath>/timestamp`. Default `tso`. */
  readonly rootPath?: string | undefined
  /** How far ahead a window is saved, in ms, 10 to 3,600,000. Default 3,000 (Milvus). */
  readonly saveIntervalMs?: number | undefined
  /** Deadline of one store call. Default: the larger of 1,000 and `saveIntervalMs - 1000` (PD). */
  readonly saveTimeoutMs?: number | undefined
  /** A greater step of the clock forward is not followed but reported. Default 24 h. */
  readonly maxForwardJumpMs?: number | undefined
  /** No window ends further ahead of the wall clock. Default 1 h. */
  readonly maxLeadMs?: number | undefined
  /** How far ahead of time sheer load may push the physical part before calls wait for the clock, at least 1. Default 1,000. */
  readonly maxBurstMs?: number | undefined
  /** An open that finds more lead than `maxLeadMs` waits at most so long for the clock. Default 10,000. */
  readonly maxClockWaitMs?: number | undefined
  /** Wall times below are refused. Default 2019-01-01 (Milvus). */
  readonly minPhysicalMs?: number | undefined
  /** Names this oracle in the record; unique for each open, without white space. Default: a random name. */
  readonly owner?: string | undefined
  readonly clock?: Clock | undefined
  /** Reports of what is survived but should be known. Must not throw; what it throws is dropped. */
  readonly onEvent?: ((event: TsoEvent) => void) | undefined
}

export interface TimestampOracle extends AsyncDisposable {
  /**
   * `count` (default 1, at most 262,143) timestamps of one millisecond.
   * @throws {TsoError} `TSO_UNAVAILABLE`, `TSO_TIMEOUT` when the window is used up and cannot be saved (nothing sticks: the next call
   * tries again), `TSO_CLOCK_BEHIND`, `TSO_FENCED`, `TSO_CLOSED`.
   */
  getTimestamp(count?: number, options?: CallOptions): Promise<TimestampRange>
  /** Any count up to 2^32 - 1, as ascending ranges of at most 262,143: a range never crosses a millisecond. */
  getTimestamps(count: number, options?: CallOptions): Promise<TimestampRange[]>
  /** The same at once, when the saved window holds it and the oracle serves; else `undefined`. */
  tryGetTimestamp(count?: number): TimestampRange | undefined
  /**
   * Go on after the physical part of `ts` (its logical part does not count, as in Milvus).
   * @throws {TsoError} `TSO_SET_REFUSED` when that is not ahead of what was served, or further ahead than `maxLeadMs`.
   */
  setTimestamp(ts: Timestamp, options?: CallOptions): Promise<void>
  /** After a refused jump of the clock: believe it. */
  acceptClock(): void
  readonly states: TimestampOracleStates
  /** Rejects what waits with `TSO_CLOSED` and gives up a save under way. Idempotent. */
  close(): Promise<void>
}

/**
 * Takes the record over (an oracle that had it is fenced) and serves.
 * @throws {TsoError} `TSO_CORRUPT`, `TSO_UNAVAILABLE`, `TSO_TIMEOUT`, `TSO_CLOCK_BEHIND`, `TSO_CLOCK_INVALID`, or `TSO_FENCED`
 * when others keep taking the record while this one opens.
 */
export async function openTimestampOracle(options: TimestampOracleOptions): Promise<TimestampOracle> {
  const settings = checkOracleOptions(options)
  options.signal?.throwIfAborted()
  const core = new OracleCore(settings)
  try {
    await core.open(options.signal)
  } catch (error) {
    await core.close()
    throw error
  }
  return core
}

/** The options with their defaults, each checked. */
export function checkOracleOptions(options: TimestampOracleOptions): OracleCoreOptions {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { kv, saveIntervalMs = 3_000, maxForwardJumpMs = 86_400_000, maxLeadMs = 3_600_000, maxBurstMs = 1_000, maxClockWaitMs = 10_000 } = options
  const { clock = systemClock, owner = randomName(), minPhysicalMs = YEAR_2019_MS, onEvent } = options
  checkMethods('kv', kv, ['loadEntry', 'compareAndSave'])
  checkMethods('clock', clock, ['now', 'monotonic', 'setTimer'])
  checkInteger('saveIntervalMs', saveIntervalMs, 10, 3_600_000)
  const saveTimeoutMs = options.saveTimeoutMs ?? Math.max(1_000, saveIntervalMs - 1_000)
  checkInteger('saveTimeoutMs', saveTimeoutMs, 1, 2 ** 31 - 1)
  checkMs('maxForwardJumpMs', maxForwardJumpMs, 0)
  checkMs('maxLeadMs', maxLeadMs, 10)
  checkMs('maxBurstMs', maxBurstMs, 1)
  checkMs('maxClockWaitMs', maxClockWaitMs, 0)
  checkMs('minPhysicalMs', minPhysicalMs, 0)
  if (typeof owner !== 'string' || !/^\S{1,200}$/.test(owner)) {
    throw new TypeError(`expected \`owner\` to be 1 to 200 characters without white space, got ${show(owner)}`)
  }
  if (onEvent !== undefined && typeof onEvent !== 'function') throw new TypeError(`expected \`onEvent\` to be a function, got ${show(onEvent)}`)
  const key = keyBelow(options.rootPath ?? 'tso', 'timestamp')
  return {
    kv, key, owner, clock, saveIntervalMs, saveTimeoutMs, maxForwardJumpMs, maxLeadMs, maxBurstMs, maxClockWaitMs, minPhysicalMs, onEvent,
  }
}
