/** `mini-milvus export <collection>`: all rows of a loaded collection as JSON lines, by primary key, from a node that runs. */
import { parseJsonBody, stringifyJson } from '../rest/json.ts'

export interface ExportOptions {
  /** `host:port` of the node. */
  readonly address: string
  readonly dbName: string
  readonly collection: string
  /** Rows asked for at once. */
  readonly pageRows: number
  readonly post: (url: string, body: string) => Promise<Uint8Array>
  readonly write: (lines: string) => Promise<void>
  readonly onProgress: (rows: number) => void
}

export class ExportError extends Error {
  override readonly name = 'ExportError'
}

type Json = Readonly<Record<string, unknown>>

/** Numbers stay as they are, also beyond 2^53. @returns rows written. Throws ExportError when the node refuses, or rows are missing at the end. */
export async function exportRows(options: ExportOptions): Promise<number> {
  const { address, dbName, collection, pageRows, write, onProgress } = options
  const call = async (path: string, body: object): Promise<unknown> => {
    const answer = parseJsonBody(await options.post(`http://${address}/v2/vectordb/${path}`, JSON.stringify({ dbName, collectionName: collection, ...body })))
    if (Number(answer['code']) !== 0) throw new ExportError(`the node refused: ${String(answer['message'] ?? answer['code'])}`)
    return answer['data']
  }
  const { fields } = (await call('collections/describe', {})) as { fields: readonly Json[] }
  const primary = fields.find((field) => field['primaryKey'] === true)
  const name = String(primary?.['name'])
  const isText = primary?.['type'] === 'VarChar'
  const all = isText ? `${name} >= ""` : `${name} >= -9223372036854775808`
  let written = 0
  let filter = all
  for (;;) {
    const rows = (await call('entities/query', { filter, outputFields: ['*'], limit: pageRows, consistencyLevel: 'Strong' })) as readonly Json[]
    if (rows.length > 0) await write(rows.map((row) => `${stringifyJson(row)}\n`).join(''))
    written += rows.length
    onProgress(written)
    if (rows.length < pageRows) break
    const last = String(rows.at(-1)?.[name])
    filter = `${name} > ${isText ? JSON.stringify(last) : last}`
  }
  const [counted] = (await call('entities/query', { filter: '', outputFields: ['count(*)'], consistencyLevel: 'Strong' })) as readonly Json[]
  const count = Number(counted?.['count(*)'])
  if (count !== written) throw new ExportError(`${written} rows were written, but the collection has ${count}: it changed meanwhile, or the export is not whole`)
  return written
}
