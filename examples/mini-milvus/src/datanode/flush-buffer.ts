/** From a sealed buffer to segment files: dead rows left out, rows sorted by key, one file per partition, one per delete scope. */
import { concatColumns } from '../codec/gather.ts'
import { fillColumn } from '../codec/fill.ts'
import type { Column, VectorColumn } from '../model/column.ts'
import type { CollectionMeta, SegmentMeta } from '../model/meta.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { yieldToLoop } from '../segment/edge.ts'
import { writeDeltaFile } from '../segment/index.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { BufferedDelete, BufferedRows, SealedBuffer } from './shard-buffer.ts'
import { latestDeletes, segmentFolder, withoutDead, writeRowSegment, type NewSegment, type StampedRows } from './stamped-rows.ts'

export interface FlushContext {
  readonly storage: ObjectStorage
  readonly collection: CollectionMeta
  /** The shard was flushed up to here before. */
  readonly startTs: bigint
  readonly allocateId: () => Promise<bigint>
}

/** Copied between two turns of the event loop. */
const STEP_BYTES = 4 * 1024 * 1024

/** Writes the files; each is durable when this resolves. Empty buffers give no segment. */
export async function flushBuffer(buffer: SealedBuffer, context: FlushContext): Promise<SegmentMeta[]> {
  const { collection } = context
  const segments: SegmentMeta[] = []
  for (const [partitionId, buffered] of buffer.partitions) {
    if (!collection.partitions.some((partition) => partition.id === partitionId)) continue
    const parts = buffered.filter(({ ts }) => ts > collection.truncatedTs)
    if (parts.length === 0) continue
    const alive = withoutDead(await joinRows(parts, collection.schema), latestDeletes(buffer.deletes, partitionId), collection.schema)
    if (alive.length === 0) continue
    const segment = { ...scopeOf(buffer, context), id: await context.allocateId(), partitionId }
    segments.push(await writeRowSegment(context.storage, collection.schema, segment, alive))
  }
  for (const [partitionId, deletes] of groupByPartition(buffer.deletes)) {
    segments.push(await writeDeletes(buffer, partitionId, deletes, context))
  }
  return segments
}

async function joinRows(parts: readonly BufferedRows[], schema: CollectionSchema): Promise<StampedRows> {
  const length = parts.reduce((sum, { rows }) => sum + rows.length, 0)
  const timestamps = new BigUint64Array(length)
  let at = 0
  for (const { rows, ts } of parts) {
    timestamps.fill(ts, at, at + rows.length)
    at += rows.length
  }
  const columns = new Map<number, Column>()
  for (const field of schema.fields) columns.set(field.id, await joinColumn(parts, field))
  return { length, columns, timestamps }
}

async function joinColumn(parts: readonly BufferedRows[], field: FieldSchema): Promise<Column> {
  const columns = parts.map(({ rows }) => rows.columns.get(field.id) ?? fillColumn(field, rows.length))
  const [only] = columns
  if (columns.length === 1 && only !== undefined) return only
  await yieldToLoop()
  const vectors = columns.filter((column) => column.kind === 'vector')
  return vectors.length === columns.length ? joinVectors(vectors) : concatColumns(columns)
}

/** Some megabytes at a time, between which the event loop has its turn. */
async function joinVectors(parts: readonly VectorColumn[]): Promise<VectorColumn> {
  const first = parts[0] as VectorColumn
  const { bytesPerRow } = first
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const data = new Uint8Array(length * bytesPerRow)
  const valid = parts.some((part) => part.valid !== undefined) ? new Uint8Array(length).fill(1) : undefined
  let row = 0
  let copied = 0
  for (const part of parts) {
    const bytes = part.length * bytesPerRow
    data.set(part.data.subarray(0, bytes), row * bytesPerRow)
    if (part.valid !== undefined) valid?.set(part.valid.subarray(0, part.length), row)
    row += part.length
    copied += bytes
    if (copied < STEP_BYTES) continue
    copied = 0
    await yieldToLoop()
  }
  return { ...first, length, valid, data }
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
