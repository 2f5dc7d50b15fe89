/** The leader's hand on the channels: looks who is there, plans, and writes, one change at a time, while its term lasts. */
import type { KVBase } from '@timetick/kv'
import type { NodeClock } from '../edge/system.ts'
import { type ChannelAssignment, decodeAssignment, encodeAssignment, planChannels, UNOWNED } from './channel-plan.ts'
import { RpcError } from '../internal/errors.ts'
import type { ChannelTerm } from './apis.ts'
import { Directory } from './directory.ts'
import type { GuardedStore } from './guarded-store.ts'

export const CHANNEL_ROOT = 'channels/'

export interface ChannelAssignerOptions {
  readonly kv: KVBase
  readonly clock: NodeClock
  readonly pchannels: readonly string[]
  /** Writes while the term lasts, in one chain with the catalog. */
  readonly store: Pick<GuardedStore, 'multiSaveAndRemove'>
  readonly isLive: () => boolean
  readonly onProblem: (message: string, error: unknown) => void
}

const LOOK_MS = 500

export class ChannelAssigner {
  readonly #options: ChannelAssignerOptions
  readonly #assignments = new Map<string, ChannelAssignment & { readonly revision: bigint }>()
  #directory: Directory | undefined
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
    const { kv, pchannels } = options
    for (const pchannel of pchannels) {
      const entry = await kv.loadEntry(CHANNEL_ROOT + pchannel)
      if (entry !== undefined) assigner.#assignments.set(pchannel, { ...decodeAssignment(entry.value), revision: entry.modRevision })
    }
    // Behind the assignments: an owner that is missing in this list has lost its lease, it is not still to come.
    assigner.#directory = await Directory.open({ kv, clock: options.clock, onChange: () => assigner.wake(), onProblem: options.onProblem })
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
    await this.#alone(async () => {
      // Asked in its turn: it may be sent twice, and the channel be somebody's again by then.
      const present = this.#assignments.get(pchannel)
      if (present === undefined || present.owner !== owner || present.epoch !== epoch) return
      await this.#save(pchannel, { owner: '', epoch, leaving: false })
    })
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

  async #assign(): Promise<void> {
    const { pchannels, isLive } = this.#options
    const members = this.#directory?.members('data') ?? []
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
      const { revision } = await store.multiSaveAndRemove(new Map([[key, encodeAssignment(assignment)]]), [], { when })
      this.#assignments.set(pchannel, { ...assignment, revision })
    } catch (error) {
      // Whether it was saved is not known: what is there decides.
      const entry = await kv.loadEntry(key)
      if (entry !== undefined) this.#assignments.set(pchannel, { ...decodeAssignment(entry.value), revision: entry.modRevision })
      throw error
    }
  }
}
