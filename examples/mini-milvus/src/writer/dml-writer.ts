/**
 * The proxy's way into the log: shards rows by primary key, stamps them, and resolves when they are durable.
 * One call is one timestamp; its parts for one channel are appended together.
 */
import type { StampedAppend, TimeTickProducer, TsMsg } from '@timetick/msgstream'
import { gatherColumn } from '../codec/gather.ts'
import type { Column, RowBatch } from '../model/column.ts'
import type { CollectionMeta, ShardMeta } from '../model/meta.ts'
import { groupByBucket, hashPrimaryKeys, type PrimaryKeys } from '../model/primary-keys.ts'
import { deleteMessage, encodeKeys, encodeRows, insertMessage } from './log-messages.ts'

/** Rows of one partition. */
export interface PartitionRows {
  readonly partitionId: bigint
  readonly rows: RowBatch
  readonly keys: PrimaryKeys
}

/** Keys to delete; `partitionId` 0n: in all partitions. */
export interface PartitionKeys {
  readonly partitionId: bigint
  readonly keys: PrimaryKeys
}

export interface DmlWrite {
  readonly collection: CollectionMeta
  readonly deletes: readonly PartitionKeys[]
  readonly inserts: readonly PartitionRows[]
  readonly signal?: AbortSignal | undefined
}

/** A message's body stays below this, so that readers and memory limits see reasonable pieces. */
const MAX_ROWS_BYTES = 16 * 1024 * 1024

interface Part {
  readonly shard: ShardMeta
  readonly partitionId: bigint
  readonly kind: 'insert' | 'delete'
  readonly body: Uint8Array
}

export interface DmlWriter {
  /** Deletes, then inserts, at one timestamp: an upsert's new rows survive its own deletes. */
  write(write: DmlWrite): Promise<bigint>
  /** Timestamp of the last acknowledged write to a collection, 0n before the first. */
  lastWrite(collectionId: bigint): bigint
}

export function createDmlWriter(ticks: TimeTickProducer): DmlWriter {
  const lastWrites = new Map<bigint, bigint>()
  return {
    lastWrite: (collectionId) => lastWrites.get(collectionId) ?? 0n,
    async write({ collection, deletes, inserts, signal }) {
      const parts = [
        ...deletes.flatMap((item) => deleteParts(collection.shards, item)),
        ...inserts.flatMap((item) => insertParts(collection.shards, item)),
      ]
      const channels = [...new Set(parts.map((part) => part.shard.pchannel))]
      const build = (ts: bigint): StampedAppend[] =>
        channels.map((channel) => ({
          channel,
          msgs: parts.filter((part) => part.shard.pchannel === channel).map((part) => message(collection.id, part, ts)),
        }))
      const { timestamp } = await ticks.write(build, channels, { signal })
      if (timestamp > (lastWrites.get(collection.id) ?? 0n)) lastWrites.set(collection.id, timestamp)
      return timestamp
    },
  }
}

function message(collectionId: bigint, part: Part, ts: bigint): TsMsg {
  const target = { collectionId, partitionId: part.partitionId, vchannel: part.shard.vchannel }
  return part.kind === 'insert' ? insertMessage(target, part.body, ts) : deleteMessage(target, part.body, ts)
}

function insertParts(shards: readonly ShardMeta[], { partitionId, rows, keys }: PartitionRows): Part[] {
  if (rows.length === 0) return []
  return byShard(shards, keys).flatMap(({ shard, picked }) => {
    const mine = picked === undefined ? rows : gatherRows(rows, picked)
    return splitBySize(mine).map((piece) => ({ shard, partitionId, kind: 'insert' as const, body: encodeRows(piece) }))
  })
}

function deleteParts(shards: readonly ShardMeta[], { partitionId, keys }: PartitionKeys): Part[] {
  if (keys.length === 0) return []
  return byShard(shards, keys).map(({ shard, picked }) => {
    const mine = picked === undefined ? keys : gatherColumn<PrimaryKeys>(keys, picked)
    return { shard, partitionId, kind: 'delete' as const, body: encodeKeys(mine) }
  })
}

/** Rows per shard; `picked` is undefined where one shard takes all, so that nothing is copied. */
function byShard(shards: readonly ShardMeta[], keys: PrimaryKeys): { shard: ShardMeta; picked: Uint32Array | undefined }[] {
  if (shards.length === 1) return [{ shard: shards[0] as ShardMeta, picked: undefined }]
  return groupByBucket(hashPrimaryKeys(keys), shards.length)
    .map((picked, index) => ({ shard: shards[index] as ShardMeta, picked }))
    .filter(({ picked }) => picked.length > 0)
}

export function gatherRows(rows: RowBatch, picked: Uint32Array): RowBatch {
  const columns = new Map<number, Column>()
  for (const [fieldId, column] of rows.columns) columns.set(fieldId, gatherColumn(column, picked))
  return { length: picked.length, columns }
}

function splitBySize(rows: RowBatch): RowBatch[] {
  const bytes = [...rows.columns.values()].reduce((sum, column) => sum + columnBytes(column), 0)
  const pieces = Math.min(rows.length, Math.ceil(bytes / MAX_ROWS_BYTES))
  if (pieces <= 1) return [rows]
  const size = Math.ceil(rows.length / pieces)
  return Array.from({ length: pieces }, (_, index) => {
    const start = index * size
    const length = Math.min(size, rows.length - start)
    return gatherRows(rows, Uint32Array.from({ length }, (_item, row) => start + row))
  }).filter((piece) => piece.length > 0)
}

/** Bytes of a column's payload, roughly: for limits, not for layout. */
export function columnBytes(column: Column): number {
  switch (column.kind) {
    case 'vector':
      return column.length * column.bytesPerRow
    case 'string':
    case 'json':
    case 'sparse':
      return (column.offsets[column.length] as number) - (column.offsets[0] as number) + column.length * 4
    case 'array':
      return columnBytes(column.elements) + column.length * 4
    case 'int64':
      return column.length * 8
    case 'number':
      return column.length * column.values.BYTES_PER_ELEMENT
    case 'bool':
      return column.length
  }
}
