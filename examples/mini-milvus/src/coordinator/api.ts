/**
 * What other roles ask of the coordinator. Arguments and results are plain data, so that the same calls can go over gRPC
 * when roles are separate processes. Failures are `MilvusError` (server/status.ts): they carry Milvus's codes.
 */
import type { FunctionMeta } from '../model/functions.ts'
import type { AliasMeta, CollectionMeta, DatabaseMeta, IndexMeta, LoadMeta, PartitionMeta, SegmentIndexMeta, SegmentMeta } from '../model/meta.ts'
import type { CollectionSchema, FieldSchema, StructMeta } from '../model/schema.ts'

/** Synchronous reads of metadata that this process mirrors. Everything returned is immutable. */
export interface MetaReader {
  databases(): readonly DatabaseMeta[]
  /** Throws 800 when it does not exist. */
  database(name: string): DatabaseMeta
  /** By name or alias; throws 800 / 100. */
  collection(dbName: string, nameOrAlias: string): CollectionMeta
  findCollection(dbName: string, nameOrAlias: string): CollectionMeta | undefined
  collectionById(id: bigint): CollectionMeta | undefined
  collections(dbName?: string): readonly CollectionMeta[]
  /** Throws 200 when it does not exist. */
  partition(collection: CollectionMeta, name: string): PartitionMeta
  aliases(collectionId: bigint): readonly AliasMeta[]
  indexes(collectionId: bigint): readonly IndexMeta[]
  load(collectionId: bigint): LoadMeta | undefined
  segments(collectionId: bigint): readonly SegmentMeta[]
  segment(id: bigint): SegmentMeta | undefined
  /** Everything of the shard at or below this timestamp is in segments; 0n when nothing was flushed. */
  flushedTs(collectionId: bigint, vchannel: string): bigint
  /** Called, synchronously and in order, after each change of this kind. The result ends the subscription. */
  onChange(listener: (change: MetaChange) => void): () => void
}

export type MetaChange =
  | { readonly kind: 'collection'; readonly id: bigint; readonly before: CollectionMeta | undefined; readonly after: CollectionMeta | undefined }
  | { readonly kind: 'load'; readonly collectionId: bigint; readonly before: LoadMeta | undefined; readonly after: LoadMeta | undefined }
  | { readonly kind: 'segment'; readonly id: bigint; readonly before: SegmentMeta | undefined; readonly after: SegmentMeta | undefined }
  | { readonly kind: 'index'; readonly id: bigint; readonly before: IndexMeta | undefined; readonly after: IndexMeta | undefined }

export interface CreateCollectionRequest {
  readonly dbName: string
  /** Validated and completed by the proxy: ids assigned from FIRST_FIELD_ID, `$meta` appended. */
  readonly schema: CollectionSchema
  readonly shardsNum: number
  readonly consistencyLevel: number
  readonly properties: Readonly<Record<string, string>>
  /** With a partition key: how many partitions to make. */
  readonly numPartitions?: number | undefined
}

/** Changes of metadata. Each is durable on the KVBase when it resolves, and seen by `MetaReader` of this process. */
export type FunctionPlan = (schema: CollectionSchema) => readonly FunctionMeta[]

export interface CatalogWriter {
  createDatabase(name: string, properties: Readonly<Record<string, string>>): Promise<void>
  dropDatabase(name: string): Promise<void>
  alterDatabase(name: string, set: Readonly<Record<string, string>>, remove: readonly string[]): Promise<void>
  /** Idempotent for an equal schema; 1100 when another collection has the name. */
  createCollection(request: CreateCollectionRequest): Promise<CollectionMeta>
  /** Missing: success. Drops its aliases, indexes, load state and segments' metadata. */
  dropCollection(dbName: string, name: string): Promise<void>
  renameCollection(dbName: string, name: string, newDbName: string, newName: string): Promise<void>
  alterCollection(dbName: string, name: string, set: Readonly<Record<string, string>>, remove: readonly string[]): Promise<void>
  alterField(dbName: string, name: string, fieldName: string, set: Readonly<Record<string, string>>, remove: readonly string[]): Promise<void>
  addField(dbName: string, name: string, field: FieldSchema): Promise<void>
  /** All or none; ids are assigned in this order. `functions`: all that there are afterwards, of the schema with the fields. */
  addFields(dbName: string, name: string, fields: readonly FieldSchema[], functions?: FunctionPlan): Promise<void>
  /** An array of structs with its sub-fields; ids are assigned. */
  addStruct(dbName: string, name: string, struct: StructMeta, fields: readonly FieldSchema[]): Promise<void>
  /** `plan` gives all functions after the change. 1100 while the collection is loaded, or where an index would not fit any more. */
  changeFunctions(dbName: string, name: string, plan: FunctionPlan): Promise<void>
  truncateCollection(dbName: string, name: string, atTs: bigint): Promise<void>
  createPartition(dbName: string, name: string, partition: string): Promise<void>
  dropPartition(dbName: string, name: string, partition: string): Promise<void>
  createAlias(dbName: string, alias: string, collection: string): Promise<void>
  alterAlias(dbName: string, alias: string, collection: string): Promise<void>
  dropAlias(dbName: string, alias: string): Promise<void>
  createIndex(dbName: string, name: string, fieldName: string, indexName: string, params: Readonly<Record<string, string>>): Promise<void>
  alterIndex(dbName: string, name: string, indexName: string, set: Readonly<Record<string, string>>, remove: readonly string[]): Promise<void>
  dropIndex(dbName: string, name: string, fieldOrIndexName: string): Promise<void>
  /** 700 without an index on each vector field. */
  loadCollection(dbName: string, name: string, replicaNumber: number, resourceGroups?: readonly string[]): Promise<void>
  loadPartitions(dbName: string, name: string, partitions: readonly string[], replicaNumber: number, resourceGroups?: readonly string[]): Promise<void>
  releaseCollection(dbName: string, name: string): Promise<void>
  releasePartitions(dbName: string, name: string, partitions: readonly string[]): Promise<void>
}

/** What data nodes report and index builders report. One atomic write each. */
export interface SegmentWriter {
  /**
   * The shard was flushed up to `flushedTs`: its new segments (rows and deltas) and the log position from which the
   * channel must be read again, in one transaction. Ignored parts: segments of collections or partitions dropped meanwhile.
   */
  saveFlush(flush: { readonly collectionId: bigint; readonly vchannel: string; readonly flushedTs: bigint; readonly segments: readonly SegmentMeta[] }): Promise<void>
  saveSegmentIndex(segmentId: bigint, index: SegmentIndexMeta): Promise<void>
  /** Replace segments by others (compaction), atomically. */
  replaceSegments(remove: readonly bigint[], add: readonly SegmentMeta[]): Promise<void>
  saveCheckpoint(pchannel: string, position: string): Promise<void>
  /** JSON text as saved, or undefined. */
  checkpoint(pchannel: string): string | undefined
}
