/**
 * Exports through Query, so that they pass its gate and its queue: a query whose parameters name one is no search of rows but opens it
 * (`timetick.export: open`), reads its next page (`timetick.export: <id>`, `limit`), or ends it (`timetick.export.end: <id>`).
 */
import type { Exporter } from '../coordinator/exporter.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { AnyHandler, CallContext, HandlerTable } from '../server/handlers.ts'
import { invalid } from '../server/status.ts'
import { DataType, primaryField } from '../model/schema.ts'
import { structsOf } from '../model/structs.ts'
import type { QueryRequest } from '../wire/index.ts'
import { withoutFunctionOutputs } from './function-outputs.ts'
import type { QueryResponse } from './query.ts'
import { fieldBytes } from './response-columns.ts'
import { toRecord } from './rpc-values.ts'

export const EXPORT = 'timetick.export'
export const EXPORT_END = 'timetick.export.end'
const MAX_PAGE = 16_384

export interface ExportOptions {
  readonly meta: MetaReader
  readonly exporter: () => Pick<Exporter, 'open' | 'read' | 'end'>
}

/** The handlers, with a Query that exports, too. */
export function withExports(handlers: HandlerTable, options: ExportOptions): HandlerTable {
  const query = handlers.Query as unknown as (AnyHandler & { run(request: QueryRequest, call: CallContext): Promise<QueryResponse> }) | undefined
  if (query === undefined) return handlers
  const run = (request: QueryRequest, call: CallContext): Promise<QueryResponse> => {
    const isExport = request.query_params.some(({ key }) => key === EXPORT || key === EXPORT_END)
    return isExport ? runExport(options, request, call) : query.run(request, call)
  }
  return { ...handlers, Query: { ...query, run } }
}

async function runExport({ meta, exporter }: ExportOptions, request: QueryRequest, call: CallContext): Promise<QueryResponse> {
  const collection = meta.collection(call.dbName, request.collection_name)
  const params = toRecord(request.query_params)
  const message = { collection_name: request.collection_name, primary_field_name: primaryField(collection.schema).name }
  const end = params[EXPORT_END]
  if (end !== undefined) {
    exporter().end(exportId(end))
    return { message, fields: [] }
  }
  if (params[EXPORT] === 'open') {
    const partitions = request.partition_names.map((name) => meta.partition(collection, name).id)
    const { id, ts, rows } = await exporter().open(collection, partitions.length === 0 ? undefined : partitions)
    const number = (field_name: string, value: bigint) => ({ type: DataType.Int64, field_name, scalars: { long_data: { data: [value] } } })
    return { message: { ...message, session_ts: ts, fields_data: [number('export', id), number('rows', BigInt(rows))] }, fields: [] }
  }
  const limit = Number(params['limit'] ?? MAX_PAGE)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) throw invalid(`expected \`limit\` to be in 1..${MAX_PAGE}, got ${params['limit']}`)
  const batch = await exporter().read(exportId(params[EXPORT] ?? ''), limit)
  const fields = batch.length === 0 ? [] : withoutFunctionOutputs(collection.schema)
  const structs = structsOf(collection.schema)
  const output = { fields, structs, names: [...fields.flatMap(({ name, struct }) => (struct === undefined ? [name] : [])), ...structs.map(({ name }) => name)], dynamicKeys: undefined, hasPrimary: true }
  return { message: { ...message, output_fields: output.names }, fields: fieldBytes(output, batch.columns, batch.length) }
}

function exportId(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw invalid(`expected the id of an export, got ${JSON.stringify(text.slice(0, 40))}`)
  return BigInt(text)
}
