/** `mini-milvus export <collection>`: all rows of a collection as of one timestamp, as JSON lines or Parquet, from a node that runs. */
import { jsonLines } from '../bulk/json-lines.ts'
import { createParquetWriter } from '../bulk/parquet-writer.ts'
import { withoutNullValues } from '../codec/compact-payload.ts'
import { flattenStructs } from '../codec/struct-fields.ts'
import { ProtoReader } from '../codec/proto-reader.ts'
import { readField, type RawField } from '../codec/raw-field.ts'
import { toRowBatch } from '../codec/row-batch.ts'
import { concatColumns } from '../codec/gather.ts'
import type { Column, RowBatch } from '../model/column.ts'
import { dynamicField, type CollectionSchema, type FieldSchema } from '../model/schema.ts'
import { schemaFromWire } from '../proxy/ddl-schema.ts'
import { EXPORT, EXPORT_END } from '../proxy/export.ts'
import { withoutFunctionOutputs } from '../proxy/function-outputs.ts'
import { decodeMessage, encodeMessage, type Status } from '../wire/index.ts'

export type ExportFormat = 'ndjson' | 'parquet'

export interface ExportOptions {
  readonly collection: string
  readonly format: ExportFormat
  /** Rows asked for at once. */
  readonly pageRows: number
  readonly call: (rpc: string, request: Uint8Array) => Promise<Uint8Array>
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly onProgress: (rows: number, all: number) => void
}

export class ExportError extends Error {
  override readonly name = 'ExportError'
}

/** Rows of a group of a Parquet file. */
const GROUP_ROWS = 32_768

/** @returns rows written. Throws ExportError when the node refuses, or when there are not as many as it counted at the export's timestamp. */
export async function exportRows(options: ExportOptions): Promise<number> {
  const schema = await describe(options)
  const opened = decodeMessage('milvus.QueryResults', await query(options, [{ key: EXPORT, value: 'open' }]))
  const [id = 0n, all = 0n] = ['export', 'rows'].map((name) => opened.fields_data.find(({ field_name: known }) => known === name)?.scalars?.long_data?.data[0])
  const sink = options.format === 'parquet' ? parquetSink(schema, options.write) : linesSink(schema, options.write)
  let written = 0
  options.onProgress(0, Number(all))
  for (;;) {
    const batch = batchOf(await query(options, [{ key: EXPORT, value: String(id) }, { key: 'limit', value: String(options.pageRows) }]), schema)
    if (batch.length === 0) break
    await sink.add(batch)
    written += batch.length
    options.onProgress(written, Number(all))
  }
  await sink.end()
  await query(options, [{ key: EXPORT_END, value: String(id) }])
  if (BigInt(written) !== all) throw new ExportError(`${written} rows were written, but the collection had ${all} at timestamp ${opened.session_ts}`)
  return written
}

async function describe({ call, collection }: ExportOptions): Promise<CollectionSchema> {
  const found = decodeMessage('milvus.DescribeCollectionResponse', await call('DescribeCollection', encodeMessage('milvus.DescribeCollectionRequest', { collection_name: collection })))
  refuse(found.status)
  if (found.schema === null) throw new ExportError(`${collection} has no schema`)
  return schemaFromWire({ ...found.schema, fields: found.schema.fields.filter(({ is_dynamic: isDynamic }) => !isDynamic) }, collection)
}

async function query({ call, collection }: ExportOptions, query_params: { key: string; value: string }[]): Promise<Uint8Array> {
  const bytes = await call('Query', encodeMessage('milvus.QueryRequest', { collection_name: collection, query_params }))
  refuse(statusOf(bytes))
  return bytes
}

function refuse(status: Status | null): void {
  if (status !== null && (status.code !== 0 || status.error_code !== 0)) throw new ExportError(`the node refused: ${status.reason}`)
}

/** Without reading the rows beside it. */
function statusOf(bytes: Uint8Array): Status | null {
  const reader = new ProtoReader(bytes)
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x0a) return decodeMessage('common.Status', reader.bytes())
    reader.skip(tag & 7)
  }
  return null
}

/** Columns as they lie in the message. */
function batchOf(bytes: Uint8Array, schema: CollectionSchema): RowBatch {
  const reader = new ProtoReader(bytes)
  const fields: RawField[] = []
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x12) fields.push(...flattenStructs([readField(reader.message())]).map(withoutNullValues))
    else reader.skip(tag & 7)
  }
  const primary = schema.fields.find(({ isPrimary }) => isPrimary)
  const keys = fields.find(({ name }) => name === primary?.name)?.payload
  const numRows = keys !== undefined && 'length' in keys ? keys.length : 0
  if (numRows === 0) return { length: 0, columns: new Map() }
  return toRowBatch({ dbName: '', collectionName: schema.name, partitionName: '', numRows, schemaTimestamp: 0n, fields }, schema, { allowInsertAutoId: true })
}

interface Sink {
  add(batch: RowBatch): Promise<void>
  end(): Promise<void>
}

function joinBatches(batches: readonly RowBatch[], fields: readonly FieldSchema[]): RowBatch {
  const columns = new Map<number, Column>()
  for (const { id } of fields) columns.set(id, concatColumns(batches.flatMap((batch) => batch.columns.get(id) ?? [])))
  return { length: batches.reduce((sum, { length }) => sum + length, 0), columns }
}

function linesSink(schema: CollectionSchema, write: ExportOptions['write']): Sink {
  const fields = withoutFunctionOutputs(schema)
  return { add: (batch) => write(new TextEncoder().encode(jsonLines(fields, batch))), end: async () => undefined }
}

function parquetSink(schema: CollectionSchema, write: ExportOptions['write']): Sink {
  const dynamic = dynamicField(schema)
  const fields = withoutFunctionOutputs(schema).map((field) => (field === dynamic ? { ...field, nullable: false } : field))
  const writer = createParquetWriter(fields)
  let pending: RowBatch[] = []
  const flush = async (): Promise<void> => {
    const batches = pending
    pending = []
    if (batches.length > 0) await write(writer.add(joinBatches(batches, fields)))
  }
  return {
    async add(batch) {
      pending.push(batch)
      if (pending.reduce((sum, { length }) => sum + length, 0) >= GROUP_ROWS) await flush()
    },
    async end() {
      await flush()
      await write(writer.finish())
    },
  }
}
