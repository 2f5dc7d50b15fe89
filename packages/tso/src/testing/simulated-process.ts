/** A process of the simulation: its own wall clock, timers that die with it. */
import type { Clock } from '../clock.ts'
import type { SimulatedClock } from './simulated-clock.ts'

export class SimulatedProcess implements Clock {
  readonly name: string
  alive = true
  readonly #base: SimulatedClock
  #offset: number
  #frozenAt: number | undefined

  constructor(name: string, base: SimulatedClock, offset: number) {
    this.name = name
    this.#base = base
    this.#offset = offset
  }

  now(): number {
    return this.#frozenAt ?? this.#base.now() + this.#offset
  }

  monotonic(): number {
    return this.#base.monotonic()
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    return this.#base.setTimer(() => {
      if (this.alive) callback()
    }, delayMs)
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
