/** From a sealed buffer to segment files: dead rows left out, rows sorted by key, one file per partition, one per delete scope. */
import { concatColumns, gatherColumn } from '../codec/gather.ts'
import { fillColumn } from '../codec/fill.ts'
import type { Column, RowBatch } from '../model/column.ts'
import type { CollectionMeta, SegmentMeta } from '../model/meta.ts'
import { isPrimaryKeyColumn, primaryKeyAt, type PrimaryKey, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField, type CollectionSchema, type FieldSchema } from '../model/schema.ts'
import { sortByPrimaryKey, writeDeltaFile, writeSegmentFile } from '../segment/index.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { BufferedDelete, BufferedRows, SealedBuffer } from './shard-buffer.ts'

export interface FlushContext {
  readonly storage: ObjectStorage
  readonly collection: CollectionMeta
  /** The shard was flushed up to here before. */
  readonly startTs: bigint
  readonly allocateId: () => Promise<bigint>
}

/** Writes the files; each is durable when this resolves. Empty buffers give no segment. */
export async function flushBuffer(buffer: SealedBuffer, context: FlushContext): Promise<SegmentMeta[]> {
  const { collection } = context
  const segments: SegmentMeta[] = []
  for (const [partitionId, buffered] of buffer.partitions) {
    if (!collection.partitions.some((partition) => partition.id === partitionId)) continue
    const parts = buffered.filter(({ ts }) => ts > collection.truncatedTs)
    if (parts.length === 0) continue
    const alive = withoutDead(joinRows(parts, collection.schema), partitionId, buffer.deletes, collection.schema)
    if (alive.length > 0) segments.push(await writeRows(buffer, partitionId, alive, context))
  }
  for (const [partitionId, deletes] of groupByPartition(buffer.deletes)) {
    segments.push(await writeDeletes(buffer, partitionId, deletes, context))
  }
  return segments
}

/** Where a segment's files lie. */
export function segmentFolder(collectionId: bigint, segmentId: bigint): string {
  return `segments/${collectionId}/${segmentId}`
}

interface StampedRows {
  readonly length: number
  readonly columns: ReadonlyMap<number, Column>
  readonly timestamps: BigUint64Array
}

function joinRows(parts: readonly BufferedRows[], schema: CollectionSchema): StampedRows {
  const length = parts.reduce((sum, { rows }) => sum + rows.length, 0)
  const timestamps = new BigUint64Array(length)
  let at = 0
  for (const { rows, ts } of parts) {
    timestamps.fill(ts, at, at + rows.length)
    at += rows.length
  }
  const columns = new Map(schema.fields.map((field) => [field.id, joinColumn(parts, field)]))
  return { length, columns, timestamps }
}

function joinColumn(parts: readonly BufferedRows[], field: FieldSchema): Column {
  const columns = parts.map(({ rows }) => rows.columns.get(field.id) ?? fillColumn(field, rows.length))
  return columns.length === 1 ? (columns[0] as Column) : concatColumns(columns)
}

function withoutDead(rows: StampedRows, partitionId: bigint, deletes: readonly BufferedDelete[], schema: CollectionSchema): StampedRows {
  const latest = latestDeletes(deletes, partitionId)
  if (latest.size === 0) return rows
  const keys = keysOfRows(rows, schema)
  const alive: number[] = []
  for (let row = 0; row < rows.length; row++) {
    const deletedAt = latest.get(primaryKeyAt(keys, row))
    if (deletedAt === undefined || deletedAt <= (rows.timestamps[row] as bigint)) alive.push(row)
  }
  return alive.length === rows.length ? rows : pick(rows, Uint32Array.from(alive))
}

function latestDeletes(deletes: readonly BufferedDelete[], partitionId: bigint): Map<PrimaryKey, bigint> {
  const latest = new Map<PrimaryKey, bigint>()
  for (const { partitionId: scope, keys, ts } of deletes) {
    if (scope !== 0n && scope !== partitionId) continue
    for (let index = 0; index < keys.length; index++) {
      const key = primaryKeyAt(keys, index)
      if ((latest.get(key) ?? 0n) < ts) latest.set(key, ts)
    }
  }
  return latest
}

function pick(rows: StampedRows, picked: Uint32Array): StampedRows {
  const columns = new Map([...rows.columns].map(([fieldId, column]) => [fieldId, gatherColumn(column, picked)]))
  return { length: picked.length, columns, timestamps: BigUint64Array.from(picked, (row) => rows.timestamps[row] as bigint) }
}

async function writeRows(buffer: SealedBuffer, partitionId: bigint, rows: StampedRows, context: FlushContext): Promise<SegmentMeta> {
  const { storage, collection, startTs, allocateId } = context
  const id = await allocateId()
  const sorted = sortByPrimaryKey(rows satisfies RowBatch, rows.timestamps, primaryField(collection.schema).id)
  const path = `${segmentFolder(collection.id, id)}/rows.arrow`
  const file = await writeSegmentFile({
    schema: collection.schema,
    collectionId: collection.id,
    partitionId,
    segmentId: id,
    startTs,
    endTs: buffer.endTs,
    batch: sorted.batch,
    timestamps: sorted.timestamps,
  })
  await storage.put(path, file.chunks)
  return segmentMeta(buffer, context, { id, partitionId, level: 'L1', rows: rows.length, path, ...file })
}

async function writeDeletes(buffer: SealedBuffer, partitionId: bigint, deletes: readonly BufferedDelete[], context: FlushContext): Promise<SegmentMeta> {
  const { storage, collection, startTs, allocateId } = context
  const id = await allocateId()
  const keys = concatColumns<PrimaryKeys>(deletes.map((record) => record.keys))
  const timestamps = new BigUint64Array(keys.length)
  let at = 0
  for (const record of deletes) {
    timestamps.fill(record.ts, at, at + record.keys.length)
    at += record.keys.length
  }
  const path = `${segmentFolder(collection.id, id)}/deletes.arrow`
  const file = await writeDeltaFile({
    schema: collection.schema,
    collectionId: collection.id,
    partitionId,
    segmentId: id,
    startTs,
    endTs: buffer.endTs,
    primaryKeys: keys,
    timestamps,
  })
  await storage.put(path, file.chunks)
  return segmentMeta(buffer, context, { id, partitionId, level: 'L0', rows: keys.length, path, ...file })
}

function segmentMeta(
  buffer: SealedBuffer,
  { collection, startTs }: FlushContext,
  file: Pick<SegmentMeta, 'id' | 'partitionId' | 'level' | 'rows' | 'path' | 'bytes' | 'crc32'>,
): SegmentMeta {
  const { id, partitionId, level, rows, path, bytes, crc32 } = file
  return { id, collectionId: collection.id, partitionId, vchannel: buffer.vchannel, level, rows, bytes, startTs, endTs: buffer.endTs, path, crc32, indexes: [] }
}

function groupByPartition(deletes: readonly BufferedDelete[]): Map<bigint, BufferedDelete[]> {
  const groups = new Map<bigint, BufferedDelete[]>()
  for (const record of deletes) {
    const group = groups.get(record.partitionId)
    if (group === undefined) groups.set(record.partitionId, [record])
    else group.push(record)
  }
  return groups
}

function keysOfRows(rows: StampedRows, schema: CollectionSchema): PrimaryKeys {
  const keys = rows.columns.get(primaryField(schema).id)
  if (!isPrimaryKeyColumn(keys)) throw new Error(`rows of ${schema.name} came without primary keys`)
  return keys
}
