/** A process of the simulation: its own clocks, which run at their own rate, and timers that die with it. It may be suspended. */
import type { Clock } from '../clock.ts'
import type { SimulatedClock } from './simulated-clock.ts'

export class SimulatedProcess implements Clock {
  readonly name: string
  alive = true
  readonly #base: SimulatedClock
  readonly #rate: number
  #offset: number
  #frozenAt: number | undefined
  /** While suspended: what would have been run, and since when (monotonic) if that clock stands still too. */
  #held: (() => void)[] | undefined
  #stoppedAt: number | undefined
  /** What the monotonic clock missed while it stood still. */
  #missedMs = 0
  /** Goes on while the machine sleeps; in steps of 10 ms, as on Linux. */
  readonly uptime?: () => number

  constructor(name: string, base: SimulatedClock, offset: number, rate: number = 1, hasUptime: boolean = false) {
    this.name = name
    if (hasUptime) this.uptime = () => Math.floor((base.monotonic() * rate) / 10) * 10
    this.#base = base
    this.#offset = offset
    this.#rate = rate
  }

  now(): number {
    return this.#frozenAt ?? this.#base.now() + this.#offset + this.#base.monotonic() * (this.#rate - 1)
  }

  monotonic(): number {
    return this.#stoppedAt ?? this.#base.monotonic() * this.#rate - this.#missedMs
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    return this.#base.setTimer(() => this.deliver(callback), delayMs / this.#rate)
  }

  /** Runs it now, or when the process goes on, or never. */
  deliver(run: () => void): void {
    if (!this.alive) return
    if (this.#held === undefined) run()
    else this.#held.push(run)
  }

  get isSuspended(): boolean {
    return this.#held !== undefined
  }

  /** @param stopsMonotonic as when a whole machine sleeps. */
  suspend(stopsMonotonic: boolean): void {
    if (this.#held !== undefined) return
    this.#held = []
    if (stopsMonotonic) this.#stoppedAt = this.monotonic()
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    if (this.#stoppedAt !== undefined) this.#missedMs = this.#base.monotonic() * this.#rate - this.#stoppedAt
    this.#stoppedAt = undefined
    for (const run of held) this.#base.setTimer(() => this.deliver(run), 0)
  }

  jump(ms: number): void {
    this.#offset += ms
  }

  /** The wall clock stands still, or goes on from where it should be. */
  freeze(on: boolean): void {
    this.#frozenAt = on ? this.now() : undefined
  }

  get offset(): number {
    return this.#offset
  }
}
