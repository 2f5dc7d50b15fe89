/** The oracle behind `openTimestampOracle`: the window, the saver, and the timer that keeps the window ahead. */
import { abortable } from './aborting.ts'
import { checkInteger } from './check.ts'
import type { Clock } from './clock.ts'
import { ClockGuard } from './clock-guard.ts'
import { holdProcess } from './edge.ts'
import { TsoError } from './errors.ts'
import type { CallOptions, TimestampOracle } from './oracle.ts'
import type { TimestampOracleStates, TsoEvent } from './oracle-states.ts'
import type { TimestampRange } from './range.ts'
import type { TsoStore, WindowRecord } from './store.ts'
import { MAX_LOGICAL, checkTimestamp, parseTimestamp } from './timestamp.ts'
import type { Timestamp } from './timestamp.ts'
import { WindowSaver } from './window-saver.ts'
import { OracleWindow } from './window.ts'

export interface OracleCoreOptions {
  readonly kv: TsoStore
  readonly key: string
  readonly owner: string
  readonly clock: Clock
  readonly saveIntervalMs: number
  readonly saveTimeoutMs: number
  readonly maxForwardJumpMs: number
  readonly maxLeadMs: number
  readonly maxBurstMs: number
  readonly maxClockWaitMs: number
  readonly minPhysicalMs: number
  readonly onEvent: ((event: TsoEvent) => void) | undefined
}

const OPEN_ATTEMPTS = 5
/** How far beyond the physical part a window reaches that is ahead of the clock anyway: keeps crash loops near the clock. */
const AHEAD_WINDOW_MS = 100

export class OracleCore implements TimestampOracle {
  readonly #options: OracleCoreOptions
  readonly #guard: ClockGuard
  readonly #saver: WindowSaver
  readonly #window = new OracleWindow()
  #status: TimestampOracleStates['status'] = 'opening'
  #failure: TsoError | undefined
  /** The save under way: all who need more window wait for the same one. */
  #saving: Promise<void> | undefined
  #savedAtMono = 0
  #pacing: Promise<void> | undefined
  /** Physical minus monotonic time where serving began or was set: from there time goes on also when the clock is behind. */
  #paceOrigin = -Infinity
  /** After a failed save in the background: not again before the next tick. */
  #resting = false
  #cancelTick: (() => void) | undefined
  readonly #closing = new AbortController()
  /** How long the last save took: a slow store gets longer windows. */
  #saveTookMs = 0
  #saves = 0
  #saveFailures = 0
  #lastSaveError: unknown

  constructor(options: OracleCoreOptions) {
    this.#options = options
    this.#guard = new ClockGuard(options.clock, options.maxForwardJumpMs, (state, byMs) => {
      this.#report(state === 'steady' ? { type: 'clock-steady' } : { type: `clock-${state}`, byMs })
    })
    this.#saver = new WindowSaver({ ...options, closing: this.#closing.signal, onRecreate: () => this.#report({ type: 'record-recreated' }) })
  }

  get states(): TimestampOracleStates {
    const { physicalMs, logical, endMs } = this.#window
    const leadMs = physicalMs - this.#guard.read()
    const clock = { clock: this.#guard.state, clockOffByMs: this.#guard.offByMs }
    const saves = { saves: this.#saves, saveFailures: this.#saveFailures, lastSaveError: this.#lastSaveError }
    return { status: this.#status, physicalMs, logical, windowEndMs: endMs, leadMs, ...clock, ...saves }
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
      const record = await abortable(this.#saver.loadTimestamp(), signal)
      const wall = await this.#waitForClock(record, signal)
      const physical = record === undefined ? wall : Math.max(wall, record.endMs + 1)
      const end = this.#endFor(physical, wall)
      if (await abortable(this.#saver.takeOver(end, record), signal)) return this.#serve(physical, end)
    }
    throw new TsoError('TSO_FENCED', `others took \`${this.#options.key}\` over ${OPEN_ATTEMPTS} times while this oracle opened`, {
      retryable: true,
      outcome: 'unknown',
    })
  }

  tryGetTimestamp(count: number = 1): TimestampRange | undefined {
    checkInteger('count', count, 1, MAX_LOGICAL)
    if (this.#status !== 'serving') return undefined
    const range = this.#window.take(count, this.#guard.read()) ?? this.#takePaced(count)
    if (this.#saving === undefined && !this.#resting && this.#runsLow()) this.#saveInBackground()
    return range
  }

  async getTimestamp(count: number = 1, options: CallOptions = {}): Promise<TimestampRange> {
    options.signal?.throwIfAborted()
    for (;;) {
      const range = this.tryGetTimestamp(count)
      if (range !== undefined) return range
      this.#checkServing()
      await abortable(this.#paced() ?? this.#save(), options.signal)
    }
  }

  async getTimestamps(count: number, options: CallOptions = {}): Promise<TimestampRange[]> {
    checkInteger('count', count, 1, 2 ** 32 - 1)
    const ranges: TimestampRange[] = []
    for (let left = count; left > 0; left -= MAX_LOGICAL) ranges.push(await this.getTimestamp(Math.min(left, MAX_LOGICAL), options))
    return ranges
  }

  async setTimestamp(ts: Timestamp, options: CallOptions = {}): Promise<void> {
    checkTimestamp('ts', ts)
    options.signal?.throwIfAborted()
    this.#checkServing()
    const next = parseTimestamp(ts).physicalMs + 1
    const limit = this.#guard.read() + this.#options.maxLeadMs
    if (next <= this.#window.physicalMs || next >= limit) {
      const details = { nextMs: next, physicalMs: this.#window.physicalMs, limitMs: limit }
      const message = `expected a time above ${details.physicalMs} ms and below ${limit} ms, got ${next} ms`
      throw new TsoError('TSO_SET_REFUSED', message, { outcome: 'not-applied', details })
    }
    while (this.#window.endMs <= next) {
      await abortable(this.#save(next), options.signal)
      this.#checkServing()
    }
    this.#raise(next)
  }

  acceptClock(): void {
    this.#guard.accept()
  }

  async close(): Promise<void> {
    if (this.#status !== 'closed') {
      this.#status = 'closed'
      this.#cancelTick?.()
      this.#closing.abort(new TsoError('TSO_CLOSED', 'the oracle was closed'))
    }
    await this.#saving?.catch(() => undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #serve(physical: number, end: number): void {
    if (this.#status !== 'opening') throw new TsoError('TSO_CLOSED', 'the oracle was closed')
    this.#raise(physical)
    this.#window.publish(end)
    this.#status = 'serving'
    this.#saved()
    this.#schedule()
  }

  /** The wall time; waits a little when what is stored is too far ahead of it (a crash loop, or a clock that was set back). */
  async #waitForClock(record: WindowRecord | undefined, signal: AbortSignal | undefined): Promise<number> {
    const { maxLeadMs, maxClockWaitMs, minPhysicalMs } = this.#options
    for (let waitedMs = 0; ; ) {
      const wall = this.#guard.read()
      if (!(wall >= minPhysicalMs && wall < 2 ** 45)) {
        throw new TsoError('TSO_CLOCK_INVALID', `expected the wall clock in ${minPhysicalMs}..${2 ** 45} ms, got ${wall} ms`)
      }
      const leadMs = record === undefined ? 0 : record.endMs + 2 - wall
      const tooMuch = leadMs - maxLeadMs
      if (tooMuch <= 0) return wall
      if (tooMuch > maxClockWaitMs - waitedMs) {
        const message = `the saved window ends ${leadMs} ms ahead of the wall clock, more than maxLeadMs ${maxLeadMs}`
        throw new TsoError('TSO_CLOCK_BEHIND', message, { details: { leadMs, maxLeadMs } })
      }
      this.#report({ type: 'clock-waiting', leadMs })
      await abortable(this.#wait(tooMuch), signal)
      waitedMs += tooMuch
    }
  }

  async #wait(ms: number): Promise<void> {
    let cancel = (): void => undefined
    const timer = new Promise<void>((resolve) => (cancel = this.#options.clock.setTimer(resolve, ms)))
    const release = holdProcess(this.#options.clock)
    await abortable(timer, this.#closing.signal).finally(() => {
      cancel()
      release()
    })
  }

  #raise(physicalMs: number): void {
    this.#window.raise(physicalMs)
    this.#paceOrigin = Math.max(this.#paceOrigin, physicalMs - this.#guard.monotonic())
    this.#window.paceMs = this.#paceLimit()
  }

  #paceLimit(): number {
    return Math.max(this.#guard.steady(), Math.floor(this.#paceOrigin + this.#guard.monotonic())) + this.#options.maxBurstMs
  }

  /** The limit is worked out only when the old one is reached: at most once in 262,143 timestamps. */
  #takePaced(count: number): TimestampRange | undefined {
    if (this.#window.physicalMs < this.#window.paceMs) return undefined
    this.#window.paceMs = this.#paceLimit()
    return this.#window.take(count, this.#guard.read())
  }

  /** Until one more millisecond may be used up, if the pace is what holds: all wait for the same moment. */
  #paced(): Promise<void> | undefined {
    const waitMs = this.#window.physicalMs + 1 - this.#paceLimit()
    if (waitMs > 0) this.#pacing ??= this.#wait(waitMs).finally(() => (this.#pacing = undefined))
    return this.#pacing
  }

  /** Where a window ends that starts at `physical`; while it is ahead of the clock, only a little further. */
  #endFor(physical: number, wall: number): number {
    const { saveIntervalMs, maxLeadMs } = this.#options
    const end = Math.max(wall + saveIntervalMs + 2 * this.#saveTookMs, physical + Math.min(saveIntervalMs, AHEAD_WINDOW_MS))
    return Math.min(end, Math.max(wall, this.#guard.steady()) + maxLeadMs, 2 ** 45)
  }

  #runsLow(): boolean {
    const { saveIntervalMs } = this.#options
    return this.#window.endMs - this.#window.physicalMs <= Math.min(saveIntervalMs, AHEAD_WINDOW_MS) / 2
  }

  #saveInBackground(): void {
    this.#save().catch(() => (this.#resting = true))
  }

  /** One save at a time; resolves when the window reaches further than before. */
  #save(beyondMs: number = 0): Promise<void> {
    this.#saving ??= this.#extend(beyondMs).finally(() => (this.#saving = undefined))
    return this.#saving
  }

  async #extend(beyondMs: number): Promise<void> {
    const wall = this.#guard.read()
    const { physicalMs, endMs } = this.#window
    const wanted = this.#endFor(Math.max(wall, physicalMs, beyondMs), wall)
    // Also when the window is long enough: whether the record is still ours shows only in a save.
    const end = Math.max(wanted, Math.min(endMs + 1, this.#guard.steady() + this.#options.maxLeadMs))
    const startedAt = this.#guard.monotonic()
    try {
      if (end <= endMs) {
        const leadMs = endMs - wall
        throw new TsoError('TSO_CLOCK_BEHIND', `the window ends ${leadMs} ms ahead of the wall clock`, { details: { leadMs } })
      }
      await this.#saver.saveTimestamp(end)
    } catch (error) {
      throw this.#saveFailed(error)
    }
    this.#saveTookMs = Math.ceil(this.#guard.monotonic() - startedAt)
    if (this.#status !== 'serving') return
    this.#window.publish(end)
    this.#saved()
  }

  #saved(): void {
    this.#saves++
    this.#resting = false
    this.#savedAtMono = this.#guard.monotonic()
  }

  #saveFailed(error: unknown): unknown {
    if (this.#status === 'closed') return error
    this.#saveFailures++
    this.#lastSaveError = error
    if (error instanceof TsoError && (error.code === 'TSO_FENCED' || error.code === 'TSO_CORRUPT') && this.#status === 'serving') {
      this.#status = 'fenced'
      this.#failure = error
      this.#cancelTick?.()
      this.#report({ type: 'fenced', error })
    } else this.#report({ type: 'save-failed', error })
    return error
  }

  /** Half a window after the last save comes the next, also when idle: so a lost record is noticed in time. */
  #schedule(): void {
    const { clock, saveIntervalMs } = this.#options
    this.#cancelTick = clock.setTimer(() => {
      if (this.#status !== 'serving') return
      this.#resting = false
      if (this.#guard.monotonic() - this.#savedAtMono >= saveIntervalMs / 2) this.#saveInBackground()
      this.#schedule()
    }, Math.ceil(saveIntervalMs / 4))
  }

  #checkServing(): void {
    if (this.#status === 'closed') throw new TsoError('TSO_CLOSED', 'the oracle was closed')
    if (this.#status === 'fenced') throw this.#failure
  }

  #report(event: TsoEvent): void {
    try {
      this.#options.onEvent?.(event)
    } catch {
      // A listener's mistake must not stop the clock.
    }
  }
}
