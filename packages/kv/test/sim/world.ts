/** One seed is the whole input: virtual time, one heap of events, chance, and what happened. */
import type { Clock } from '../../src/index.ts'
import { randomFrom } from '../../src/testing/random.ts'
import { turn } from './turn.edge.ts'

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

const START = 1_700_000_000_000
/** After so many turns with nothing to come nobody is going to make anything come. */
const IDLE_TURNS = 8

export class World {
  readonly trace: string[] = []
  readonly counts = new Map<string, number>()
  readonly random: () => number
  readonly clock: Clock
  #now = 0
  #order = 0
  #events: Event[] = []

  constructor(seed: number) {
    this.random = randomFrom(seed)
    this.clock = { now: () => START + this.#now, monotonic: () => this.#now, setTimer: (callback, delayMs) => this.after(Math.max(delayMs, 0), callback) }
  }

  get now(): number {
    return this.#now
  }

  /** True once in `1 / probability` times. */
  chance(probability: number): boolean {
    return this.random() < probability
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low)
  }

  note(what: string, detail = ''): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
    this.trace.push(`${this.#now.toFixed(3)} ${what} ${detail}`)
  }

  after(delayMs: number, run: () => void): () => void {
    const event: Event = { at: this.#now + delayMs, order: this.#order++, run }
    let at = this.#events.length
    while (at > 0 && (this.#events[at - 1]?.at ?? 0) > event.at) at--
    this.#events.splice(at, 0, event)
    return () => {
      const index = this.#events.indexOf(event)
      if (index >= 0) this.#events.splice(index, 1)
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve)
    })
  }

  /** Lets time pass until `work` is done. Rejects when it hangs, or takes longer than `limitMs`. */
  async run(work: Promise<void>, limitMs: number): Promise<void> {
    let over: { readonly error?: unknown } | undefined
    work.then(() => {
      over = {}
    }, (error: unknown) => {
      over = { error }
    })
    for (let idle = 0; over === undefined; ) {
      const event = idle >= 2 || this.#events.length === 0 ? undefined : this.#events.shift()
      if (event === undefined && this.#events.length === 0 && ++idle > IDLE_TURNS) throw new Error(`hangs at ${this.#now} ms`)
      if (event !== undefined) {
        idle = 0
        this.#now = Math.max(this.#now, event.at)
        if (this.#now > limitMs) throw new Error(`not done after ${limitMs} ms`)
        event.run()
      } else if (this.#events.length > 0) idle = 0
      await turn()
    }
    if ('error' in over) throw over.error
  }
}
