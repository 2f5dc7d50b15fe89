/** From a sealed buffer to segment files: dead rows left out, rows sorted by key, one file per partition, one per delete scope. */
import { concatColumns } from '../codec/gather.ts'
import { fillColumn } from '../codec/fill.ts'
import { freeColumns } from '../codec/free.ts'
import type { Column } from '../model/column.ts'
import type { CollectionMeta, SegmentMeta } from '../model/meta.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { inTurns, joinSteps, type Pause, writeDeltaFile } from '../segment/index.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { BufferedDelete, BufferedRows, SealedBuffer } from './shard-buffer.ts'
import { latestDeletes, segmentFolder, withoutDead, writeRowSegment, type NewSegment, type StampedRows } from './stamped-rows.ts'

export interface FlushContext {
  readonly storage: ObjectStorage
  readonly collection: CollectionMeta
  /** The shard was flushed up to here before. */
  readonly startTs: bigint
  readonly allocateId: () => Promise<bigint>
  readonly pause: Pause
}

/** Writes the files; each is durable when this resolves. Empty buffers give no segment. */
export async function flushBuffer(buffer: SealedBuffer, context: FlushContext): Promise<SegmentMeta[]> {
  const { collection, pause } = context
  const segments: SegmentMeta[] = []
  for (const [partitionId, buffered] of buffer.partitions) {
    if (!collection.partitions.some((partition) => partition.id === partitionId)) continue
    const parts = buffered.filter(({ ts }) => ts > collection.truncatedTs)
    if (parts.length === 0) continue
    const joined = await joinRows(parts, collection.schema, pause)
    const alive = await withoutDead(joined, await latestDeletes(buffer.deletes, partitionId, pause), collection.schema, pause)
    if (alive.length === 0) continue
    const segment = { ...scopeOf(buffer, context), id: await context.allocateId(), partitionId }
    const written = await writeRowSegment(context.storage, collection.schema, segment, alive, pause)
    const deadRows = joined.length - alive.length
    // One part is given on as it is, and lies on memory of the message that it came in.
    if (parts.length > 1) freeColumns(joined.columns.values())
    segments.push(deadRows === 0 ? written : { ...written, deadRows })
  }
  for (const [partitionId, deletes] of groupByPartition(buffer.deletes)) {
    segments.push(await writeDeletes(buffer, partitionId, deletes, context))
  }
  return segments
}

async function joinRows(parts: readonly BufferedRows[], schema: CollectionSchema, pause: Pause): Promise<StampedRows> {
  const length = parts.reduce((sum, { rows }) => sum + rows.length, 0)
  const timestamps = new BigUint64Array(length)
  let at = 0
  for (const { rows, ts } of parts) {
    timestamps.fill(ts, at, at + rows.length)
    at += rows.length
  }
  const columns = new Map<number, Column>()
  for (const field of schema.fields) columns.set(field.id, await joinColumn(parts, field, pause))
  return { length, columns, timestamps }
}

async function joinColumn(parts: readonly BufferedRows[], field: FieldSchema, pause: Pause): Promise<Column> {
  const columns = parts.map(({ rows }) => rows.columns.get(field.id) ?? fillColumn(field, rows.length))
  await pause()
  return inTurns(joinSteps(columns), pause)
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
    pause: context.pause,
  })
  await storage.put(path, file.chunks)
  return { ...scopeOf(buffer, context), id, partitionId, level: 'L0', rows: keys.length, bytes: file.bytes, path, crc32: file.crc32, indexes: [] }
}

/** What all segments of one flush share. Its rows know of every delete up to its end: older rows are in older segments. */
function scopeOf({ vchannel, endTs }: SealedBuffer, { collection, startTs }: FlushContext): Omit<NewSegment, 'id' | 'partitionId'> {
  return { collectionId: collection.id, vchannel, startTs, endTs, deletesTs: endTs }
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
