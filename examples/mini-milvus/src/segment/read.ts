import { RecordBatchReader } from 'apache-arrow'
import type { Column, ColumnSource, RowBatch } from '../model/column.ts'
import { type CollectionSchema, primaryField } from '../model/schema.ts'
import { checksum } from './checksum.ts'
import { yieldToLoop } from './edge.ts'
import { SegmentError } from './errors.ts'
import { fromArrowColumn } from './from-arrow.ts'
import { FIELD_ID } from './to-arrow.ts'
import { FORMAT_KEY, FORMAT_VERSION, KIND_KEY, TIMESTAMP_COLUMN } from './write.ts'

export interface ReadSegmentOptions {
  /** The whole file; on a SharedArrayBuffer when workers are to use the columns. */
  readonly bytes: Uint8Array
  readonly schema: CollectionSchema
  /** What `writeSegmentFile` gave. */
  readonly crc32: number
  /** Names the file in errors. */
  readonly key: string
  readonly pause?: (() => Promise<void>) | undefined
}

/** Columns are views into the file's bytes. Fields that were added after the file was written have none. */
export interface SegmentData extends ColumnSource, RowBatch {
  readonly timestamps: BigUint64Array
}

export interface DeltaData {
  readonly length: number
  readonly primaryKeys: Column
  readonly timestamps: BigUint64Array
}

/** Throws {@link SegmentError}: `SEGMENT_CORRUPT`, `SEGMENT_FORMAT`, `SEGMENT_NEWER` or `SEGMENT_SCHEMA`. */
export async function readSegmentFile(options: ReadSegmentOptions): Promise<SegmentData> {
  const { length, columns, timestamps } = await decode('rows', options)
  for (const field of options.schema.fields) {
    const missing = !columns.has(field.id) && !field.nullable && field.defaultValue === undefined
    if (missing && field.isPrimary)
      throw new SegmentError('SEGMENT_FORMAT', `${options.key}: the primary key column ${field.name} is missing`)
  }
  return { length, columns, timestamps, column: (fieldId) => columns.get(fieldId) }
}

/** As {@link readSegmentFile}, for a file of deletes. */
export async function readDeltaFile(options: ReadSegmentOptions): Promise<DeltaData> {
  const { length, columns, timestamps } = await decode('deletes', options)
  const primaryKeys = columns.get(primaryField(options.schema).id)
  if (primaryKeys === undefined) throw new SegmentError('SEGMENT_FORMAT', `${options.key}: the primary keys are missing`)
  return { length, primaryKeys, timestamps }
}

interface Decoded {
  readonly length: number
  readonly columns: Map<number, Column>
  readonly timestamps: BigUint64Array
}

/** The bytes, if their CRC32 is this; throws `SEGMENT_CORRUPT` where it is not. */
export async function readCheckedFile(bytes: Uint8Array, crc32: number, key: string, pause: () => Promise<void> = yieldToLoop): Promise<Uint8Array> {
  const found = await checksum([bytes], pause)
  if (found === crc32) return bytes
  const details = { file: key, bytes: bytes.length, expected: crc32, found }
  throw new SegmentError('SEGMENT_CORRUPT', `${key}: its CRC32 is ${hex(found)}, expected ${hex(crc32)} (${bytes.length} bytes)`, { details })
}

async function decode(kind: 'rows' | 'deletes', options: ReadSegmentOptions): Promise<Decoded> {
  const { bytes, key } = options
  await readCheckedFile(bytes, options.crc32, key, options.pause)
  try {
    return decodeChecked(kind, bytes, options.schema, key)
  } catch (error) {
    if (error instanceof SegmentError) throw error
    throw new SegmentError(
      'SEGMENT_FORMAT',
      `${key}: not a readable Arrow file: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}

function decodeChecked(kind: string, bytes: Uint8Array, schema: CollectionSchema, key: string): Decoded {
  const reader = RecordBatchReader.from(bytes).open()
  // The reader forgets its schema when it has read everything.
  const { fields, metadata } = reader.schema
  const version = Number(metadata.get(FORMAT_KEY))
  if (!Number.isInteger(version) || version < 1) throw new SegmentError('SEGMENT_FORMAT', `${key}: an Arrow file, but no segment file`)
  if (version > FORMAT_VERSION) {
    throw new SegmentError('SEGMENT_NEWER', `${key}: has format ${version}, this release knows up to ${FORMAT_VERSION}`, {
      details: { file: key, version },
    })
  }
  if (metadata.get(KIND_KEY) !== kind)
    throw new SegmentError('SEGMENT_FORMAT', `${key}: holds ${metadata.get(KIND_KEY) ?? 'nothing'}, expected ${kind}`)
  const batches = reader.readAll()
  const batch = batches[0]
  if (batch === undefined || batches.length !== 1)
    throw new SegmentError('SEGMENT_FORMAT', `${key}: has ${batches.length} record batches, expected 1`)
  const byId = new Map(schema.fields.map((field) => [field.id, field]))
  const columns = new Map<number, Column>()
  let timestamps: BigUint64Array | undefined
  for (const [i, arrow] of fields.entries()) {
    const data = batch.data.children[i]
    if (data === undefined) continue
    const values: unknown = data.values
    if (arrow.name === TIMESTAMP_COLUMN && values instanceof BigUint64Array) timestamps = values
    const field = byId.get(Number(arrow.metadata.get(FIELD_ID)))
    if (field !== undefined) columns.set(field.id, fromArrowColumn(field, arrow, data, key))
  }
  if (timestamps === undefined || timestamps.length < batch.numRows) {
    throw new SegmentError('SEGMENT_FORMAT', `${key}: the column ${TIMESTAMP_COLUMN} is missing or short`)
  }
  return { length: batch.numRows, columns, timestamps: timestamps.subarray(0, batch.numRows) }
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0')
}
