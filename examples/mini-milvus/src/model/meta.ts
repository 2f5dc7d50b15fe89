/** Metadata as the coordinator keeps it on the KVBase (JSON, bigints as decimal text) and all roles read it. */
import type { CollectionSchema } from './schema.ts'

export interface DatabaseMeta {
  readonly id: bigint
  readonly name: string
  readonly createdTs: bigint
  readonly properties: Readonly<Record<string, string>>
}

export interface PartitionMeta {
  readonly id: bigint
  readonly name: string
  readonly createdTs: bigint
}

/** One shard of a collection: its virtual channel, and the log channel that carries it. */
export interface ShardMeta {
  /** `<pchannel>_<collectionId>v<shard>` as in Milvus. */
  readonly vchannel: string
  readonly pchannel: string
}

export interface CollectionMeta {
  readonly id: bigint
  readonly dbName: string
  readonly schema: CollectionSchema
  readonly shards: readonly ShardMeta[]
  /** In order of creation; `_default` first. */
  readonly partitions: readonly PartitionMeta[]
  readonly consistencyLevel: number
  readonly properties: Readonly<Record<string, string>>
  readonly createdTs: bigint
  /** Rises with each change of the schema: Milvus's schema timestamp. */
  readonly updateTs: bigint
  /** Partitions of a partition-key collection, else undefined. */
  readonly numPartitions?: number | undefined
  /** Rows written at or below this are gone (truncate). 0n: none. */
  readonly truncatedTs: bigint
  readonly nextFieldId: number
}

export interface AliasMeta {
  readonly alias: string
  readonly dbName: string
  readonly collectionId: bigint
}

export interface IndexMeta {
  readonly id: bigint
  readonly collectionId: bigint
  readonly fieldId: number
  readonly name: string
  /** As the client asked, for describe (index_type, metric_type, params, …). */
  readonly params: Readonly<Record<string, string>>
  /** Upper-case type as asked or chosen (`AUTOINDEX` where none was given). */
  readonly indexType: string
  /** `L2`, `IP`, `COSINE`, …; '' for scalar indexes. */
  readonly metricType: string
  readonly createdTs: bigint
}

/** What is loaded for search: whole collection, or some partitions. */
export interface LoadMeta {
  readonly collectionId: bigint
  readonly replicaNumber: number
  readonly partitionIds: readonly bigint[]
  /** True when asked for as a whole: new partitions are loaded too. */
  readonly wholeCollection: boolean
  readonly loadedTs: bigint
  /** One for all replicas, or one for each. Without them: the default group. */
  readonly resourceGroups?: readonly string[] | undefined
}

export interface SegmentIndexMeta {
  readonly indexId: bigint
  readonly state: 'building' | 'finished' | 'failed'
  /** Object key of the index file; '' when the segment is small enough to be searched without. */
  readonly path: string
  readonly bytes: number
  readonly crc32: number
  readonly reason: string
}

/**
 * A flushed segment: all rows of one partition and shard with `startTs < ts <= endTs`, sorted by primary key, in one file.
 * A delta segment (`level: 'L0'`) holds deletes (primary key, timestamp) of the same range instead of rows.
 */
export interface SegmentMeta {
  readonly id: bigint
  readonly collectionId: bigint
  readonly partitionId: bigint
  readonly vchannel: string
  readonly level: 'L0' | 'L1'
  readonly rows: number
  /** Rows that were dead already when a flush wrote the file, and are not in it. Statistics count them until a compaction, as Milvus's do. */
  readonly deadRows?: number | undefined
  readonly bytes: number
  readonly startTs: bigint
  readonly endTs: bigint
  /** No delete at or below this kills a row of the segment: it was applied when the file was written. */
  readonly deletesTs: bigint
  /** Object key of the data file, and its CRC32. */
  readonly path: string
  readonly crc32: number
  readonly indexes: readonly SegmentIndexMeta[]
  /** Of an import: when all rows of the file were written, whatever the file says; it was not known then. */
  readonly rowsTs?: bigint | undefined
}

export const DEFAULT_PARTITION = '_default'
export const DEFAULT_DATABASE = 'default'

/** Bigints as `{"$n":"123"}`, so that metadata survives JSON exactly. */
export function encodeMeta(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? { $n: item.toString() } : item))
}

export function decodeMeta<T>(text: string): T {
  return JSON.parse(text, (_key, item: unknown) => {
    if (typeof item === 'object' && item !== null && '$n' in item && typeof item.$n === 'string') return BigInt(item.$n)
    return item
  }) as T
}
