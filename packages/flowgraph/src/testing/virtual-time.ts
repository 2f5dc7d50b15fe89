import type { Clock } from '../clock.ts'
import type { Scheduler } from '../scheduler.ts'
import { seeded } from './seeded.ts'

/**
 * Rounds of settled promises before the next turn; without a turn, before time jumps to the next timer; without a timer,
 * before a stall is told.
 */
const ROUNDS = 32
const TIMER_ROUNDS = 256
const STALL_ROUNDS = 20_000

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

/**
 * A clock and an event loop without time: turns come in the order they were asked for, time stands still until nothing else
 * can happen, then jumps to the next timer. The same program runs the same way each time.
 */
export class VirtualTime {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly #choose: (count: number) => number
  #time = 0
  #order = 0
  readonly #turns = new Set<{ readonly callback: () => void }>()
  readonly #timers = new Set<Timer>()

  /** With a `seed`, turns, timers of one instant and the nodes of a graph go in an order drawn from it: one interleaving for each seed. */
  constructor(options: { readonly seed?: number | undefined } = {}) {
    const random = options.seed === undefined ? undefined : seeded(options.seed)
    this.#choose = random === undefined ? () => 0 : (count) => Math.floor(random() * count)
    this.clock = {
      now: () => this.#time,
      monotonic: () => this.#time,
      setTimer: (callback, delayMs) => {
        const timer = { at: this.#time + delayMs, order: this.#order++, callback }
        this.#timers.add(timer)
        return () => void this.#timers.delete(timer)
      },
    }
    this.scheduler = {
      ...(random === undefined ? {} : { choose: this.#choose }),
      schedule: (callback) => {
        const turn = { callback }
        this.#turns.add(turn)
        return () => void this.#turns.delete(turn)
      },
    }
  }

  /** Timers that are set: none should be left at the end. */
  get timers(): number {
    return this.#timers.size
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(resolve, ms))
  }

  /** Run until `promise` settles; rejects when nothing can happen any more and it has not: a stall. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    void promise.catch(() => {}).finally(() => (settled = true))
    let idleRounds = 0
    for (;;) {
      for (let round = 0; round < ROUNDS && !settled; round++) await Promise.resolve()
      if (settled) return promise
      idleRounds = this.#turn() || (idleRounds >= TIMER_ROUNDS && this.#fire()) ? 0 : idleRounds + ROUNDS
      if (idleRounds > STALL_ROUNDS) throw new Error(`stalled: nothing is scheduled and no timer is set at ${this.#time} ms`)
    }
  }

  #turn(): boolean {
    const turn = this.#turns.size < 2 ? [...this.#turns][0] : [...this.#turns][this.#choose(this.#turns.size)]
    if (turn === undefined) return false
    this.#turns.delete(turn)
    turn.callback()
    return true
  }

  #fire(): boolean {
    const sorted = [...this.#timers].toSorted((a, b) => a.at - b.at || a.order - b.order)
    const due = sorted.filter(({ at }) => at <= (sorted[0]?.at ?? 0))
    const timer = due[due.length < 2 ? 0 : this.#choose(due.length)]
    if (timer === undefined) return false
    this.#timers.delete(timer)
    this.#time = Math.max(this.#time, timer.at)
    timer.callback()
    return true
  }
}
