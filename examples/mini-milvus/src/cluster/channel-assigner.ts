/** The leader's hand on the channels: looks who is there, plans, and writes, one change at a time, while its term lasts. */
import type { KVBase } from '@timetick/kv'
import type { NodeClock } from '../edge/system.ts'
import { CHANNEL_ROOT, type ChannelAssignment, decodeAssignment, encodeAssignment, planChannels, UNOWNED } from './channel-plan.ts'
import { type ChannelRelease, followReleases, RELEASE_ROOT } from './channel-releases.ts'
import { RpcError } from '../internal/errors.ts'
import type { ChannelTerm } from './apis.ts'
import { DataReach, type DataReachOptions } from './data-reach.ts'
import { Directory } from './directory.ts'
import type { FollowedPrefix } from './followed-prefix.ts'
import type { GuardedStore } from './guarded-store.ts'

export { CHANNEL_ROOT }

export interface ChannelAssignerOptions {
  readonly kv: KVBase
  readonly clock: NodeClock
  readonly pchannels: readonly string[]
  /** Writes while the term lasts, in one chain with the catalog. */
  readonly store: Pick<GuardedStore, 'multiSaveAndRemove'>
  readonly isLive: () => boolean
  /** How it is known who can be called. Without: nobody is asked. */
  readonly reach?: Pick<DataReachOptions, 'address' | 'greet' | 'awayAfterMs'> | undefined
  readonly onProblem: (message: string, error: unknown) => void
}

const LOOK_MS = 500
const GREET_MS = 1_000
/** Of a lease, so that a short one is not over before silence was heard twice. */
const GREETINGS_A_LEASE = 3

export class ChannelAssigner {
  readonly #options: ChannelAssignerOptions
  readonly #assignments = new Map<string, ChannelAssignment & { readonly revision: bigint }>()
  #directory: Directory | undefined
  #reach: DataReach | undefined
  #releases: FollowedPrefix | undefined
  /** Given back by a note in the store. */
  readonly #noted = new Map<string, ChannelRelease>()
  #running: Promise<void> | undefined
  #again = false
  #cancelTimer: (() => void) | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(options: ChannelAssignerOptions) {
    this.#options = options
  }

  static async start(options: ChannelAssignerOptions): Promise<ChannelAssigner> {
    const assigner = new ChannelAssigner(options)
    const { kv, clock, pchannels, reach, onProblem } = options
    for (const pchannel of pchannels) {
      const entry = await kv.loadEntry(CHANNEL_ROOT + pchannel)
      if (entry !== undefined) assigner.#assignments.set(pchannel, { ...decodeAssignment(entry.value), revision: entry.modRevision })
    }
    // Behind the assignments: an owner that is missing in this list has lost its lease, it is not still to come.
    const directory = (assigner.#directory = await Directory.open({ kv, clock, onChange: () => assigner.wake(), onProblem }))
    const onRelease = (release: ChannelRelease): void => {
      assigner.#noted.set(release.pchannel, release)
      assigner.wake()
    }
    assigner.#releases = await followReleases({ kv, clock, onRelease, onProblem }).catch(async (error: unknown) => {
      await directory.close()
      throw error
    })
    if (reach !== undefined) {
      const intervalMs = Math.min(GREET_MS, reach.awayAfterMs / GREETINGS_A_LEASE)
      assigner.#reach = new DataReach({ ...reach, directory, clock, intervalMs, onChange: () => assigner.wake(), onProblem })
    }
    assigner.wake()
    assigner.#look()
    return assigner
  }

  assignment(pchannel: string): ChannelAssignment {
    return this.#assignments.get(pchannel) ?? UNOWNED
  }

  /** Runs a report in the name of a channel's owner while nobody else can become it. Rejects with `RPC_NOT_OWNER`. */
  held<T>({ pchannel, epoch }: ChannelTerm, run: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      const present = this.assignment(pchannel)
      if (present.owner === '' || present.epoch !== epoch) throw new RpcError('RPC_NOT_OWNER', `${pchannel} has another owner: the report comes too late`, { outcome: 'not-applied', retryable: false })
      return run()
    })
  }

  /** Runs while no report is taken and no channel changes hands. */
  alone(run: () => Promise<void>): Promise<void> {
    return this.#alone(run)
  }

  /** The owner gave it back. */
  async release(pchannel: string, owner: string, epoch: number): Promise<void> {
    await this.#alone(() => this.#free({ pchannel, owner, epoch }))
    this.wake()
  }

  wake(): void {
    if (this.#closed || this.#directory === undefined) return
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    this.#reach?.close()
    await this.#releases?.close()
    await this.#directory?.close()
    await this.#running
  }

  #look(): void {
    if (this.#closed) return
    this.#cancelTimer = this.#options.clock.setTimer(() => {
      this.wake()
      this.#look()
    }, LOOK_MS)
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      try {
        await this.#alone(() => this.#assign())
      } catch (error) {
        this.#options.onProblem('assigning channels failed and is tried again', error)
        return
      }
    }
  }

  #alone<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(run)
    this.#tail = done.catch(() => undefined)
    return done
  }

  async #free({ pchannel, owner, epoch }: ChannelRelease): Promise<void> {
    // Asked in its turn: it may be told twice, and the channel be somebody's again by then.
    const present = this.#assignments.get(pchannel)
    if (present === undefined || present.owner !== owner || present.epoch !== epoch) return
    await this.#save(pchannel, { owner: '', epoch, leaving: false })
  }

  async #assign(): Promise<void> {
    const { pchannels, isLive } = this.#options
    for (const [pchannel, release] of this.#noted) {
      await this.#free(release)
      if (this.#noted.get(pchannel) === release) this.#noted.delete(pchannel)
    }
    const reach = this.#reach
    // Who cannot be called may be called by others and confirm what they write: it keeps its channels until it says that it gave them back.
    const members = (this.#directory?.members('data') ?? []).map(({ id, stopping }) => ({ id, stopping: stopping || reach?.isAway(id) === true }))
    for (const { pchannel, assignment } of planChannels(pchannels, this.#assignments, members)) {
      if (this.#closed || !isLive()) return
      await this.#save(pchannel, assignment)
    }
  }

  async #save(pchannel: string, assignment: ChannelAssignment): Promise<void> {
    const { kv, store } = this.#options
    const key = CHANNEL_ROOT + pchannel
    const before = this.#assignments.get(pchannel)
    try {
      const when = [{ key, modRevision: before?.revision ?? 0n }]
      const { revision } = await store.multiSaveAndRemove(new Map([[key, encodeAssignment(assignment)]]), [RELEASE_ROOT + pchannel], { when })
      this.#assignments.set(pchannel, { ...assignment, revision })
    } catch (error) {
      // Whether it was saved is not known: what is there decides.
      const entry = await kv.loadEntry(key)
      if (entry !== undefined) this.#assignments.set(pchannel, { ...decodeAssignment(entry.value), revision: entry.modRevision })
      throw error
    }
  }
}
