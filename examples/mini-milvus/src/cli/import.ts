/** `mini-milvus import <collection> <files...>`: a job of a node that runs, followed to its end. */
import { parseJsonBody } from '../rest/json.ts'
import { ExportError } from './export.ts'

export interface ImportFilesOptions {
  /** `host:port` of the node. */
  readonly address: string
  readonly dbName: string
  readonly collection: string
  readonly partition?: string | undefined
  /** Below the import folder of the node. */
  readonly files: readonly string[]
  readonly options: { readonly sep?: string | undefined; readonly nullkey?: string | undefined; readonly timeout?: string | undefined }
  readonly post: (url: string, body: string) => Promise<Uint8Array>
  readonly pause: () => Promise<void>
  readonly onProgress: (percent: number) => void
}

type Json = Readonly<Record<string, unknown>>

/** Resolves when the rows are indexed and served. Throws ExportError with the job's reason. */
export async function importFiles(request: ImportFilesOptions): Promise<{ readonly rows: number }> {
  const { address, dbName, collection, partition = '', files, post, pause, onProgress } = request
  const call = async (path: string, body: object): Promise<Json> => {
    const answer = parseJsonBody(await post(`http://${address}/v2/vectordb/jobs/import/${path}`, JSON.stringify({ dbName, collectionName: collection, ...body })))
    if (Number(answer['code']) !== 0) throw new ExportError(`the node refused: ${String(answer['message'] ?? answer['code'])}`)
    return answer['data'] as Json
  }
  const { sep, nullkey, timeout } = request.options
  const options = Object.fromEntries(Object.entries({ sep, nullkey, timeout }).filter(([, value]) => value !== undefined))
  const { jobId } = await call('create', { partitionName: partition, files: files.map((file) => [file]), options })
  for (;;) {
    const job = await call('describe', { jobId })
    if (job['state'] === 'Failed') throw new ExportError(`the import failed: ${String(job['reason'])}`)
    if (job['state'] === 'Completed') return { rows: Number(job['importedRows']) }
    onProgress(Number(job['progress']))
    await pause()
  }
}
