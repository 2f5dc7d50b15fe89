/** `/v2/vectordb/` jobs (imports, snapshots, external collections), segments, quotas, analyzers. */
import type { RpcName } from '../server/handlers.ts'
import { type GetImportStateResponse, ImportState, type RunAnalyzerResponse } from '../wire/index.ts'
import { asText, type Body, named } from './body.ts'
import { invalidParameter } from './errors.ts'
import { messageToJson } from './message-out.ts'
import { type Route, rpcRoute, type Session, type Takes, v2Route } from './route.ts'
import { anyObject, nothing, rowList } from './schemas.ts'

function jobOf(body: Body): bigint {
  const text = asText(body.value('jobId') ?? '')
  if (!/^\d{1,19}$/.test(text)) throw invalidParameter('jobId', 'an id')
  return BigInt(text)
}

/** Milvus's words for the states of its import jobs. */
const importStates = new Map<number, string>([
  [ImportState.ImportPending, 'Pending'],
  [ImportState.ImportFailed, 'Failed'],
  [ImportState.ImportFailedAndCleaned, 'Failed'],
  [ImportState.ImportStarted, 'Importing'],
  [ImportState.ImportPersisted, 'Importing'],
  [ImportState.ImportFlushed, 'Importing'],
  [ImportState.ImportCompleted, 'Completed'],
])

function shownJob(job: GetImportStateResponse, collectionName: string | undefined): object {
  const infos = new Map(job.infos.map(({ key, value }) => [key, value]))
  const state = importStates.get(job.state) ?? ''
  return {
    jobId: job.id.toString(),
    collectionName: collectionName ?? infos.get('collection') ?? '',
    state,
    progress: Number(infos.get('progress_percent') ?? (state === 'Completed' ? 100 : 0)),
    importedRows: Number(job.row_count),
    totalRows: Number(infos.get('total_rows') ?? job.row_count),
    reason: infos.get('failed_reason') || undefined,
    completeTime: infos.get('complete_time'),
    ...shownFiles(infos.get('details')),
  }
}

/** As `Import` told them; the size of all is the job's. */
function shownFiles(details: string | undefined): object {
  if (details === undefined) return {}
  const files = JSON.parse(details) as readonly { readonly fileSize: number }[]
  return { fileSize: files.reduce((sum, { fileSize }) => sum + fileSize, 0), details: files }
}

function filesOf(body: Body): readonly string[] {
  const groups = body.list('files')
  return groups.flatMap((group) => {
    const files = Array.isArray(group) ? (group as readonly unknown[]) : [group]
    if (!files.every((file) => typeof file === 'string')) throw invalidParameter('files', 'an array of arrays of strings')
    return files
  })
}

const progress = (path: string): Route =>
  rpcRoute(path, 'GetImportState', ['jobId*'], (body) => ({ task: jobOf(body) }), (job) => shownJob(job, undefined), anyObject)

const importRoutes: readonly Route[] = [
  rpcRoute(
    'jobs/import/create',
    'Import',
    ['collectionName*', 'partitionName', 'files*', 'options'],
    (body) => ({
      ...named(body),
      partition_name: body.text('partitionName'),
      row_based: true,
      files: filesOf(body),
      options: body.object('options').pairs(),
    }),
    ({ tasks }) => ({ jobId: (tasks[0] ?? 0n).toString() }),
    anyObject,
  ),
  rpcRoute(
    'jobs/import/list',
    'ListImportTasks',
    ['collectionName'],
    named,
    ({ tasks }) => ({ records: tasks.map((job) => shownJob(job, undefined)) }),
    anyObject,
  ),
  progress('jobs/import/get_progress'),
  progress('jobs/import/describe'),
  refused('jobs/import/commit', 'Import', ['jobId*']),
  rpcRoute('jobs/import/abort', 'Import', ['jobId*', 'collectionName'], (body) => ({ ...named(body), options: [{ key: 'abort', value: jobOf(body).toString() }] })),
]

/** Milvus has no RPC for these in its service: its REST asks other roles. They pass the gate of the RPC that is nearest and say what they are. */
function refused(path: string, rpc: RpcName, takes: Takes): Route {
  return v2Route(path, rpc, takes, nothing, async (_body, session) => ({ data: await session.refuse(rpc, path) }))
}

const snapshot = (body: Body) => ({ ...named(body), name: body.text('snapshotName') })

const snapshotRoutes: readonly Route[] = [
  rpcRoute('jobs/snapshot/list', 'ListSnapshots', ['collectionName'], named, (found, session) => messageToJson(found.snapshots, session.allowInt64), rowList),
  rpcRoute('jobs/snapshot/describe', 'DescribeSnapshot', ['snapshotName*', 'collectionName'], snapshot, withoutStatus, anyObject),
  rpcRoute('jobs/snapshot/export', 'ExportSnapshot', ['snapshotName*', 'collectionName', 'externalSource', 'externalSpec'], (body) => ({
    ...snapshot(body),
    target_s3_path: body.text('externalSource'),
    external_spec: body.text('externalSpec'),
  }), withoutStatus, anyObject),
  rpcRoute('jobs/snapshot/restore_external', 'RestoreExternalSnapshot', ['collectionName*', 'externalSource*', 'externalSpec'], (body) => ({
    db_name: body.text('dbName'),
    target_collection_name: body.text('collectionName'),
    snapshot_metadata_uri: body.text('externalSource'),
    external_spec: body.text('externalSpec'),
  }), withoutStatus, anyObject),
]

function withoutStatus({ status: _status, ...rest }: { readonly status: object | null }, session: Session): unknown {
  return messageToJson(rest, session.allowInt64)
}

const externalRoutes: readonly Route[] = [
  rpcRoute(
    'jobs/external_collection/refresh',
    'RefreshExternalCollection',
    ['collectionName*', 'externalSource', 'externalSpec'],
    (body) => ({ ...named(body), external_source: body.text('externalSource'), external_spec: body.text('externalSpec') }),
    (found) => ({ jobId: found.job_id.toString() }),
    anyObject,
  ),
  rpcRoute('jobs/external_collection/describe', 'GetRefreshExternalCollectionProgress', ['jobId*'], (body) => ({ job_id: jobOf(body) }), withoutStatus, anyObject),
  rpcRoute('jobs/external_collection/list', 'ListRefreshExternalCollectionJobs', ['collectionName'], named, withoutStatus, anyObject),
]

function shownTokens({ results }: RunAnalyzerResponse, { withDetail, withHash }: { withDetail: boolean; withHash: boolean }): unknown {
  const shown = results.map(({ tokens }) =>
    tokens.map((token) => ({
      token: token.token,
      ...(withDetail
        ? { startOffset: Number(token.start_offset), endOffset: Number(token.end_offset), position: Number(token.position), positionLength: Number(token.position_length) }
        : {}),
      ...(withHash ? { hash: token.hash } : {}),
    })),
  )
  return shown.map((tokens) => ({ tokens }))
}

async function runAnalyzer(body: Body, session: Session): Promise<{ data: unknown }> {
  const given = body.value('text')
  const texts = typeof given === 'string' ? [given] : body.texts('text')
  const wants = { withDetail: body.flag('withDetail'), withHash: body.flag('withHash') }
  const response = await session.call('RunAnalyzer', {
    ...named(body),
    field_name: body.text('fieldName'),
    analyzer_params: asText(body.value('analyzerParams') ?? ''),
    analyzer_names: body.texts('analyzerNames'),
    placeholder: texts.map((text) => new TextEncoder().encode(text)),
    with_detail: wants.withDetail,
    with_hash: wants.withHash,
  })
  return { data: shownTokens(response, wants) }
}

export const jobRoutes: readonly Route[] = [
  ...importRoutes,
  ...snapshotRoutes,
  ...externalRoutes,
  refused('segments/describe', 'GetPersistentSegmentInfo', ['segmentIDs*', 'collectionName']),
  refused('quotacenter/describe', 'GetMetrics', []),
  v2Route(
    'common/run_analyzer',
    'RunAnalyzer',
    ['text*', 'analyzerParams', 'collectionName', 'fieldName', 'analyzerNames', 'withDetail', 'withHash'],
    rowList,
    runAnalyzer,
  ),
]
