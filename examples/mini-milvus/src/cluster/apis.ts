/** What processes of a cluster ask of each other. Plain data both ways, over `src/internal`. */
import type { CallOptions, ServiceDefinition } from '../internal/service.ts'
import type { SegmentIndexMeta } from '../model/meta.ts'
import type { ImportCall } from './imports.ts'
import type { RecordsWrite, RecordsWritten } from './record-writes.ts'
import type { LoadProgress } from '../querynode/api.ts'
import type { StillReply, StillRequest } from './stills.ts'
import type { Transaction } from '../staging/transactions.ts'

/** The incarnation of a channel's ownership in whose name something is reported. */
export interface ChannelTerm {
  readonly pchannel: string
  readonly epoch: number
}

/** A call of the catalog by name: its writers are many, and alike. */
export interface CatalogCall {
  readonly method: string
  readonly args: readonly unknown[]
  /** Reports about a channel's rows are taken from its present owner alone. */
  readonly channel?: ChannelTerm | undefined
}

export interface CatalogReply {
  readonly value?: unknown
  /** Mirrors that have this revision show what was done. */
  readonly revision: bigint
}

export interface MoveSegments {
  readonly collectionId: bigint
  readonly from: bigint
  /** None: to all others of the replica. */
  readonly to: readonly bigint[]
  /** None: all that the node has. */
  readonly segmentIds: readonly bigint[]
}

export interface TransferReplicas {
  readonly collectionId: bigint
  readonly from: string
  readonly to: string
  readonly count: number
}

/** Mirrors of the targets that have this revision show it. */
export interface TargetsRevision {
  readonly revision: bigint
}

/** Of the coordinator that leads; others refuse with `RPC_NOT_LEADER`. */
export interface CoordinatorApi {
  /** `count` timestamps, greater than all that anybody got before. */
  allocTimestamps(request: { readonly count: number }, options?: CallOptions): Promise<{ readonly first: bigint; readonly count: number }>
  catalog(request: CatalogCall, options?: CallOptions): Promise<CatalogReply>
  /** The owner writes nothing to the channel any more. Of another than the present owner: ignored. */
  releaseChannel(request: ChannelTerm & { readonly owner: string }, options?: CallOptions): Promise<object>
  /** Users, rights and resource groups, as a proxy planned to change them. */
  records(request: RecordsWrite, options?: CallOptions): Promise<RecordsWritten>
  /** A call of its importer. */
  imports(request: ImportCall, options?: CallOptions): Promise<{ readonly value?: unknown }>
  /** Of collections that are to be loaded. */
  loadProgress(request: { readonly collectionIds: readonly bigint[] }, options?: CallOptions): Promise<TargetsRevision & { readonly progress: ReadonlyMap<bigint, LoadProgress> }>
  /** Resolves when reads find them there. */
  moveSegments(request: MoveSegments, options?: CallOptions): Promise<TargetsRevision>
  /** Resolves when it is decided. */
  transferReplicas(request: TransferReplicas, options?: CallOptions): Promise<TargetsRevision>
}

export const COORDINATOR: ServiceDefinition<CoordinatorApi> = {
  name: 'Coordinator',
  methods: { allocTimestamps: { timeoutMs: 2_000 }, catalog: { timeoutMs: 10_000 }, releaseChannel: { timeoutMs: 5_000 }, records: { timeoutMs: 10_000 }, imports: { timeoutMs: 10_000 }, loadProgress: { timeoutMs: 2_000 }, moveSegments: { timeoutMs: 70_000 }, transferReplicas: { timeoutMs: 10_000 } },
}

export interface LogRecord {
  readonly type: number
  readonly properties: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface AppendRequest {
  readonly pchannel: string
  readonly records: readonly LogRecord[]
  /** Whoever reads these records must know the metadata as of this revision. */
  readonly metaRevision: bigint
}

/** A commit on one of its channels. */
export interface HoldRequest {
  readonly pchannel: string
  readonly id: string
}

/** A part of a commit, or some of it: its calls are numbered from 0, and each comes behind the answer of the one before. */
export interface PartRequest extends AppendRequest, HoldRequest {
  readonly index: number
  readonly ts: bigint
}

export interface DecideRequest extends HoldRequest {
  /** Undefined: nothing of it counts, or ever will. */
  readonly committed?: Transaction | undefined
}

export interface ChannelsRequest {
  readonly pchannels: readonly string[]
}

export interface CompactionReport {
  readonly state: 'executing' | 'completed' | 'failed'
  readonly merges: readonly { readonly sources: readonly bigint[]; readonly target: bigint }[]
}

/** Of a data node, for the channels that it owns; for others it refuses with `RPC_NOT_OWNER`. */
export interface ChannelApi {
  /** Stamps the records with one timestamp and resolves when they are in the log and nobody can undo it. */
  append(request: AppendRequest, options?: CallOptions): Promise<{ readonly timestamp: bigint }>
  /** The channel's time stands still until the commit is decided. @returns of the key of `COMMIT_FENCES` on which its record must depend */
  holdTime(request: HoldRequest, options?: CallOptions): Promise<{ readonly fence: bigint }>
  /** Resolves when it is in the log and nobody can undo it, of a commit that is held. Else `RPC_FENCED`, surely not done: the commit has to begin again. */
  appendPart(request: PartRequest, options?: CallOptions): Promise<object>
  /** What the metadata store has recorded, or never will. Without it the owner finds out, some time later. */
  decide(request: DecideRequest, options?: CallOptions): Promise<object>
  requestTick(request: ChannelsRequest & { readonly atLeast: bigint }, options?: CallOptions): Promise<object>
  /** Resolves, when everything of the shard at or below `ts` is in segments, with a revision that mirrors must have to know them. */
  flushShard(request: { readonly pchannel: string; readonly collectionId: bigint; readonly vchannel: string; readonly ts: bigint }, options?: CallOptions): Promise<{ readonly revision: bigint }>
  /** Rows that no segment holds, of all writes at or below `ts`. */
  unflushedRows(request: ChannelsRequest & { readonly collectionId: bigint; readonly partitionId?: bigint | undefined; readonly ts: bigint }, options?: CallOptions): Promise<{ readonly rows: number; readonly revision: bigint }>
  /** A finished index of a segment of the channel cannot be opened: it is to be built again. */
  badIndex(request: { readonly pchannel: string; readonly segmentId: bigint; readonly index: SegmentIndexMeta }, options?: CallOptions): Promise<object>
  compact(request: ChannelsRequest & { readonly id: bigint; readonly collectionId: bigint }, options?: CallOptions): Promise<{ readonly isNeeded: boolean }>
  compaction(request: { readonly id: bigint }, options?: CallOptions): Promise<{ readonly report?: CompactionReport | undefined }>
}

export const CHANNELS: ServiceDefinition<ChannelApi> = {
  name: 'Channels',
  methods: {
    append: { timeoutMs: 10_000 },
    holdTime: { timeoutMs: 5_000 },
    appendPart: { timeoutMs: 10_000 },
    decide: { timeoutMs: 5_000 },
    requestTick: { timeoutMs: 2_000 },
    flushShard: { timeoutMs: 60_000 },
    unflushedRows: { timeoutMs: 10_000 },
    badIndex: { timeoutMs: 5_000 },
    compact: { timeoutMs: 5_000 },
    compaction: { timeoutMs: 5_000 },
  },
}

/** A log channel as its owner tells of it. */
export interface OwnedState {
  readonly pchannel: string
  readonly epoch: number
  /** Of the newest tick; 0n before the first. */
  readonly lastTick: bigint
  /** How far its rows have been taken in; 0n before the first. */
  readonly readTs: bigint
  readonly bufferedBytes: number
  /** Rows that no segment holds, by collection. */
  readonly unflushed: ReadonlyMap<bigint, number>
}

/** A process as it tells of itself. */
export interface MemberState {
  /** ms since 1970. */
  readonly startedAt: number
  /** It is the coordinator that leads. */
  readonly isLeading: boolean
  readonly usage: { readonly processors: number; readonly memoryBytes: number; readonly usedMemoryBytes: number }
  /** Log channels that it owns. Missing: of a version that does not tell. */
  readonly owned?: readonly OwnedState[] | undefined
  /** How far its query node has applied each log channel. */
  readonly applied?: ReadonlyMap<string, bigint> | undefined
}

/** Of every process. */
export interface MemberApi {
  describe(request: object, options?: CallOptions): Promise<MemberState>
  /** Resolves when the process knows the metadata as of this revision: the catalog's, or those of another mirror of its own. */
  awaitMeta(request: { readonly revision: bigint; readonly mirror?: string | undefined }, options?: CallOptions): Promise<object>
  /** Of a proxy, for a change of the rule of visibility: tells of staged work, and keeps more of it waiting. */
  stillStaging(request: StillRequest, options?: CallOptions): Promise<StillReply>
}

export const MEMBER: ServiceDefinition<MemberApi> = { name: 'Member', methods: { awaitMeta: { timeoutMs: 3_000 }, describe: { timeoutMs: 2_000 }, stillStaging: { timeoutMs: 1_000 } } }
