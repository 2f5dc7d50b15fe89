/** Virtual time, seeded chance and a record of what happened: what every part of a simulated node shares. */
import { SeededRandom, SimulatedClock } from '@timetick/tso/testing'

/** Shares of calls at the ports of a node that go wrong. */
export interface FaultRates {
  /** Refused before anything was done. */
  readonly refuse: number
  /** Done, but the answer is lost. */
  readonly lose: number
  /** Takes up to `lateMs` instead of a millisecond or two. */
  readonly late: number
  readonly lateMs: number
}

export const NO_FAULTS: FaultRates = { refuse: 0, lose: 0, late: 0, lateMs: 0 }

export type Port = 'kv' | 'log' | 'storage' | 'engine'

export class World {
  readonly seed: number
  readonly random: SeededRandom
  readonly clock = new SimulatedClock()
  /** How often each thing happened; of rare states a run must reach some. */
  readonly counts = new Map<string, number>()
  readonly violations: string[] = []
  readonly #rates: Record<Port, FaultRates>
  readonly #buggified = new Map<string, boolean>()
  /** The last lines of the trace, for a failure's message. */
  readonly #recent: string[] = []
  readonly #waiting = new Set<{ readonly what: string; readonly since: number }>()
  #hash = 0x811c9dc5
  #starts = 0
  faults = true
  diskIsFull = false
  /** A write has one timestamp, by which it is ordered among all; else each of its channels has its own. */
  ordersByTime = true
  /** The world ends with the first broken promise. */
  stopAtFirst = false

  constructor(seed: number) {
    this.seed = seed
    this.random = new SeededRandom(seed)
    // Each seed has its own mixture of faults, and many have none of a kind.
    const rate = (most: number): number => (this.random.chance(0.4) ? 0 : this.random.next() * most)
    const rates = (most: number): FaultRates => ({ refuse: rate(most), lose: rate(most), late: rate(0.2), lateMs: this.random.pick([20, 300, 4_000]) })
    this.#rates = { kv: rates(0.03), log: rates(0.004), storage: rates(0.1), engine: rates(0.03) }
  }

  ratesOf(port: Port): FaultRates {
    return this.faults ? this.#rates[port] : NO_FAULTS
  }

  /** A point that is on in a quarter of the seeds, and then fires a quarter of the time. */
  buggify(name: string): boolean {
    let on = this.#buggified.get(name)
    if (on === undefined) this.#buggified.set(name, (on = this.random.chance(0.25)))
    const fires = on && this.faults && this.random.chance(0.25)
    if (fires) this.sometimes(`buggify ${name}`)
    return fires
  }

  sometimes(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  note(what: string): void {
    const line = `${this.clock.monotonic()} ${what}`
    for (let index = 0; index < line.length; index++) this.#hash = Math.imul(this.#hash ^ line.charCodeAt(index), 0x01000193)
    // Ticks would drown the rest.
    if (what === 'log.send' || what === 'log.read' || what === 'kv.compareAndSave') return
    this.#recent.push(line)
    if (this.#recent.length > 4_000) this.#recent.splice(0, 2_000)
  }

  violated(what: string): void {
    this.note(`VIOLATION ${what}`)
    this.violations.push(`${this.clock.monotonic()} ms: ${what}`)
  }

  /** Equal for equal runs. */
  get trace(): string {
    return (this.#hash >>> 0).toString(16)
  }

  recent(lines: number): string {
    return this.#recent.slice(-lines).join('\n')
  }

  /** Numbers the starts of nodes. */
  nextStart(): number {
    return (this.#starts += 1)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(resolve, ms))
  }

  /** Someone waits for an answer; the result says that it waits no more. */
  waits(what: string): () => void {
    const waiting = { what, since: this.clock.monotonic() }
    this.#waiting.add(waiting)
    return () => void this.#waiting.delete(waiting)
  }

  /** Who waits for what, the longest first. */
  waiting(): string[] {
    const now = this.clock.monotonic()
    return [...this.#waiting].map(({ what, since }) => `${what}, for ${now - since} ms`)
  }

  /**
   * Lets the world run until `work` has settled; one turn of the real event loop or more between two events. Rejects after so much virtual
   * time, or so many events, with what is waited for.
   */
  async until(work: Promise<unknown>, { maxMs = Infinity, maxEvents = Infinity }: { readonly maxMs?: number | undefined; readonly maxEvents?: number | undefined } = {}): Promise<void> {
    let settled = false
    const last = this.clock.monotonic() + maxMs
    let events = 0
    const settle = (): void => void (settled = true)
    work.then(settle, settle)
    await drain()
    while (!settled && !(this.stopAtFirst && this.violations.length > 0)) {
      if (this.clock.monotonic() > last || (events += 1) > maxEvents) throw new Error(`seed ${this.seed} does not end: after ${this.clock.monotonic()} ms and ${events} events these wait: ${this.waiting().join('; ')}`)
      if (!this.clock.runNext()) throw new Error('nothing is left to happen, and the work has not ended')
      await drain()
    }
  }
}

const TURNS = 3

/** All microtasks, and what graphs and writers put off to the next turns. */
async function drain(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => void setImmediate(resolve))
}
