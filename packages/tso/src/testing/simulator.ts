/**
 * One to five oracles on one store, under a seeded schedule of calls, clock jumps, crashes, lost and late answers, all in
 * virtual time. Every await of an oracle is a moment at which it may die. Then the faults stop, and one oracle must serve.
 */
import { openTimestampOracle } from '../oracle.ts'
import type { TimestampOracle, TimestampOracleOptions } from '../oracle.ts'
import { isTsoError } from '../errors.ts'
import { composeTimestamp } from '../timestamp.ts'
import { drainMicrotasks } from './drain.edge.ts'
import { TimestampHistory } from './history.ts'
import { SeededRandom } from './random.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { NO_STORE_FAULTS, SimulatedStore } from './simulated-store.ts'

export type OpenOracle = (options: TimestampOracleOptions) => Promise<TimestampOracle>

export interface OracleSimulationOptions {
  readonly seed: number
  /** What is tested; broken ones show that the simulation can fail. Default {@link openTimestampOracle}. */
  readonly open?: OpenOracle | undefined
  /** Events before the faults stop. Default 250. */
  readonly events?: number | undefined
}

export interface OracleSimulationResult {
  readonly seed: number
  /** Broken promises; empty when all is well. */
  readonly violations: readonly string[]
  /** Changes with everything that happened: the same seed gives the same. */
  readonly trace: string
  /** Ranges served, and how often what was meant to happen did. */
  readonly counts: Readonly<Record<string, number>>
}

/** A process with its oracle, from its start to its crash. */
interface Member {
  readonly process: SimulatedProcess
  oracle: TimestampOracle | undefined
}

export async function simulateOracles(options: OracleSimulationOptions): Promise<OracleSimulationResult> {
  const simulation = new Simulation(options)
  await simulation.run(options.events ?? 250)
  return simulation.result()
}

class Simulation {
  readonly #seed: number
  readonly #random: SeededRandom
  readonly #clock = new SimulatedClock()
  readonly #store: SimulatedStore
  readonly #history = new TimestampHistory()
  readonly #open: OpenOracle
  readonly #saveIntervalMs: number
  readonly #maxLeadMs: number
  readonly #maxForwardJumpMs: number
  readonly #offsets: number[]
  readonly #members: (Member | undefined)[]
  /** By slot: so often it was started. */
  readonly #lives: number[]
  readonly #maxBurstMs: number
  readonly #maxDrift: number
  readonly #rates: { crash: number; jump: number; freeze: number; set: number; suspend: number }
  readonly #counts: Record<string, number> = {}
  #owner = ''
  #epoch = 0
  readonly #epochOf = new Map<string, number>()
  #windowEndMs: number | undefined
  #hash = 0x811c9dc5

  constructor({ seed, open = openTimestampOracle }: OracleSimulationOptions) {
    const random = new SeededRandom(seed)
    this.#seed = seed
    this.#random = random
    this.#open = open
    this.#store = new SimulatedStore(this.#clock, random, (value) => this.#written(value))
    this.#saveIntervalMs = random.pick([20, 100, 500, 3_000])
    this.#maxLeadMs = random.pick([5_000, 3_600_000, 172_800_000])
    this.#maxForwardJumpMs = random.pick([1_000, 86_400_000, Infinity])
    this.#maxBurstMs = random.pick([1, 20, 1_000, Infinity])
    this.#maxDrift = random.pick([0, 0.01, 0.1])
    const slots = random.integer(1, 5)
    this.#offsets = Array.from({ length: slots }, () => random.integer(-50, 50))
    this.#members = Array.from({ length: slots }, () => undefined)
    this.#lives = Array.from({ length: slots }, () => 0)
    // Each seed has its own mixture of faults, and many have none of a kind.
    const rate = (most: number): number => (random.chance(0.4) ? 0 : random.next() * most)
    this.#rates = { crash: rate(0.1), jump: rate(0.1), freeze: rate(0.05), set: rate(0.05), suspend: rate(0.05) }
    this.#store.faults = { loss: rate(0.3), refusal: rate(0.2), late: rate(0.3), lateMs: random.pick([50, 1_000, 10_000]) }
  }

  async run(events: number): Promise<void> {
    for (let slot = 0; slot < this.#members.length; slot++) this.#start(slot)
    for (let event = 0; event < events; event++) {
      if (this.#random.chance(0.5)) this.#act()
      else if (!this.#clock.runNext()) this.#clock.advance(1)
      await drainMicrotasks()
    }
    await this.#finish()
  }

  result(): OracleSimulationResult {
    const violations = this.#history.check()
    return { seed: this.#seed, violations, trace: (this.#hash >>> 0).toString(16), counts: this.#counts }
  }

  /** One thing happens to one process. */
  #act(): void {
    const slot = this.#random.integer(0, this.#members.length - 1)
    const member = this.#members[slot]
    if (member === undefined) return this.#random.chance(0.3) ? this.#start(slot) : undefined
    const { crash, jump, freeze, set, suspend } = this.#rates
    const { process, oracle } = member
    if (process.isSuspended) {
      if (this.#random.chance(0.1)) process.resume()
      return
    }
    if (this.#random.chance(crash)) return this.#crash(slot)
    if (this.#random.chance(jump)) {
      const ms = this.#random.pick([-86_400_000, -3_600_000, -5_000, -20, -1, 1, 30, 900, 4_000, 3_600_000, 86_400_000])
      process.jump(ms)
      this.#offsets[slot] = process.offset
      return this.#note('jump', slot, ms)
    }
    if (this.#random.chance(freeze)) return process.freeze(this.#random.chance(0.6))
    if (this.#random.chance(suspend)) {
      process.suspend(this.#random.chance(0.5))
      return this.#note('suspended', slot, 0)
    }
    if (oracle === undefined) return
    if (this.#random.chance(set)) return this.#set(process.name, oracle)
    this.#call(process.name, oracle)
  }

  #start(slot: number): void {
    const life = (this.#lives[slot] = (this.#lives[slot] ?? 0) + 1)
    const name = `p${slot}.${life}`
    const process = new SimulatedProcess(name, this.#clock, this.#offsets[slot] ?? 0, 1 + (2 * this.#random.next() - 1) * this.#maxDrift)
    const member: Member = { process, oracle: undefined }
    this.#members[slot] = member
    this.#note('start', slot, life)
    this.#openFor(process).then(
      (oracle) => {
        member.oracle = oracle
      },
      (error: unknown) => {
        this.#note(`open failed: ${isTsoError(error) ? error.code : String(error)}`, slot, life)
        if (this.#members[slot] === member) this.#crash(slot)
      },
    )
  }

  async #openFor(process: SimulatedProcess): Promise<TimestampOracle> {
    const oracle = await this.#open({
      kv: this.#store.connect(() => process.alive, (run) => process.deliver(run)),
      clock: process,
      owner: process.name,
      saveIntervalMs: this.#saveIntervalMs,
      saveTimeoutMs: 300,
      maxLeadMs: this.#maxLeadMs,
      maxBurstMs: this.#maxBurstMs,
      maxForwardJumpMs: this.#maxForwardJumpMs,
      maxClockWaitMs: 1_000,
      onEvent: ({ type }) => this.#count(type),
    })
    const epoch = this.#epochOf.get(process.name)
    if (epoch !== undefined) this.#history.opened(process.name, epoch)
    this.#note('open', epoch ?? -1, 0)
    return oracle
  }

  /** What the process had sent may still arrive; nothing else of it happens any more. */
  #crash(slot: number): void {
    const member = this.#members[slot]
    if (member === undefined) return
    member.process.alive = false
    this.#members[slot] = undefined
    this.#note('crash', slot, 0)
  }

  #call(name: string, oracle: TimestampOracle): void {
    const count = this.#random.pick([1, 1, 1, 10, 1_000, 131_072, 262_143])
    const call = this.#history.start(name)
    if (this.#random.chance(0.5)) {
      const range = oracle.tryGetTimestamp(count)
      if (range === undefined) return this.#note('nothing at once', count, 0)
      this.#history.end(call, range, count, this.#windowEndMs)
      return this.#note('served', count, Number(range.last & 0xffffffffn))
    }
    oracle.getTimestamp(count).then(
      (range) => {
        this.#history.end(call, range, count, this.#windowEndMs)
        this.#note('served', count, Number(range.last & 0xffffffffn))
      },
      (error: unknown) => this.#note(`refused: ${isTsoError(error) ? error.code : String(error)}`, count, 0),
    )
  }

  #set(name: string, oracle: TimestampOracle): void {
    const ms = Math.max(0, oracle.states.physicalMs + this.#random.integer(-10, 4_000))
    oracle.setTimestamp(composeTimestamp(ms)).then(
      () => this.#note('set', ms % 100_000, 0),
      (error: unknown) => this.#note(`set refused: ${isTsoError(error) ? error.code : String(error)}`, 0, name.length),
    )
  }

  /** Faults stop; a new oracle must serve within a minute of virtual time. */
  async #finish(): Promise<void> {
    this.#store.faults = NO_STORE_FAULTS
    for (let slot = 0; slot < this.#members.length; slot++) this.#crash(slot)
    // What was sent may still arrive, and move the window.
    this.#clock.advance(60_000)
    await drainMicrotasks()
    const ahead = Math.max(0, (this.#windowEndMs ?? 0) - this.#clock.now())
    const process = new SimulatedProcess('last', this.#clock, ahead > this.#maxLeadMs - 1_000 ? ahead : 0)
    let served = false
    const serve = async (): Promise<void> => {
      const oracle = await this.#openFor(process)
      const call = this.#history.start('last')
      this.#history.end(call, await oracle.getTimestamp(7), 7, this.#windowEndMs)
      served = true
      await oracle.close()
    }
    let failure: unknown
    serve().catch((error: unknown) => (failure = error))
    for (let turn = 0; turn < 600 && !served && failure === undefined; turn++) {
      this.#clock.advance(100)
      await drainMicrotasks()
    }
    if (!served) this.#history.violations.push(`after the faults nothing was served: ${String(failure)}`)
    process.alive = false
  }

  /** The checker reads the record as the oracle writes it; another form is not checked. */
  #written(value: string): void {
    const [, end, owner] = value.split(' ')
    if (owner === undefined || !/^[0-9]+$/.test(end ?? '')) return
    this.#note(`saved by ${owner}`, Number(end) % 1_000_000, 0)
    if (this.#windowEndMs !== undefined && Number(end) < this.#windowEndMs) this.#history.violations.push(`the window went back to ${end}`)
    this.#windowEndMs = Number(end)
    if (owner === this.#owner) return
    this.#owner = owner
    this.#epochOf.set(owner, ++this.#epoch)
  }

  #note(what: string, a: number, b: number): void {
    this.#count(what.startsWith('saved') ? 'saved' : what)
    const line = `${this.#clock.monotonic()} ${what} ${a} ${b}`
    for (let index = 0; index < line.length; index++) this.#hash = Math.imul(this.#hash ^ line.charCodeAt(index), 0x01000193)
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1
  }
}
