/** What the handlers of metadata need from the node. */
import type { CatalogWriter, MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta, IndexMeta } from '../model/meta.ts'
import type { Visibility } from '../staging/visibility.ts'
import type { CallContext, RpcHandler } from '../server/handlers.ts'

export interface IndexProgress {
  readonly totalRows: number
  readonly indexedRows: number
  readonly pendingRows: number
  readonly state: 'none' | 'building' | 'finished' | 'failed'
  readonly reason: string
}

/** What only the data path knows. */
export interface DdlProgress {
  /** Physical rows, deleted ones included until compaction; of one partition if its id is given. */
  rowCount(collection: CollectionMeta, partitionId?: bigint): number | Promise<number>
  /** 0 to 100, of partitions that are asked to be loaded. */
  loadProgress(collection: CollectionMeta, partitionIds: readonly bigint[]): number
  indexProgress(collection: CollectionMeta, index: IndexMeta): IndexProgress
}

export interface DdlOptions {
  readonly meta: MetaReader
  readonly catalog: CatalogWriter
  readonly timestamps: { allocOne(): Promise<bigint> }
  readonly progress: DdlProgress
  /** What GetVersion and Connect say. */
  readonly version: string
  /** Wall time, ms. */
  readonly clock: { now(): number }
  /** Query nodes that can hold a replica each. Default: 1. */
  readonly maxReplicas?: (() => number) | undefined
  readonly health?: (() => { readonly healthy: boolean; readonly reasons: readonly string[] }) | undefined
  /** A client has connected and got this identifier. */
  readonly onConnect?: ((identifier: bigint, client: Readonly<Record<string, string>>, call: CallContext) => void) | undefined
  /** Databases were made or dropped: what names them follows before the call is answered. */
  readonly databasesChanged?: (() => Promise<void>) | undefined
  /** The rule of visibility where nothing else is said. @default 'milvus' */
  readonly serverVisibility?: Visibility | undefined
  /** Whether a client has staged work on the collection. */
  readonly hasStagedWork?: ((collectionId: bigint) => boolean) | undefined
  /** Runs a change of their rule while nobody stages anything on these collections. */
  readonly whileStill?: (<T>(collectionIds: readonly bigint[], work: () => Promise<T>) => Promise<T>) | undefined
  readonly onHeartbeat?: ((identifier: bigint, call: CallContext) => void) | undefined
}

export function ddl<Request, Response>(run: (request: Request, call: CallContext) => Promise<Response>): RpcHandler<Request, Response> {
  return { kind: 'ddl', run }
}

/** The collection named by a request, of the call's database. */
export function collectionOf({ meta }: DdlOptions, call: CallContext, name: string): CollectionMeta {
  return meta.collection(call.dbName, name)
}

/** Milliseconds since 1970 of a hybrid timestamp. */
export function utcMs(timestamp: bigint): bigint {
  return timestamp >> 18n
}
