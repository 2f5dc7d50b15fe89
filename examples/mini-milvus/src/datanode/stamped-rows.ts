/** Rows with their write timestamps: what becomes a segment file, at a flush and at a compaction. */
import { freeColumns } from '../codec/free.ts'
import type { Column } from '../model/column.ts'
import type { SegmentMeta } from '../model/meta.ts'
import { isPrimaryKeyColumn, primaryKeyAt, type PrimaryKey, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField, type CollectionSchema } from '../model/schema.ts'
import { gatherSteps, gatherTimestampSteps, inTurns, type Pause, sortSegment, STEP_ROWS, writeSegmentFile } from '../segment/index.ts'
import type { ObjectStorage } from '../storage/index.ts'

export interface StampedRows {
  readonly length: number
  readonly columns: ReadonlyMap<number, Column>
  readonly timestamps: BigUint64Array
}

/** A delete of keys. `partitionId` 0n: in all partitions. */
export interface StampedDelete {
  readonly partitionId: bigint
  readonly keys: PrimaryKeys
  readonly ts: bigint
}

/** Where a segment's files lie. */
export function segmentFolder(collectionId: bigint, segmentId: bigint): string {
  return `segments/${collectionId}/${segmentId}`
}

export function keysOfRows(rows: Pick<StampedRows, 'columns'>, schema: CollectionSchema): PrimaryKeys {
  const keys = rows.columns.get(primaryField(schema).id)
  if (!isPrimaryKeyColumn(keys)) throw new Error(`rows of ${schema.name} came without primary keys`)
  return keys
}

/** The last delete of each key, of those that reach a partition. */
export async function latestDeletes(deletes: readonly StampedDelete[], partitionId: bigint, pause: Pause): Promise<Map<PrimaryKey, bigint>> {
  const latest = new Map<PrimaryKey, bigint>()
  let sincePause = 0
  for (const { partitionId: scope, keys, ts } of deletes) {
    if (scope !== 0n && scope !== partitionId) continue
    for (let index = 0; index < keys.length; index++) {
      const key = primaryKeyAt(keys, index)
      if ((latest.get(key) ?? 0n) < ts) latest.set(key, ts)
      if (++sincePause % STEP_ROWS === 0) await pause()
    }
  }
  return latest
}

/** Rows that no delete has reached: a delete kills what was written before it. */
export async function withoutDead(rows: StampedRows, latest: ReadonlyMap<PrimaryKey, bigint>, schema: CollectionSchema, pause: Pause): Promise<StampedRows> {
  if (latest.size === 0) return rows
  const keys = keysOfRows(rows, schema)
  const alive: number[] = []
  for (let row = 0; row < rows.length; row++) {
    const deletedAt = latest.get(primaryKeyAt(keys, row))
    if (deletedAt === undefined || deletedAt <= (rows.timestamps[row] as bigint)) alive.push(row)
    if ((row + 1) % STEP_ROWS === 0) await pause()
  }
  return alive.length === rows.length ? rows : pickRows(rows, Uint32Array.from(alive), pause)
}

/** The rows that are named. */
export async function pickRows(rows: StampedRows, picked: Uint32Array, pause: Pause): Promise<StampedRows> {
  const columns = new Map<number, Column>()
  for (const [fieldId, column] of rows.columns) columns.set(fieldId, await inTurns(gatherSteps(column, picked), pause))
  const timestamps = await inTurns(gatherTimestampSteps(rows.timestamps, picked), pause)
  return { length: picked.length, columns, timestamps }
}

export type NewSegment = Pick<SegmentMeta, 'id' | 'collectionId' | 'partitionId' | 'vchannel' | 'startTs' | 'endTs' | 'deletesTs'>

/** Sorts rows by key and writes them as one file; it is durable when this resolves. */
export async function writeRowSegment(storage: ObjectStorage, schema: CollectionSchema, segment: NewSegment, rows: StampedRows, pause: Pause): Promise<SegmentMeta> {
  const sorted = await sortSegment(rows, rows.timestamps, primaryField(schema).id, pause)
  const path = `${segmentFolder(segment.collectionId, segment.id)}/rows.arrow`
  const { collectionId, partitionId, startTs, endTs } = segment
  const { batch, timestamps } = sorted
  const file = await writeSegmentFile({ schema, collectionId, partitionId, segmentId: segment.id, startTs, endTs, batch, timestamps, pause })
  await storage.put(path, file.chunks)
  // Rows that were in order already are the caller's own.
  if (sorted.order !== undefined) freeColumns(batch.columns.values())
  return { ...segment, level: 'L1', rows: rows.length, bytes: file.bytes, path, crc32: file.crc32, indexes: [] }
}
