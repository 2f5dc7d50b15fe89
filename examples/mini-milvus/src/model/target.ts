/**
 * What several query nodes serve of a collection, as the coordinator decides it and everybody else mirrors it. A replica covers
 * each row once: sealed segments by the nodes that hold them, rows behind a shard's `flushedTs` by the shard's leader.
 */

export interface ShardTarget {
  readonly vchannel: string
  /** The query node that answers for the shard's growing rows. */
  readonly leader: bigint
  /** Rows at or below this are in segments of the same target, rows above it are the leader's. */
  readonly flushedTs: bigint
}

export interface SegmentPlace {
  readonly segmentId: bigint
  readonly partitionId: bigint
  readonly vchannel: string
  readonly nodeId: bigint
}

/** One whole picture of a collection. It never changes: another one has another version. */
export interface ReplicaTarget {
  /** Rises with each target of a replica. */
  readonly version: number
  /** Partitions that it covers; of a collection that is loaded as a whole also those made since. */
  readonly partitionIds: readonly bigint[]
  readonly wholeCollection: boolean
  readonly shards: readonly ShardTarget[]
  readonly segments: readonly SegmentPlace[]
}

export interface ReplicaRecord {
  readonly replicaId: bigint
  readonly collectionId: bigint
  readonly resourceGroup: string
  /** Query nodes that may hold parts of it. No other replica of the collection has them. */
  readonly nodeIds: readonly bigint[]
  /** What reads name. */
  readonly current: ReplicaTarget | undefined
  /** Being loaded; becomes the current one when all of it is. */
  readonly next: ReplicaTarget | undefined
  /** No longer named by new reads; held a little longer for those under way. */
  readonly retired: readonly ReplicaTarget[]
  readonly lastVersion: number
}

/** Synchronous reads of the replicas as this process mirrors them. */
export interface TargetReader {
  /** In order of their ids. */
  replicas(collectionId: bigint): readonly ReplicaRecord[]
  /** Called, synchronously, after each change of a replica of this collection. The result ends the subscription. */
  onChange(listener: (collectionId: bigint) => void): () => void
}

/** All targets that a node has to be able to serve. */
export function heldTargets({ current, next, retired }: ReplicaRecord): ReplicaTarget[] {
  return [...retired, ...(current === undefined ? [] : [current]), ...(next === undefined ? [] : [next])]
}
