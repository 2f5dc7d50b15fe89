/** Import, GetImportState and ListImportTasks as RPC handlers; a job is also ended through Import, by the option `abort`. */
import { checkImportPath } from '../bulk/import-source.edge.ts'
import { groupsOf } from '../bulk/open-file.ts'
import { formatTimestamptz } from '../codec/timestamptz.ts'
import type { ImportService, ImportStatus } from '../coordinator/importer.ts'
import { notFound } from '../coordinator/importer.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { ImportJobState } from '../model/import-job.ts'
import { type CollectionMeta, DEFAULT_PARTITION } from '../model/meta.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { invalid } from '../server/status.ts'
import { type GetImportStateResponse, type ImportRequest, ImportState, type Init } from '../wire/index.ts'
import { partitionKeyField, partitionKeyPartitions } from './partitioning.ts'
import { toPairs, toRecord } from './rpc-values.ts'

export interface ImportHandlersOptions {
  readonly meta: MetaReader
  readonly importer: () => ImportService
}

const MAX_LISTED = 1024

export function createImportHandlers({ meta, importer }: ImportHandlersOptions): WireHandlers {
  return {
    Import: {
      kind: 'ddl',
      async run(request, call) {
        const options = toRecord(request.options)
        if (options['abort'] !== undefined) {
          const id = jobId(options['abort'])
          const job = await importer().status(id)
          // Who may import into a collection may end its jobs, and no other's.
          if (job === undefined || (request.collection_name !== '' && job.collectionId !== meta.collection(call.dbName, request.collection_name).id)) throw notFound(id)
          await importer().abort(id)
          return { tasks: [id] }
        }
        const collection = meta.collection(call.dbName, request.collection_name)
        const partition = partitionOf(meta, collection, request)
        const files = filesOf(request)
        const job = { dbName: collection.dbName, collectionId: collection.id, collectionName: collection.schema.name, ...partition, files }
        return { tasks: [await importer().submit({ ...job, options: checkOptions(options), timeoutMs: durationMs(options['timeout']) })] }
      },
    },
    GetImportState: {
      kind: 'dql',
      async run({ task }) {
        const job = await importer().status(task)
        if (job === undefined) throw notFound(task)
        return stateOf(job)
      },
    },
    ListImportTasks: {
      kind: 'dql',
      async run(request, call) {
        const { collection_name: name, limit } = request
        const collectionId = name === '' ? undefined : meta.collection(call.dbName, name).id
        const jobs = (await importer().list(collectionId)).filter((job) => name !== '' || job.dbName === call.dbName)
        return { tasks: jobs.slice(0, limit > 0n ? Math.min(Number(limit), MAX_LISTED) : MAX_LISTED).map(stateOf) }
      },
    },
  }
}

function jobId(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw invalid(`expected the id of an import job, got ${JSON.stringify(text.slice(0, 40))}`)
  return BigInt(text)
}

function partitionOf(meta: MetaReader, collection: CollectionMeta, { partition_name: name }: ImportRequest): { partitionId: bigint; partitionName: string } {
  if (partitionKeyField(collection) !== undefined) {
    if (name !== '') partitionKeyPartitions(collection)
    return { partitionId: 0n, partitionName: '' }
  }
  const partition = meta.partition(collection, name === '' ? DEFAULT_PARTITION : name)
  return { partitionId: partition.id, partitionName: partition.name }
}

function filesOf({ files }: ImportRequest): string[][] {
  if (files.length === 0) throw invalid('import request is empty: it names no files')
  if (new Set(files).size !== files.length) throw invalid('a file is named twice')
  try {
    // Milvus takes an absolute name, and its job fails: so does ours, which reads nothing by such a name.
    for (const file of files) checkImportPath(file.replace(/^\/+/, ''))
    return groupsOf(files)
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error))
  }
}

const REFUSED = ['backup', 'l0_import', 'storage_version', 'start_ts', 'startTs', 'end_ts', 'endTs']

function checkOptions(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const key of REFUSED) if (options[key] !== undefined && options[key] !== 'false') throw invalid(`import option ${key} is not served`)
  const { sep } = options
  if (sep !== undefined && (sep.length !== 1 || /[\r\n"\0]/.test(sep))) throw invalid(`unsupported csv separator: ${JSON.stringify(sep.slice(0, 10))}`)
  if (sep !== undefined && options['nullkey'] === sep) throw invalid('the csv separator cannot stand for null, too')
  return options
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milvus takes durations of Go: `300s`, `1h30m`. */
function durationMs(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^(?:\d{1,9}(?:\.\d{1,6})?(?:ms|s|m|h))+$/.test(text)) throw invalid(`expected \`timeout\` to be a duration such as 300s, got ${JSON.stringify(text.slice(0, 40))}`)
  let sum = 0
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) sum += Number(amount) * (UNITS[unit] ?? 0)
  return sum
}

const STATES: Readonly<Record<ImportJobState, number>> = {
  Pending: ImportState.ImportPending,
  PreImporting: ImportState.ImportStarted,
  Importing: ImportState.ImportStarted,
  IndexBuilding: ImportState.ImportStarted,
  Completed: ImportState.ImportCompleted,
  Failed: ImportState.ImportFailed,
}

function stateOf(job: ImportStatus): Init<GetImportStateResponse> & { readonly status?: undefined } {
  const infos = {
    failed_reason: job.reason,
    progress_percent: String(job.percent),
    collection: job.collectionName,
    partition: job.partitionName,
    total_rows: String(job.totalRows),
    state: job.state,
    files: job.files.flatMap(({ paths }) => paths).join(','),
    start_time: timeOf(job.createdMs),
    ...(job.endedMs === undefined ? {} : { complete_time: timeOf(job.endedMs) }),
    details: JSON.stringify(job.files.map((file) => detailOf(job, file))),
  }
  return {
    state: STATES[job.state],
    row_count: BigInt(job.rows),
    infos: toPairs(infos),
    id: job.id,
    collection_id: job.collectionId,
    segment_ids: job.segmentIds,
    create_ts: BigInt(Math.floor(job.createdMs / 1000)),
  }
}

function timeOf(ms: number): string {
  return formatTimestamptz(BigInt(Math.floor(ms)) * 1000n)
}

function detailOf({ state, reason }: ImportStatus, { paths, bytes, importedRows, totalRows }: ImportStatus['files'][number]): object {
  return { fileName: paths.join(','), fileSize: bytes, state, importedRows, totalRows: totalRows ?? 0, ...(reason === '' ? {} : { reason }) }
}
