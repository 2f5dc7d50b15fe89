/**
 * The proxy's way into the log: shards rows by primary key, stamps them, and resolves when they are durable.
 * One call is one timestamp; its parts for one channel are appended together.
 */
import type { StampedAppend, TimeTickProducer, TsMsg } from '@timetick/msgstream'
import { gatherColumn } from '../codec/gather.ts'
import type { Column, RowBatch } from '../model/column.ts'
import type { CollectionMeta, ShardMeta } from '../model/meta.ts'
import { groupByBucket, hashPrimaryKeys, type PrimaryKeys } from '../model/primary-keys.ts'
import { gatherSteps } from '../segment/gather-steps.ts'
import { atOnce, inTurns, type Pause, STEP_ROWS, type Steps } from '../segment/steps.ts'
import type { Transaction } from '../staging/transactions.ts'
import { deleteMessage, type DmlTarget, encodeRows, keyBatch, insertMessage } from './log-messages.ts'

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
  /** W3C's, of the call that writes. */
  readonly traceparent?: string | undefined
}

/** A message's body stays about below this: what encodes it and what reads it take it in one step. */
const MAX_ROWS_BYTES = 8 * 1024 * 1024
/** More than what stands before a body in its frame. */
const HEAD_BYTES = 8 * 1024
/** Writes of more bytes, or of more keys than a step takes, let others run between their steps. */
const LARGE_WRITE_BYTES = 2 * 1024 * 1024

interface Part {
  readonly collectionId: bigint
  readonly shard: ShardMeta
  readonly partitionId: bigint
  readonly kind: 'insert' | 'delete'
  readonly body: Uint8Array
}

/** Writes that take effect together. */
export interface DmlCommit {
  readonly writes: readonly Omit<DmlWrite, 'signal'>[]
  /** Names it in the log. */
  readonly transaction: string
  /** Called when the timestamp is given, before anything is appended; throws to give up. */
  readonly check: () => void
  /** Called when all parts are durable, before time passes them. */
  readonly confirm: (transaction: Transaction) => Promise<void>
  /** Heeded until the append. */
  readonly signal: AbortSignal
}

export interface DmlWriter {
  /** Deletes, then inserts, at one timestamp: an upsert's new rows survive its own deletes. */
  write(write: DmlWrite): Promise<bigint>
  /** Timestamp of the last acknowledged write to a collection, 0n before the first. */
  lastWrite(collectionId: bigint): bigint
  /** All writes at one timestamp, on all their channels or, for readers, on none. */
  commit(commit: DmlCommit): Promise<Transaction>
}

/**
 * Writes that have begun are waited for, whoever gives up on them: a call keeps its place in the queue as long as the log has its rows,
 * so that a log that does not answer holds no more than what may run at once.
 */
export function heldUntilKnown(ticks: Pick<TimeTickProducer, 'write'>): Pick<TimeTickProducer, 'write'> {
  return {
    write(build, channels, { signal, ...options } = {}) {
      const begun: typeof build = (ts) => {
        signal?.throwIfAborted()
        return build(ts)
      }
      return ticks.write(begun, channels, options)
    },
  }
}

/**
 * @param pause lets other work run between the steps of a large write
 * @param maxFrameBytes of the log: no message with more than one row is larger
 */
export function createDmlWriter(ticks: Pick<TimeTickProducer, 'write'>, pause: Pause, maxFrameBytes = Infinity): DmlWriter {
  const maxBytes = Math.min(MAX_ROWS_BYTES, maxFrameBytes - HEAD_BYTES)
  const lastWrites = new Map<bigint, bigint>()
  const written = (collectionId: bigint, timestamp: bigint): void => {
    if (timestamp > (lastWrites.get(collectionId) ?? 0n)) lastWrites.set(collectionId, timestamp)
  }
  return {
    lastWrite: (collectionId) => lastWrites.get(collectionId) ?? 0n,
    async write(write) {
      const { collection, signal, traceparent } = write
      const parts = isLarge(write) ? await inTurns(partSteps(write, maxBytes), pause, signal) : atOnce(partSteps(write, maxBytes))
      const channels = channelsOf(parts)
      const { timestamp } = await ticks.write((ts) => appends(parts, channels, ts, { traceparent }), channels, { signal })
      written(collection.id, timestamp)
      return timestamp
    },
    async commit({ writes, transaction, check, confirm, signal }) {
      const { channels, appends: partsAt } = await prepareCommit(writes, { pause, maxFrameBytes, signal })
      const build = (ts: bigint): StampedAppend[] => {
        signal.throwIfAborted()
        check()
        return partsAt(ts, transaction)
      }
      const { timestamp: ts } = await ticks.write(build, channels, { confirm: (timestamp) => confirm({ ts: timestamp, channels }) })
      for (const { collection } of writes) written(collection.id, ts)
      return { ts, channels }
    },
  }
}

/** Writes as the log takes them: sharded and encoded, not stamped yet. */
export interface PreparedCommit {
  /** That carry a part. */
  readonly channels: readonly string[]
  /** Of each channel its parts, in their order. */
  readonly appends: (ts: bigint, transaction: string) => StampedAppend[]
}

export async function prepareCommit(writes: DmlCommit['writes'], { pause, maxFrameBytes = Infinity, signal }: { readonly pause: Pause; readonly maxFrameBytes?: number | undefined; readonly signal: AbortSignal }): Promise<PreparedCommit> {
  const maxBytes = Math.min(MAX_ROWS_BYTES, maxFrameBytes - HEAD_BYTES)
  const parts: Part[] = []
  for (const write of writes) for (const part of await inTurns(partSteps(write, maxBytes), pause, signal)) parts.push(part)
  const channels = channelsOf(parts)
  return { channels, appends: (ts, transaction) => appends(parts, channels, ts, { transaction }) }
}

function channelsOf(parts: readonly Part[]): string[] {
  return [...new Set(parts.map((part) => part.shard.pchannel))]
}

/** What the messages of one write have in common. */
type Tags = Pick<DmlTarget, 'transaction' | 'traceparent'>

function appends(parts: readonly Part[], channels: readonly string[], ts: bigint, tags: Tags): StampedAppend[] {
  return channels.map((channel) => ({
    channel,
    msgs: parts.filter((part) => part.shard.pchannel === channel).map((part) => message(part, ts, tags)),
  }))
}

function message(part: Part, ts: bigint, tags: Tags): TsMsg {
  const target = { collectionId: part.collectionId, partitionId: part.partitionId, vchannel: part.shard.vchannel, ...tags }
  return part.kind === 'insert' ? insertMessage(target, part.body, ts) : deleteMessage(target, part.body, ts)
}

function isLarge({ deletes, inserts }: DmlWrite): boolean {
  const rows = [...deletes, ...inserts].reduce((sum, { keys }) => sum + keys.length, 0)
  return rows > STEP_ROWS || inserts.reduce((sum, item) => sum + rowBytes(item.rows), 0) > LARGE_WRITE_BYTES
}

function* partSteps({ collection: { id: collectionId, shards }, deletes, inserts }: Omit<DmlWrite, 'signal'>, maxBytes: number): Steps<Part[]> {
  const parts: Part[] = []
  for (const { partitionId, keys } of deletes) {
    for (const { shard, picked } of yield* shardSteps(shards, keys)) {
      const mine = picked === undefined ? keys : ((yield* gatherSteps(keys, picked)) as PrimaryKeys)
      for (const body of yield* fitting(keyBatch(mine), maxBytes)) parts.push({ collectionId, shard, partitionId, kind: 'delete', body })
      yield
    }
  }
  for (const { partitionId, rows, keys } of inserts) {
    for (const { shard, picked } of yield* shardSteps(shards, keys)) {
      const mine = picked === undefined ? rows : yield* gatherRowSteps(rows, picked)
      for (const piece of yield* splitSteps(mine, maxBytes)) {
        for (const body of yield* fitting(piece, maxBytes)) parts.push({ collectionId, shard, partitionId, kind: 'insert', body })
        yield
      }
    }
  }
  return parts
}

/** Rows per shard; `picked` is undefined where one shard takes all, so that nothing is copied. */
function* shardSteps(shards: readonly ShardMeta[], keys: PrimaryKeys): Steps<{ shard: ShardMeta; picked: Uint32Array | undefined }[]> {
  if (keys.length === 0) return []
  if (shards.length === 1) return [{ shard: shards[0] as ShardMeta, picked: undefined }]
  const hashes = new Int32Array(keys.length)
  for (let begin = 0; begin < keys.length; begin += STEP_ROWS) {
    hashes.set(hashPrimaryKeys(keysBetween(keys, begin, Math.min(keys.length, begin + STEP_ROWS))), begin)
    yield
  }
  return groupByBucket(hashes, shards.length)
    .map((picked, index) => ({ shard: shards[index] as ShardMeta, picked }))
    .filter(({ picked }) => picked.length > 0)
}

/** A view of rows `begin .. end`. */
function keysBetween(keys: PrimaryKeys, begin: number, end: number): PrimaryKeys {
  const length = end - begin
  if (keys.kind === 'int64') return { ...keys, length, values: keys.values.subarray(begin, end) }
  return { ...keys, length, offsets: keys.offsets.subarray(begin, end + 1) }
}

export function gatherRows(rows: RowBatch, picked: Uint32Array): RowBatch {
  const columns = new Map<number, Column>()
  for (const [fieldId, column] of rows.columns) columns.set(fieldId, gatherColumn(column, picked))
  return { length: picked.length, columns }
}

function* gatherRowSteps(rows: RowBatch, picked: Uint32Array): Steps<RowBatch> {
  const columns = new Map<number, Column>()
  for (const [fieldId, column] of rows.columns) {
    columns.set(fieldId, yield* gatherSteps(column, picked))
    yield
  }
  return { length: picked.length, columns }
}

/** Encoded; halved as long as it is too large, since rows differ in size. One row alone is as large as it is. */
function* fitting(rows: RowBatch, maxBytes: number): Steps<Uint8Array[]> {
  const body = encodeRows(rows)
  if (body.length <= maxBytes || rows.length <= 1) return [body]
  const half = rows.length >> 1
  const bodies: Uint8Array[] = []
  for (const [start, length] of [[0, half], [half, rows.length - half]] as const) {
    const part = yield* gatherRowSteps(rows, Uint32Array.from({ length }, (_item, row) => start + row))
    bodies.push(...(yield* fitting(part, maxBytes)))
  }
  return bodies
}

function* splitSteps(rows: RowBatch, maxBytes: number): Steps<RowBatch[]> {
  const count = Math.min(rows.length, Math.ceil(rowBytes(rows) / maxBytes))
  if (count <= 1) return [rows]
  const size = Math.ceil(rows.length / count)
  const pieces: RowBatch[] = []
  for (let start = 0; start < rows.length; start += size) {
    const length = Math.min(size, rows.length - start)
    pieces.push(yield* gatherRowSteps(rows, Uint32Array.from({ length }, (_item, row) => start + row)))
  }
  return pieces
}

function rowBytes(rows: RowBatch): number {
  let bytes = 0
  for (const column of rows.columns.values()) bytes += columnBytes(column)
  return bytes
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
    case 'vectors':
      return columnBytes(column.elements) + column.length * 4
    case 'int64':
      return column.length * 8
    case 'number':
      return column.length * column.values.BYTES_PER_ELEMENT
    case 'bool':
      return column.length
  }
}
