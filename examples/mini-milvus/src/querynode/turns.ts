/**
 * Turns of the event loop for long reads: however many segments and requests have work to do, of all of them together a turn does
 * some milliseconds, and whoever waits goes on in the order in which they came.
 */
import type { NodeClock } from '../edge/system.ts'

const TURN_MS = 5

type TurnClock = Pick<NodeClock, 'monotonic' | 'yieldToLoop'>

export class Turns {
  readonly #clock: TurnClock
  readonly #waiting: (() => void)[] = []
  /** Since when there is long work in this turn of the loop; undefined: there was none yet. */
  #start: number | undefined
  #isRunning = false

  constructor(clock: TurnClock) {
    this.#clock = clock
  }

  /** Undefined: there is time left in this turn. To be asked before each slice of a few milliseconds at most. */
  next(): Promise<void> | undefined {
    if (this.#start === undefined) {
      this.#start = this.#clock.monotonic()
      if (!this.#isRunning) void this.#run()
      return undefined
    }
    if (this.#waiting.length === 0 && this.#clock.monotonic() - this.#start < TURN_MS) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    await this.#clock.yieldToLoop()
    for (let resolve = this.#waiting.shift(); resolve !== undefined; resolve = this.#waiting.shift()) {
      // Whoever goes on now asks again before its next slice: until then the turn is its own.
      this.#start = this.#clock.monotonic()
      resolve()
      await this.#clock.yieldToLoop()
    }
    this.#start = undefined
    this.#isRunning = false
  }
}

const ofClock = new WeakMap<TurnClock, Turns>()

/** Those of the event loop that the clock belongs to. */
export function turnsOf(clock: TurnClock): Turns {
  let turns = ofClock.get(clock)
  if (turns === undefined) ofClock.set(clock, (turns = new Turns(clock)))
  return turns
}
