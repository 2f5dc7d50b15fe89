/** A hybrid logical clock of one process (appendix A.6.1; Kulkarni et al. 2014): no uniqueness between processes. */
import { checkInteger, checkMethods, checkMs } from './check.ts'
import type { Clock } from './clock.ts'
import { ClockGuard } from './clock-guard.ts'
import { systemClock } from './edge.ts'
import { TsoError } from './errors.ts'
import type { PhysicalBound } from './hlc-bound.ts'
import { MAX_LOGICAL, MAX_PHYSICAL_MS, checkTimestamp, compose, parseTimestamp } from './timestamp.ts'
import type { Timestamp } from './timestamp.ts'

export interface HybridLogicalClockOptions {
  readonly clock?: Clock | undefined
  /** `observe` refuses what is further ahead of the local wall clock. Default 500 (CockroachDB). */
  readonly maxOffsetMs?: number | undefined
  /** A greater step of the wall clock forward is not followed. Default 24 h. */
  readonly maxForwardJumpMs?: number | undefined
  /**
   * Within one synchronous run the wall clock is read once in so many calls, because reading it costs more than all the
   * rest. Every run of its own reads it anew. 1 reads it on every call. Default 32.
   */
  readonly readClockEvery?: number | undefined
}

/**
 * @example
 * const hlc = createHybridLogicalClock()
 * hlc.now() < hlc.now() // => true
 */
export class HybridLogicalClock {
  readonly #guard: ClockGuard
  readonly #maxOffsetMs: number
  readonly #readClockEvery: number
  readonly #bound: PhysicalBound | undefined
  #physicalMs = 0
  #logical = 0
  /** The last timestamp, kept so that the next costs one addition. */
  #last: Timestamp = 0n
  /** Calls until the clock is read again; 0 at the start of every synchronous run. */
  #credit = 0
  readonly #endRun = (): void => {
    this.#credit = 0
  }

  /** A bound comes from `openHybridLogicalClock`. */
  constructor(options: HybridLogicalClockOptions = {}, bound?: PhysicalBound) {
    const { clock = systemClock, maxOffsetMs = 500, maxForwardJumpMs = 86_400_000, readClockEvery = 32 } = options
    checkMethods('clock', clock, ['now', 'monotonic', 'setTimer'])
    checkMs('maxOffsetMs', maxOffsetMs, 0)
    checkMs('maxForwardJumpMs', maxForwardJumpMs, 0)
    checkInteger('readClockEvery', readClockEvery, 1, 1_000_000)
    this.#maxOffsetMs = maxOffsetMs
    this.#readClockEvery = readClockEvery
    this.#guard = new ClockGuard(clock, maxForwardJumpMs, () => undefined)
    this.#bound = bound
    if (bound !== undefined) this.#move(bound.startMs)
  }

  /** `behind`: the wall clock was set back, and the physical part waits for it. `jumped`: a step forward is not followed. */
  get clock(): 'steady' | 'behind' | 'jumped' {
    return this.#guard.state
  }

  /** A timestamp greater than every one given or observed before. The physical part advances in the appendix's cases A and B only. */
  now(): Timestamp {
    if (this.#credit > 0) this.#credit--
    else this.#readClock()
    if (this.#logical < MAX_LOGICAL) {
      this.#logical++
      return ++this.#last
    }
    // Case B: the logical part overflows.
    return this.#advance(this.#physicalMs + 1)
  }

  /**
   * The timestamp of having received `remote`: greater than it and than every one given before.
   * @throws {TsoError} `TSO_CLOCK_OFFSET` when it is ahead of the wall clock by more than `maxOffsetMs`; nothing changes then.
   */
  observe(remote: Timestamp): Timestamp {
    checkTimestamp('remote', remote)
    if (remote <= this.#last) return this.now()
    const { physicalMs, logical } = parseTimestamp(remote)
    const aheadMs = physicalMs - this.#guard.read()
    if (aheadMs > this.#maxOffsetMs) {
      const details = { aheadMs, maxOffsetMs: this.#maxOffsetMs }
      throw new TsoError('TSO_CLOCK_OFFSET', `a timestamp ${aheadMs} ms ahead of the clock, more than ${this.#maxOffsetMs} ms`, { details })
    }
    if (this.#bound !== undefined && physicalMs >= this.#bound.endMs) throw this.#bound.refuse(physicalMs)
    this.#physicalMs = physicalMs
    this.#logical = logical
    this.#last = remote
    return this.now()
  }

  /** After a refused step of the wall clock: believe it. */
  acceptClock(): void {
    this.#guard.accept()
    this.#credit = 0
  }

  protected readWall(): number {
    return this.#guard.read()
  }

  #readClock(): void {
    if (this.#readClockEvery > 1) {
      this.#credit = this.#readClockEvery - 1
      queueMicrotask(this.#endRun)
    }
    const wall = this.#guard.read()
    const reachable = this.#bound === undefined ? wall : this.#bound.reach(wall)
    // Case A: the wall clock is ahead of the physical part.
    if (reachable > this.#physicalMs) this.#move(reachable)
  }

  #move(physicalMs: number): void {
    this.#physicalMs = physicalMs
    this.#logical = 0
    this.#last = compose(physicalMs, 0)
  }

  #advance(physicalMs: number): Timestamp {
    if (physicalMs > MAX_PHYSICAL_MS) throw new TsoError('TSO_EXHAUSTED', 'the physical part is at its last millisecond')
    if (this.#bound !== undefined && physicalMs >= this.#bound.endMs) throw this.#bound.refuse(physicalMs)
    this.#physicalMs = physicalMs
    this.#logical = 1
    return (this.#last = compose(physicalMs, 1))
  }
}

export function createHybridLogicalClock(options: HybridLogicalClockOptions = {}): HybridLogicalClock {
  return new HybridLogicalClock(options)
}
