/**
 * The wall clock, with its jumps noticed. A step back is passed on as it is (whoever asks holds what it had); a step
 * forward of more than `maxForwardJumpMs` is refused, because a timestamp from the future would stay for ever
 * (PD #940): until the clock is near again, time goes on from the last accepted reading by the monotonic clock.
 */
import type { Clock } from './clock.ts'

export type ClockState = 'steady' | 'behind' | 'jumped'

/** So long may readings rely on one comparison with the monotonic clock. */
const RECHECK_MS = 1_000

export class ClockGuard {
  readonly #clock: Clock
  readonly #maxForwardJumpMs: number
  readonly #fastMs: number
  readonly #onChange: (state: ClockState, byMs: number) => void
  /** The last accepted pair of readings, and the highest wall time carried on by the monotonic clock to that moment. */
  #wall: number
  #mono: number
  #steady: number
  /** The highest accepted reading, and the last answer. */
  #peak: number
  #last: number
  #state: ClockState = 'steady'
  #offByMs = 0

  constructor(clock: Clock, maxForwardJumpMs: number, onChange: (state: ClockState, byMs: number) => void) {
    this.#clock = clock
    this.#maxForwardJumpMs = maxForwardJumpMs
    this.#fastMs = Math.min(maxForwardJumpMs, RECHECK_MS)
    this.#onChange = onChange
    this.#wall = this.#steady = this.#peak = this.#last = Math.floor(clock.now())
    this.#mono = clock.monotonic()
  }

  get state(): ClockState {
    return this.#state
  }

  /** How far the clock is behind its own past, or how far ahead the refused jump is; 0 when steady. */
  get offByMs(): number {
    return this.#offByMs
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  /** Whole milliseconds. */
  read(): number {
    const wall = Math.floor(this.#clock.now())
    if (this.#state === 'steady' && wall >= this.#last && wall - this.#wall <= this.#fastMs) {
      this.#last = wall
      return wall
    }
    return this.#compare(wall)
  }

  /** The highest wall time seen so far, carried on by the monotonic clock: what the time would be without a step back. */
  steady(): number {
    this.read()
    return Math.max(this.#last, Math.floor(this.#steady + (this.#clock.monotonic() - this.#mono)))
  }

  /** Believe the clock as it is now: what an operator does after a refused jump that was right. */
  accept(): void {
    this.#peak = 0
    this.#accept(Math.floor(this.#clock.now()), this.#clock.monotonic(), 0)
    this.#change('steady', 0)
  }

  #compare(wall: number): number {
    const mono = this.#clock.monotonic()
    const elapsed = Math.max(0, mono - this.#mono)
    const expected = Math.floor(this.#wall + elapsed)
    const steady = Math.floor(this.#steady + elapsed)
    if (!Number.isFinite(wall) || wall - steady > this.#maxForwardJumpMs) {
      this.#change('jumped', wall - expected)
      return (this.#last = Math.max(this.#last, expected))
    }
    const behind = Math.max(this.#peak, this.#last) - wall
    this.#peak = Math.max(this.#peak, this.#last)
    this.#accept(wall, mono, steady)
    this.#change(behind > 0 ? 'behind' : 'steady', Math.max(0, behind))
    return wall
  }

  #accept(wall: number, mono: number, steady: number): void {
    this.#wall = this.#last = wall
    this.#mono = mono
    this.#steady = Math.max(steady, wall)
    this.#peak = Math.max(this.#peak, wall)
  }

  #change(state: ClockState, byMs: number): void {
    this.#offByMs = byMs
    if (state === this.#state) return
    this.#state = state
    this.#onChange(state, byMs)
  }
}
