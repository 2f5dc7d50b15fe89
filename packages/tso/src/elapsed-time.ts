/**
 * Time that passed, never less than it was: by whichever clock went furthest. The monotonic clock may stand still while the machine
 * sleeps, and the wall clock may be set back; as both may happen within one lease, the time since the machine was started, which
 * counts its sleep and cannot be set, is asked too where there is one.
 */
import type { Clock } from './clock.ts'

export interface Moment {
  readonly steadyMs: number
  /** NaN without such a clock. */
  readonly uptimeMs: number
}

export class ElapsedTime {
  readonly begin: Moment
  readonly #clock: Clock
  #mono: number
  #wall: number
  /** The longer of both steps, summed: never slower than either clock between two looks. */
  #steadyMs = 0
  /** Asked once in a synchronous run: it costs microseconds, and a machine that sleeps within one is not noticed by its callers either. */
  #uptimeMs: number | undefined
  #cancelLook: (() => void) | undefined
  readonly #endRun = (): void => {
    this.#uptimeMs = undefined
  }

  /** Looks at the clocks every `lookMs` until {@link stop}. */
  constructor(clock: Clock, lookMs: number) {
    this.#clock = clock
    this.#mono = clock.monotonic()
    this.#wall = clock.now()
    this.begin = this.now()
    const look = (): void => {
      this.#step()
      this.#cancelLook = clock.setTimer(look, lookMs)
    }
    look()
  }

  stop(): void {
    this.#cancelLook?.()
  }

  now(): Moment {
    return { steadyMs: this.#step(), uptimeMs: this.#uptime() }
  }

  since(moment: Moment): number {
    const steady = this.#step() - moment.steadyMs
    const counted = this.#uptime() - moment.uptimeMs
    return counted > steady ? counted : steady
  }

  #uptime(): number {
    if (this.#uptimeMs === undefined) {
      this.#uptimeMs = this.#clock.uptime?.() ?? Number.NaN
      queueMicrotask(this.#endRun)
    }
    return this.#uptimeMs
  }

  #step(): number {
    const mono = this.#clock.monotonic()
    const wall = this.#clock.now()
    this.#steadyMs += Math.max(0, mono - this.#mono, wall - this.#wall)
    this.#mono = mono
    this.#wall = wall
    return this.#steadyMs
  }
}
