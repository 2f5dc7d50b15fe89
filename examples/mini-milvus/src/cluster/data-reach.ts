/**
 * Which data nodes whoever leads can call. One that renews its lease and has not answered for as long as a lease lasts gets no channels,
 * and is asked in the store to give back those that it has, until it answers.
 */
import type { NodeClock } from '../edge/system.ts'
import type { Directory } from './directory.ts'
import type { Member } from './membership.ts'
import { Reach } from './reach.ts'

export interface DataReachOptions {
  readonly directory: Pick<Directory, 'members' | 'onChange'>
  /** Of this process: that it answers itself proves nothing. */
  readonly address: string
  /** Any call that is answered by whoever is well. */
  readonly greet: (address: string) => Promise<unknown>
  readonly clock: Pick<NodeClock, 'monotonic' | 'setTimer'>
  readonly intervalMs: number
  readonly awayAfterMs: number
  readonly onChange: () => void
  readonly onProblem: (message: string, error: unknown) => void
}

/** Others that are asked when no data node answers. */
const WITNESSES = 3

export class DataReach {
  readonly #options: DataReachOptions
  readonly #reach: Reach
  readonly #unsubscribe: () => void
  #cancelTimer: (() => void) | undefined
  #turn = 0
  #closed = false

  constructor(options: DataReachOptions) {
    this.#options = options
    this.#reach = new Reach(options.awayAfterMs)
    this.#unsubscribe = options.directory.onChange(() => this.#reach.keep(new Set(options.directory.members('data').map(({ id }) => id))))
    this.#schedule()
  }

  /** An incarnation. */
  isAway(id: string): boolean {
    return this.#reach.isAway(id)
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe()
    this.#cancelTimer?.()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancelTimer = this.#options.clock.setTimer(() => void this.#look().then(() => this.#schedule()), this.#options.intervalMs)
  }

  async #look(): Promise<void> {
    const others = this.#options.directory.members().filter(({ address }) => address !== this.#options.address)
    const asked = others.filter(({ roles, stopping }) => roles.includes('data') && !stopping)
    const answers = await Promise.all(asked.map(async (member) => ({ member, error: await this.#errorOf(member) })))
    const silent = answers.filter(({ error }) => error !== undefined)
    const isConnected = silent.length < answers.length || (silent.length > 0 && (await this.#hasWitness(others.filter((member) => !asked.includes(member)))))
    if (this.#closed) return
    // Who can call nobody is cut off itself: that says nothing of others, and what it saw before it noticed neither.
    if (!isConnected) return this.#reach.doubt()
    for (const { member, error } of answers) this.#note(member, error)
  }

  #note(member: Member, error: Error | undefined): void {
    const { clock, onChange, onProblem } = this.#options
    if (error === undefined) {
      if (this.#reach.answered(member.id)) onChange()
    } else if (this.#reach.failed(member.id, clock.monotonic())) {
      onProblem(`data node ${member.nodeId} at ${member.address} is registered but does not answer: others get its channels until it does`, error)
      onChange()
    }
  }

  /** Some of them, others each time: a process that is well is found among many that are not. */
  async #hasWitness(others: readonly Member[]): Promise<boolean> {
    const first = others.length === 0 ? 0 : (this.#turn++ * WITNESSES) % others.length
    const chosen = [...others.slice(first), ...others.slice(0, first)].slice(0, WITNESSES)
    return (await Promise.all(chosen.map((member) => this.#errorOf(member)))).includes(undefined)
  }

  async #errorOf({ address }: Member): Promise<Error | undefined> {
    try {
      await this.#options.greet(address)
      return undefined
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }
}
