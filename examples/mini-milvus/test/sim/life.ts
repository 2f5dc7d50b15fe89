/** One life of a simulated process, from its start to its crash: its clock, and its calls to what survives it. */
import type { NodeClock } from '../../src/edge/system.ts'
import type { Port, World } from './world.ts'

export interface CallKind {
  readonly port: Port
  readonly name: string
  readonly write: boolean
  /** The error of a call that was refused, or of one whose answer was lost. */
  readonly failure: (outcome: 'not-applied' | 'unknown') => Error
}

/** A promise of its own each time: one for all would keep everything that ever waited for it. */
export const never = (): Promise<never> => new Promise<never>(() => undefined)

export class Life implements NodeClock {
  readonly world: World
  readonly #onDeath = new Set<() => void>()
  #alive = true
  #paused: { readonly until: Promise<void>; readonly resume: () => void } | undefined
  /** The metadata store does not answer this process. */
  isCutOff = false

  constructor(world: World) {
    this.world = world
  }

  get alive(): boolean {
    return this.#alive
  }

  now(): number {
    return this.world.clock.now()
  }

  monotonic(): number {
    return this.world.clock.monotonic()
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const fire = (): void => {
      if (this.#alive) callback()
    }
    return this.world.clock.setTimer(() => {
      if (this.#paused === undefined) fire()
      else void this.#paused.until.then(fire)
    }, delayMs)
  }

  /** SIGSTOP: nothing goes on until {@link resume}, but time. */
  pause(): void {
    if (this.#paused !== undefined) return
    let resume = (): void => undefined
    const until = new Promise<void>((resolve) => (resume = resolve))
    this.#paused = { until, resume }
  }

  resume(): void {
    const { resume } = this.#paused ?? {}
    this.#paused = undefined
    resume?.()
  }

  /** Resolves at once, or when the process goes on. */
  async running(): Promise<void> {
    while (this.#paused !== undefined) await this.#paused.until
  }

  yieldToLoop(): Promise<void> {
    return new Promise((resolve) => void this.setTimer(resolve, 0))
  }

  /** kill -9: no timer fires, no call begins or returns any more. */
  kill(): void {
    this.#alive = false
    for (const callback of this.#onDeath) callback()
    this.#onDeath.clear()
  }

  /** @returns how to forget about it */
  onDeath(callback: () => void): () => void {
    this.#onDeath.add(callback)
    return () => this.#onDeath.delete(callback)
  }

  /** A call across the border of the process: late, refused, done but not answered, or cut by the crash at either end. */
  async call<T>(kind: CallKind, run: () => T | Promise<T>): Promise<T> {
    const { world } = this
    const rates = world.ratesOf(kind.port)
    world.note(`${kind.port}.${kind.name}`)
    await this.#pass(rates)
    if (kind.port === 'kv' && this.isCutOff) {
      await new Promise<void>((resolve) => void this.setTimer(resolve, 300))
      throw kind.failure('not-applied')
    }
    if (world.random.chance(rates.refuse)) {
      world.sometimes(`${kind.port} refused`)
      throw kind.failure('not-applied')
    }
    const result = await run()
    await this.#pass(rates)
    if (kind.write && world.random.chance(rates.lose)) {
      world.sometimes(`${kind.port} answer lost`)
      throw kind.failure('unknown')
    }
    return result
  }

  /** Half of the way. What is under way when the process dies does not come out at the other end. */
  async #pass({ late, lateMs }: { readonly late: number; readonly lateMs: number }): Promise<void> {
    if (!this.#alive) return never()
    const { world } = this
    const isLate = world.random.chance(late)
    const delayMs = isLate ? world.random.integer(1, lateMs) : world.random.integer(0, 1)
    if (delayMs > 0) await new Promise<void>((resolve) => void this.setTimer(resolve, delayMs))
    if (this.#paused !== undefined) await this.running()
    if (!this.#alive) return never()
  }
}
