/**
 * What clients have written and not flushed yet, where the rule is `flush`: kept here and in nobody's sight until its client's
 * flush commits it, or the client goes and takes it along. It is not in the log: a crash is a disconnect.
 *
 * A client is an opaque name; work of one client takes effect in the order in which it was staged.
 */
import type { TemplateValue } from '../filter/index.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { PartitionKeys, PartitionRows } from '../writer/dml-writer.ts'
import type { PartialRows } from './partial-rows.ts'

/** A delete of whatever matches when its place in the client's order has come. `partitionId` 0n: in all partitions. */
export interface PredicateDelete {
  readonly partitionId: bigint
  readonly filter: string
  readonly templates: ReadonlyMap<string, TemplateValue>
}

/** One write: its deletes, then its inserts. `collection` is what it was checked against. */
export interface StagedWork {
  readonly collection: CollectionMeta
  readonly deletes?: readonly PartitionKeys[] | undefined
  readonly predicate?: PredicateDelete | undefined
  readonly inserts?: readonly PartitionRows[] | undefined
  /** Rows of a partial upsert: what they leave out is read at their place in the order. */
  readonly partial?: PartialRows | undefined
}

export interface ClientStage {
  readonly client: string
  readonly collectionIds: readonly bigint[]
  /** Rows to insert, as staged. */
  readonly rows: number
  /** Keys to delete, and predicates. */
  readonly deletes: number
  /** In memory and on disk. */
  readonly bytes: number
  readonly spilledBytes: number
  /** Wall time in ms since 1970 of the oldest write in it. */
  readonly since: number
}

export interface StagingTotals {
  readonly clients: number
  readonly rows: number
  readonly bytes: number
  readonly spilledBytes: number
  /** Counted since the start: flushes that had something to commit, and discards that dropped something. */
  readonly commits: number
  readonly committedRows: number
  readonly discards: number
  readonly discardedRows: number
}

export interface Staging {
  /**
   * Whether the rows of a partial upsert are there, behind all that the client has staged. Throws MilvusError 1100 as Milvus does where
   * they are certainly not. They may be gone again at the flush: that leaves the upsert out and says so.
   */
  checkPartial(client: string, work: StagedWork, signal: AbortSignal): Promise<void>
  /** Throws MilvusError 8 (retriable) beyond the bounds; nothing of the work is staged then. */
  stage(client: string, work: StagedWork): Promise<void>
  /**
   * Makes all that the client has staged on these collections (undefined: on all) visible to everyone, at once and at one timestamp.
   * @returns its timestamp, which every read that begins later sees ({@link lastCommit}); 0n where nothing was staged. When it
   * rejects nothing was committed and the stage is as it was; but where it says that the outcome is not known, what may count is not
   * staged any more. An abort is heeded until the commit is in the log.
   * @param onLeftOut told, when the commit is done, of each write that can be done no more: all else is committed
   */
  flush(client: string, collectionIds: readonly bigint[] | undefined, signal: AbortSignal, onLeftOut?: (why: string) => void): Promise<bigint>
  /** The client is gone: what it staged is dropped. A flush under way goes on. */
  discard(client: string): void
  /** Drops what anybody staged on a collection, or on one of its partitions. */
  discardCollection(collectionId: bigint, partitionId?: bigint): void
  /** Whether anybody has staged work on the collection. */
  hasWork(collectionId: bigint): boolean
  /** What every later read of the collection must see; 0n: no flush has committed anything since the start. */
  lastCommit(collectionId: bigint): bigint
  /** Runs work that drops what is staged, such as a truncation, while no commit is under way. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Runs a change of the rule of collections: nobody stages anything on them between the look at what is staged and the change. */
  whileStill<T>(collectionIds: readonly bigint[], work: () => Promise<T>): Promise<T>
  /** Undefined: nobody is changing the rule of the collection. Else when that is over, and the rule perhaps another. */
  settled(collectionId: bigint): Promise<void> | undefined
  /** Clients with a stage. */
  stats(): readonly ClientStage[]
  totals(): StagingTotals
  close(): Promise<void>
}
