/**
 * Candidates for the leadership on one store, under a seeded schedule of calls, crashes, suspended processes, clock jumps and drift, lost and
 * late answers, in virtual time. Over all of them a call that starts after another returned must get a greater timestamp. Then the faults
 * stop, and one must lead, serve, and be known to all.
 */
import { isTsoError } from '../errors.ts'
import { startTimestampLeader } from '../leader.ts'
import type { TimestampLeader, TimestampLeaderOptions } from '../leader.ts'
import { drainMicrotasks } from './drain.edge.ts'
import { TimestampHistory } from './history.ts'
import { SeededRandom } from './random.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { NO_STORE_FAULTS, SimulatedStore } from './simulated-store.ts'
import type { OracleSimulationResult } from './simulator.ts'

export type StartLeader = (options: TimestampLeaderOptions) => TimestampLeader

export interface LeaderSimulationOptions {
  readonly seed: number
  /** What is tested; broken ones show that the simulation can fail. Default {@link startTimestampLeader}. */
  readonly start?: StartLeader | undefined
  /** Events before the faults stop. Default 400. */
  readonly events?: number | undefined
}

interface Candidate {
  readonly process: SimulatedProcess
  readonly leader: TimestampLeader
  /** It reaches the store no more, but is reached by its clients. */
  isCut: boolean
  /** When its wall clock was set last: with no clock that counts sleep, one that follows at once is not noticed. */
  setAtMs: number
}

const TTL_MS = 1_000
/** After the faults: what was sent before may arrive for 10 s more; then a lease, an election, and the opening of an oracle. */
const RECOVERY_MS = 10_000 + 4 * TTL_MS

export async function simulateLeaders({ seed, start = startTimestampLeader, events = 400 }: LeaderSimulationOptions): Promise<OracleSimulationResult> {
  const simulation = new LeaderSimulation(seed, start)
  await simulation.run(events)
  return simulation.result()
}

class LeaderSimulation {
  readonly #seed: number
  readonly #start: StartLeader
  readonly #random: SeededRandom
  readonly #clock = new SimulatedClock()
  readonly #store: SimulatedStore
  readonly #history = new TimestampHistory()
  readonly #candidates: (Candidate | undefined)[]
  readonly #rates: { crash: number; suspend: number; jump: number; setBack: number; resign: number; cut: number }
  readonly #maxDrift: number
  readonly #pollMs: number
  readonly #counts: Record<string, number> = {}
  #lives = 0
  #hash = 0x811c9dc5

  constructor(seed: number, start: StartLeader) {
    const random = new SeededRandom(seed)
    this.#seed = seed
    this.#start = start
    this.#random = random
    this.#store = new SimulatedStore(this.#clock, random, () => undefined)
    this.#candidates = Array.from({ length: random.integer(2, 5) }, () => undefined)
    const rate = (most: number): number => (random.chance(0.4) ? 0 : random.next() * most)
    this.#rates = { crash: rate(0.02), suspend: rate(0.05), jump: rate(0.03), setBack: rate(0.03), resign: rate(0.02), cut: rate(0.1) }
    this.#maxDrift = random.pick([0, 0.09])
    this.#pollMs = random.pick([10, 100])
    this.#store.faults = { loss: rate(0.2), refusal: rate(0.1), late: rate(0.2), lateMs: random.pick([50, 1_000, 10_000]) }
  }

  async run(events: number): Promise<void> {
    for (let slot = 0; slot < this.#candidates.length; slot++) this.#launch(slot)
    for (let event = 0; event < events; event++) {
      if (this.#random.chance(0.4)) this.#act()
      else if (this.#random.chance(0.1) || !this.#clock.runNext()) this.#clock.advance(this.#random.integer(1, TTL_MS / 4))
      await drainMicrotasks()
    }
    await this.#recover()
    for (const candidate of this.#candidates) if (candidate !== undefined) candidate.process.alive = false
  }

  result(): OracleSimulationResult {
    const violations = this.#history.check()
    return { seed: this.#seed, violations, trace: (this.#hash >>> 0).toString(16), counts: this.#counts }
  }

  #launch(slot: number): void {
    const name = `p${slot}.${++this.#lives}`
    const rate = 1 + this.#random.pick([-1, 1, this.#random.next()]) * this.#maxDrift
    const process = new SimulatedProcess(name, this.#clock, this.#random.integer(-20, 20), rate, this.#random.chance(0.7))
    let terms = 0
    const isReached = (): boolean => process.alive && this.#candidates[slot]?.isCut !== true
    const leader = this.#start({
      kv: this.#store.connect(isReached, (run) => process.deliver(run)),
      name,
      clock: process,
      ttlMs: TTL_MS,
      pollMs: this.#pollMs,
      saveIntervalMs: 500,
      saveTimeoutMs: 300,
      // Clocks that jumped by hours are not what is looked for here.
      maxLeadMs: 7 * 86_400_000,
      createOwner: () => `${name}.${++terms}`,
      onEvent: ({ type }) => this.#note(type, slot),
    })
    this.#candidates[slot] = { process, leader, isCut: false, setAtMs: -Infinity }
  }

  #act(): void {
    const slot = this.#random.integer(0, this.#candidates.length - 1)
    const candidate = this.#candidates[slot]
    if (candidate === undefined) return this.#random.chance(0.3) ? this.#launch(slot) : undefined
    const { process, leader } = candidate
    if (process.isSuspended) {
      if (!this.#random.chance(0.05)) return
      process.resume()
      // What was asked of a sleeping process comes first when it wakes.
      return this.#call(leader, slot)
    }
    const { crash, suspend, jump, setBack, resign, cut } = this.#rates
    if (this.#random.chance(candidate.isCut ? 0.03 : cut)) {
      candidate.isCut = !candidate.isCut
      return this.#note('cut off', slot)
    }
    if (this.#random.chance(crash)) {
      process.alive = false
      this.#candidates[slot] = undefined
      return this.#note('crash', slot)
    }
    if (this.#random.chance(suspend)) {
      const isNoticed = process.uptime !== undefined || this.#clock.monotonic() - candidate.setAtMs > TTL_MS / 8
      process.suspend(this.#random.chance(0.5) && isNoticed)
      return this.#note('suspended', slot)
    }
    if (this.#random.chance(jump)) {
      candidate.setAtMs = this.#clock.monotonic()
      return process.jump(this.#random.pick([-3_600_000, -5_000, -300, 300, 5_000, 3_600_000]))
    }
    if (this.#random.chance(setBack)) {
      // As when a machine is paused, its clock is set right by the host, and it is paused again.
      process.jump(this.#random.pick([-300, -5_000, -3_600_000]))
      candidate.setAtMs = this.#clock.monotonic()
      process.suspend(process.uptime !== undefined)
      return this.#note('set back and suspended', slot)
    }
    if (this.#random.chance(resign)) {
      leader.resign().catch(() => this.#history.violations.push('resign failed'))
      return this.#note('resign', slot)
    }
    this.#call(leader, slot)
  }

  /** Under one name for all: the order holds over the whole cluster. */
  #call(leader: TimestampLeader, slot: number): void {
    const count = this.#random.pick([1, 1, 10, 1_000, 262_143])
    const call = this.#history.start('the cluster')
    if (this.#random.chance(0.5)) {
      const range = leader.tryGetTimestamp(count)
      if (range === undefined) return this.#note('nothing at once', slot)
      this.#history.end(call, range, count)
      return this.#note('served', slot)
    }
    leader.getTimestamp(count).then(
      (range) => {
        this.#history.end(call, range, count)
        this.#note('served', slot)
      },
      (error: unknown) => this.#note(`refused: ${isTsoError(error) ? error.code : String(error)}`, slot),
    )
  }

  async #recover(): Promise<void> {
    this.#store.faults = NO_STORE_FAULTS
    for (const [slot, candidate] of this.#candidates.entries()) {
      if (candidate === undefined) this.#launch(slot)
      else {
        candidate.process.resume()
        candidate.isCut = false
      }
    }
    const deadline = this.#clock.monotonic() + RECOVERY_MS
    let state = ''
    while (this.#clock.monotonic() < deadline) {
      this.#clock.advance(10)
      await drainMicrotasks()
      state = this.#agreement()
      if (state === '') return this.#count('recovered')
    }
    this.#history.violations.push(`no agreement ${RECOVERY_MS} ms after the faults: ${state}`)
  }

  /** Empty when one leads and serves, and all name it. */
  #agreement(): string {
    const leaders = this.#candidates.flatMap((candidate) => candidate?.leader ?? [])
    const leading = leaders.filter(({ states }) => states.role === 'leading')
    if (leading.length > 1) this.#history.violations.push('two lead at once')
    const names = new Set(leaders.map(({ states }) => states.leader))
    if (leading.length !== 1 || names.size !== 1) return leaders.map(({ states }) => `${states.role} under ${states.leader}`).join(', ')
    const call = this.#history.start('the cluster')
    const range = leading[0]?.tryGetTimestamp(7)
    if (range === undefined) return 'it does not serve'
    this.#history.end(call, range, 7)
    return ''
  }

  #note(what: string, slot: number): void {
    this.#count(what)
    const line = `${this.#clock.monotonic()} ${what} ${slot}`
    for (let index = 0; index < line.length; index++) this.#hash = Math.imul(this.#hash ^ line.charCodeAt(index), 0x01000193)
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1
  }
}
