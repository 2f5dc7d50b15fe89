/** A coordinator of several: stands for election, leads when it is elected, and refuses else. */
import type { KVBase } from '@timetick/kv'
import type { IdAllocator } from '@timetick/tso'
import { startElection, type Election, type LeaderTerm } from '@timetick/watchdog/session'
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import type { CallOptions } from '../internal/service.ts'
import type { LoadProgress } from '../querynode/api.ts'
import type { CatalogCall, CatalogReply, ChannelTerm, CoordinatorApi, MoveSegments, TargetsRevision, TransferReplicas } from './apis.ts'
import { type CallOutcome, REPORTS, runCatalogCall } from './catalog-calls.ts'
import type { SegmentMeta } from '../model/meta.ts'
import type { ObjectStorage } from '../storage/index.ts'
import { type ImportCall, type LeaderImportsOptions, runImportCall } from './imports.ts'
import { CoordinatorTerm } from './coordinator-term.ts'
import type { RecordsWrite, RecordsWritten } from './record-writes.ts'
import type { QueryPlannerSettings } from './query-planner.ts'

export const LEADER_ROOT = 'coordinator/'
export const LEADER_KEY = `${LEADER_ROOT}leader`

export interface CoordinatorOptions {
  readonly kv: KVBase
  readonly clock: NodeClock
  readonly ids: IdAllocator
  readonly pchannels: readonly string[]
  readonly ttlMs: number
  /** Of this process, for those who look for the leader. */
  readonly address: string
  /** Any call that is answered by whoever is well. Without: nobody is asked whether it can be called. */
  readonly greet?: ((address: string) => Promise<unknown>) | undefined
  /** Names terms and candidates; unique. Random unless given. */
  readonly createOwner?: (() => string) | undefined
  readonly storage: ObjectStorage
  /** How long a file must be nobody's before it is removed. */
  readonly garbageGraceMs: number
  readonly imports: LeaderImportsOptions
  readonly queryNodes: QueryPlannerSettings
  readonly onProblem: (message: string, error: unknown) => void
}

/** Behind a term that could not begin. */
const PAUSE_MS = 500

export class Coordinator implements CoordinatorApi {
  readonly #options: CoordinatorOptions
  readonly #election: Election
  #term: CoordinatorTerm | undefined
  #isClosing = false

  constructor(options: CoordinatorOptions) {
    this.#options = options
    const { kv, clock, ttlMs, address, createOwner, onProblem } = options
    this.#election = startElection({
      kv, clock, ttlMs, key: LEADER_KEY, name: address, owner: createOwner?.(),
      lead: (term) => this.#lead(term),
      onEvent: (event) => {
        // To give the lead away in order is no problem.
        if (event.type !== 'elected' && !(event.type === 'over' && this.#isClosing)) onProblem(`election: ${event.type}`, event.error)
      },
    })
  }

  get isLeading(): boolean {
    return this.#term?.isLive === true
  }

  /** The present term's; throws `RPC_NOT_LEADER`. */
  get term(): CoordinatorTerm {
    const term = this.#term
    if (term === undefined) throw new RpcError('RPC_NOT_LEADER', 'this coordinator does not lead', { outcome: 'not-applied' })
    term.assertLive()
    return term
  }

  async allocTimestamps({ count }: { readonly count: number }, { signal }: CallOptions = {}): Promise<{ first: bigint; count: number }> {
    const { first } = await this.term.timestamps(count, signal)
    return { first, count }
  }

  async catalog({ method, args, channel }: CatalogCall): Promise<CatalogReply> {
    const { term } = this
    const run = (): Promise<CallOutcome> => runCatalogCall(term.catalog, method, args)
    const isReport = (REPORTS as readonly string[]).includes(method)
    const outcome = isReport ? await term.report(channel ?? { pchannel: '', epoch: 0 }, reportedSegments(args), run) : await run()
    return { value: outcome.schema === undefined ? outcome.value : { schema: outcome.schema }, revision: term.revision }
  }

  async releaseChannel({ pchannel, epoch, owner }: ChannelTerm & { readonly owner: string }): Promise<object> {
    await this.term.assigner.release(pchannel, owner, epoch)
    return {}
  }

  async records(change: RecordsWrite): Promise<RecordsWritten> {
    return this.term.writeRecords(change)
  }

  async imports(call: ImportCall): Promise<{ value?: unknown }> {
    return { value: await runImportCall(this.term.importer, call) }
  }

  async loadProgress({ collectionIds }: { readonly collectionIds: readonly bigint[] }): Promise<TargetsRevision & { readonly progress: ReadonlyMap<bigint, LoadProgress> }> {
    const { planner } = this.term
    const progress = new Map(collectionIds.flatMap((id) => {
      const found = planner.coord.loadProgress(id)
      return found === undefined ? [] : [[id, found] as const]
    }))
    return { progress, revision: planner.store.revision }
  }

  async moveSegments({ collectionId, from, to, segmentIds }: MoveSegments): Promise<TargetsRevision> {
    const { planner } = this.term
    await planner.coord.moveSegments(collectionId, from, to, segmentIds)
    return { revision: planner.store.revision }
  }

  async transferReplicas({ collectionId, from, to, count }: TransferReplicas): Promise<TargetsRevision> {
    const { planner } = this.term
    await planner.coord.transferReplicas(collectionId, from, to, count)
    return { revision: planner.store.revision }
  }

  /** Gives the lead to another. Idempotent. */
  close(): Promise<void> {
    this.#isClosing = true
    return this.#election.close()
  }

  #pause(over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        over.removeEventListener('abort', end)
        resolve()
      }
      const cancel = this.#options.clock.setTimer(end, PAUSE_MS)
      if (over.aborted) end()
      else over.addEventListener('abort', end, { once: true })
    })
  }

  async #lead(election: LeaderTerm): Promise<void> {
    const { kv, clock, ids, pchannels, ttlMs, address, greet, createOwner, storage, garbageGraceMs, imports, queryNodes, onProblem } = this.#options
    const reach = greet === undefined ? undefined : { address, greet, awayAfterMs: ttlMs }
    const term = await CoordinatorTerm.open({ kv, clock, ids, pchannels, reach, owner: createOwner?.(), leaderKey: LEADER_KEY, term: election, storage, garbageGraceMs, imports, queryNodes, onProblem }).catch(async (error: unknown) => {
      // What cannot begin, as with a wrong clock, is not tried, and told of, as fast as that fails.
      await this.#pause(election.over)
      throw error
    })
    try {
      this.#term = term
      if (!election.over.aborted) await new Promise<void>((resolve) => election.over.addEventListener('abort', () => resolve(), { once: true }))
    } finally {
      this.#term = undefined
      await term.close()
    }
  }
}

/** What a flush or a compaction adds. */
function reportedSegments(args: readonly unknown[]): readonly SegmentMeta[] {
  const [flush, added] = args as readonly [{ readonly segments?: readonly SegmentMeta[] | undefined } | undefined, readonly SegmentMeta[] | undefined]
  return flush?.segments ?? (Array.isArray(added) ? added : [])
}
