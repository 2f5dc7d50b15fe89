/** What a coordinator has while it leads: time, the catalog that it alone writes, and who owns which channel. */
import type { KVBase } from '@timetick/kv'
import { openTimestampOracle, startTimestampAllocator, type IdAllocator, type TimestampAllocator, type TimestampOracle, type TimestampRange } from '@timetick/tso'
import type { LeaderTerm } from '@timetick/watchdog/session'
import { pendingImports } from '../coordinator/import-settings.ts'
import { openCatalog, type Catalog } from '../coordinator/catalog.ts'
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import type { SegmentMeta } from '../model/meta.ts'
import type { Importer } from '../coordinator/importer.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { ChannelTerm } from './apis.ts'
import type { CallOutcome } from './catalog-calls.ts'
import { ChannelAssigner, type ChannelAssignerOptions } from './channel-assigner.ts'
import { CommitForgetting } from './commit-forgetting.ts'
import { ClusterGarbage } from './garbage.ts'
import { type LeaderImportsOptions, startImports } from './imports.ts'
import { openGuardedStore, type GuardedStore } from './guarded-store.ts'
import { type RecordsWrite, type RecordsWritten, writeRecords } from './record-writes.ts'
import { openQueryPlanner, type QueryPlanner, type QueryPlannerSettings } from './query-planner.ts'

export interface CoordinatorTermOptions {
  readonly kv: KVBase
  readonly clock: NodeClock
  readonly ids: IdAllocator
  readonly pchannels: readonly string[]
  readonly reach: ChannelAssignerOptions['reach']
  /** Names this term's oracle; unique. */
  readonly owner: string | undefined
  readonly leaderKey: string
  readonly term: LeaderTerm
  readonly storage: ObjectStorage
  /** How long a file must be nobody's before it is removed. */
  readonly garbageGraceMs: number
  readonly imports: LeaderImportsOptions
  readonly queryNodes: QueryPlannerSettings
  readonly onProblem: (message: string, error: unknown) => void
}

export class CoordinatorTerm {
  readonly catalog: Catalog
  readonly assigner: ChannelAssigner
  readonly importer: Importer
  readonly planner: QueryPlanner
  /** Small metadata that proxies plan: conditional on this term. */
  readonly writeRecords: (change: RecordsWrite) => Promise<RecordsWritten>
  readonly #term: LeaderTerm
  readonly #oracle: TimestampOracle
  readonly #allocator: TimestampAllocator
  readonly #store: GuardedStore
  readonly #garbage: ClusterGarbage
  readonly #forgetting: CommitForgetting

  private constructor(parts: { readonly term: LeaderTerm; readonly oracle: TimestampOracle; readonly allocator: TimestampAllocator; readonly store: GuardedStore; readonly catalog: Catalog; readonly assigner: ChannelAssigner; readonly garbage: ClusterGarbage; readonly forgetting: CommitForgetting; readonly importer: Importer; readonly planner: QueryPlanner; readonly writeRecords: CoordinatorTerm['writeRecords'] }) {
    this.#term = parts.term
    this.#oracle = parts.oracle
    this.#allocator = parts.allocator
    this.#store = parts.store
    this.catalog = parts.catalog
    this.assigner = parts.assigner
    this.planner = parts.planner
    this.#garbage = parts.garbage
    this.#forgetting = parts.forgetting
    this.importer = parts.importer
    this.writeRecords = parts.writeRecords
  }

  static async open({ kv, clock, ids, pchannels, reach, owner, leaderKey, term, storage, garbageGraceMs, imports, queryNodes, onProblem }: CoordinatorTermOptions): Promise<CoordinatorTerm> {
    const oracle = await openTimestampOracle({ kv, rootPath: 'tso', clock, owner, signal: term.over, onEvent: (event) => onProblem(`timestamp oracle: ${event.type}`, event) })
    const allocator = startTimestampAllocator({ source: oracle })
    try {
      const onFenced = (): void => term.resign()
      const store = await openGuardedStore(kv, { key: leaderKey, token: term.token, onFenced })
      const catalog = await openCatalog({ kv: store, ids, timestamps: allocator, pchannels })
      const assigner = await ChannelAssigner.start({ kv, clock, pchannels, store, reach, isLive: () => term.isLive, onProblem })
      const planner = await openQueryPlanner({ ...queryNodes, kv, clock, meta: catalog, ids, leader: { key: leaderKey, modRevision: term.token }, onProblem }).catch(async (error: unknown) => {
        await assigner.close()
        throw error
      })
      const garbage = new ClusterGarbage({ meta: catalog, storage, clock, graceMs: garbageGraceMs, pending: () => pendingImports(catalog), alone: (run) => assigner.alone(run), onProblem })
      const forgetting = new CommitForgetting({ kv, catalog, timestamps: allocator, clock, leader: { key: leaderKey, modRevision: term.token }, onProblem })
      const importer = startImports(imports, { catalog, isSwept: (segmentId) => garbage.isSwept(segmentId) })
      return new CoordinatorTerm({ term, oracle, allocator, store, catalog, assigner, garbage, forgetting, importer, planner, writeRecords: (change) => writeRecords(kv, { key: leaderKey, modRevision: term.token, onFenced }, change) })
    } catch (error) {
      await allocator.close()
      await oracle.close()
      throw error
    }
  }

  get isLive(): boolean {
    return this.#term.isLive
  }

  /** Mirrors that have this revision show all that this term has changed. */
  get revision(): bigint {
    return this.#store.lastRevision
  }

  /** What was taken after the lease ended is given to nobody: another may have served greater ones meanwhile. */
  async timestamps(count: number, signal: AbortSignal | undefined): Promise<TimestampRange> {
    this.assertLive()
    const range = this.#oracle.tryGetTimestamp(count) ?? (await this.#oracle.getTimestamp(count, { signal }))
    this.assertLive()
    return range
  }

  /** Takes an owner's report, or refuses: of a channel that is another's by now, or of files that were nobody's for too long. */
  report(channel: ChannelTerm, segments: readonly SegmentMeta[], run: () => Promise<CallOutcome>): Promise<CallOutcome> {
    return this.assigner.held(channel, () => {
      const late = segments.find(({ id }) => this.#garbage.isSwept(id))
      if (late !== undefined) throw new RpcError('RPC_TIMEOUT', `segment ${late.id} is reported too late: its files are gone`, { outcome: 'not-applied' })
      return run()
    })
  }

  assertLive(): void {
    if (!this.#term.isLive) throw new RpcError('RPC_NOT_LEADER', 'this coordinator does not lead any more', { outcome: 'not-applied' })
  }

  async close(): Promise<void> {
    await this.importer.close()
    await this.#garbage.close()
    await this.#forgetting.close()
    await this.planner.close()
    await this.assigner.close()
    await this.catalog.settled()
    await this.#allocator.close()
    await this.#oracle.close()
  }
}
