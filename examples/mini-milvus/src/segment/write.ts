/**
 * Segment files are Arrow IPC files (open them with pyarrow, DuckDB, pandas, …) of one record batch: a column per field and
 * `_timestamp`. One batch, so that every column is one run of bytes and can be used where it lies.
 */
import { type Data, Field, makeData, RecordBatch, RecordBatchFileWriter, Schema, Struct, Uint64 } from 'apache-arrow'
import type { Column, RowBatch } from '../model/column.ts'
import { type CollectionSchema, type FieldSchema, primaryField } from '../model/schema.ts'
import { checksum } from './checksum.ts'
import { yieldToLoop } from './edge.ts'
import { toArrowColumn } from './to-arrow.ts'

export const FORMAT_VERSION = 1
export const FORMAT_KEY = 'mini_milvus.format'
export const KIND_KEY = 'mini_milvus.kind'
export const TIMESTAMP_COLUMN = '_timestamp'

/** What a file says of itself in its schema metadata, for people and tools; the node trusts its own metadata. */
export interface SegmentIdentity {
  readonly collectionId: bigint
  readonly partitionId: bigint
  readonly segmentId: bigint
  readonly startTs: bigint
  readonly endTs: bigint
}

export interface WriteSegmentOptions extends SegmentIdentity {
  readonly schema: CollectionSchema
  /** Sorted by primary key (see `sortSegment`). */
  readonly batch: RowBatch
  /** One per row. */
  readonly timestamps: BigUint64Array
  /** Lets other work run between steps; `setImmediate` unless given. */
  readonly pause?: (() => Promise<void>) | undefined
}

export interface WriteDeltaOptions extends SegmentIdentity {
  readonly schema: CollectionSchema
  readonly primaryKeys: Column
  readonly timestamps: BigUint64Array
  readonly pause?: (() => Promise<void>) | undefined
}

export interface EncodedFile {
  /** Parts that alias the batch: store them before it changes. */
  readonly chunks: readonly Uint8Array[]
  readonly bytes: number
  readonly crc32: number
}

/** Rows as a file. Columns of fields that the schema no longer has are left out. */
export async function writeSegmentFile(options: WriteSegmentOptions): Promise<EncodedFile> {
  const { schema, batch } = options
  const columns: [FieldSchema, Column][] = []
  for (const field of schema.fields) {
    const column = batch.columns.get(field.id)
    if (column !== undefined) columns.push([field, column])
  }
  return encode('rows', options, schema, columns, batch.length, options.timestamps, options.pause ?? yieldToLoop)
}

/** Deletes as a file: the primary keys and when each was deleted. */
export async function writeDeltaFile(options: WriteDeltaOptions): Promise<EncodedFile> {
  const { schema, primaryKeys, timestamps } = options
  return encode(
    'deletes',
    options,
    schema,
    [[primaryField(schema), primaryKeys]],
    primaryKeys.length,
    timestamps,
    options.pause ?? yieldToLoop,
  )
}

async function encode(
  kind: 'rows' | 'deletes',
  identity: SegmentIdentity,
  schema: CollectionSchema,
  columns: readonly (readonly [FieldSchema, Column])[],
  rows: number,
  timestamps: BigUint64Array,
  pause: () => Promise<void>,
): Promise<EncodedFile> {
  if (timestamps.length < rows) throw new RangeError(`expected \`timestamps\` to have ${rows} items, got ${timestamps.length}`)
  const fields: Field[] = []
  const children: Data[] = []
  for (const [field, column] of columns) {
    if (column.length !== rows) throw new RangeError(`expected column ${field.name} to have ${rows} rows, got ${column.length}`)
    const arrow = toArrowColumn(field, column, rows)
    fields.push(arrow.field)
    children.push(arrow.data)
    await pause()
  }
  fields.push(new Field(TIMESTAMP_COLUMN, new Uint64(), false))
  children.push(makeData({ type: new Uint64(), length: rows, nullCount: 0, data: timestamps.subarray(0, rows) }))
  const arrowSchema = new Schema(fields, describe(kind, identity, schema, rows))
  const data = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children })
  const writer = new RecordBatchFileWriter()
  writer.write(new RecordBatch(arrowSchema, data))
  writer.close()
  await pause()
  const chunks: Uint8Array[] = []
  for await (const chunk of writer as AsyncIterable<Uint8Array>) if (chunk.length > 0) chunks.push(chunk)
  return { chunks, bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0), crc32: await checksum(chunks, pause) }
}

function describe(kind: string, identity: SegmentIdentity, schema: CollectionSchema, rows: number): Map<string, string> {
  return new Map([
    [FORMAT_KEY, String(FORMAT_VERSION)],
    [KIND_KEY, kind],
    ['mini_milvus.collection', schema.name],
    ['mini_milvus.collection_id', String(identity.collectionId)],
    ['mini_milvus.partition_id', String(identity.partitionId)],
    ['mini_milvus.segment_id', String(identity.segmentId)],
    ['mini_milvus.start_ts', String(identity.startTs)],
    ['mini_milvus.end_ts', String(identity.endTs)],
    ['mini_milvus.rows', String(rows)],
  ])
}
