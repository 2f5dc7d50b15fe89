/** Import jobs, and the one change that makes all that a job wrote visible. */
import { type ImportJobMeta, importedRows, type ImportPartMeta, isEnded } from '../model/import-job.ts'
import type { SegmentMeta } from '../model/meta.ts'
import { Code, collectionNotFound, MilvusError } from '../server/status.ts'
import type { CatalogContext } from './catalog-context.ts'
import type { CatalogRecord } from './catalog-records.ts'

/** Jobs of imports, mirrored. */
export interface ImportReader {
  imports(): readonly ImportJobMeta[]
  import(id: bigint): ImportJobMeta | undefined
  importParts(jobId: bigint): readonly ImportPartMeta[]
}

export interface ImportWriter {
  /** Keeps a new job; `limit` running ones are the most. */
  addImport(job: ImportJobMeta, limit: number): Promise<void>
  /** Saves how far a job is, with what was written since, in one transaction. A job that has ended is left as it is. */
  saveImport(id: bigint, next: (job: ImportJobMeta) => ImportJobMeta, segments?: readonly SegmentMeta[]): Promise<void>
  /** All segments of the job appear at one timestamp, in one transaction. Rejects where its collection or partition has gone. */
  commitImport(id: bigint): Promise<ImportJobMeta>
  removeImport(id: bigint): Promise<void>
}

function jobRecord(id: bigint, value: ImportJobMeta | undefined): CatalogRecord {
  return { kind: 'import', id, value }
}

function partRecord(jobId: bigint, number: number, value: ImportPartMeta | undefined): CatalogRecord {
  return { kind: 'import-part', jobId, number, value }
}

export async function addImport({ state, change }: CatalogContext, job: ImportJobMeta, limit: number): Promise<void> {
  await change(() => {
    const running = state.imports().filter((known) => !isEnded(known)).length
    if (running >= limit) throw new MilvusError(Code.RateLimit, `the number of import jobs has reached the limit of ${limit}; try again when one has ended`)
    return [jobRecord(job.id, job)]
  })
}

export async function saveImport({ state, change }: CatalogContext, id: bigint, next: (job: ImportJobMeta) => ImportJobMeta, segments: readonly SegmentMeta[] = []): Promise<void> {
  await change(() => {
    const before = state.import(id)
    if (before === undefined || isEnded(before)) return []
    const after = next(before)
    const parts = state.importParts(id)
    // What a failed job wrote is nobody's.
    if (after.state === 'Failed') return [jobRecord(id, after), ...parts.map(({ number }) => partRecord(id, number, undefined))]
    if (segments.length === 0) return [jobRecord(id, after)]
    return [jobRecord(id, { ...after, parts: before.parts + 1 }), partRecord(id, before.parts, { jobId: id, number: before.parts, segments })]
  })
}

export async function commitImport({ state, nextTs, change }: CatalogContext, id: bigint): Promise<ImportJobMeta> {
  await change(async () => {
    const job = state.import(id)
    if (job === undefined || isEnded(job)) throw new MilvusError(Code.Unexpected, `import job ${id} has ended before its commit`)
    if (job.state === 'IndexBuilding') return []
    const collection = state.collectionById(job.collectionId)
    if (collection === undefined) throw collectionNotFound(job.dbName, job.collectionName)
    const parts = state.importParts(id)
    const segments = parts.flatMap((part) => part.segments)
    const gone = segments.find(({ partitionId }) => collection.partitions.every((partition) => partition.id !== partitionId))
    if (gone !== undefined) throw new MilvusError(Code.PartitionNotFound, `a partition was dropped while the import ran[collection=${job.collectionName}]`)
    const written = segments.reduce((sum, { rows }) => sum + rows, 0)
    if (written !== importedRows(job)) throw new MilvusError(Code.Unexpected, `${importedRows(job)} rows were read, but ${written} were written`)
    const ts = await nextTs()
    const visible = segments.map((segment): SegmentMeta => ({ ...segment, startTs: ts - 1n, endTs: ts, deletesTs: ts, rowsTs: ts }))
    return [
      ...visible.map((value): CatalogRecord => ({ kind: 'segment', collectionId: collection.id, id: value.id, value })),
      ...parts.map(({ number }) => partRecord(id, number, undefined)),
      jobRecord(id, { ...job, state: 'IndexBuilding', ts, segmentIds: visible.map((segment) => segment.id) }),
    ]
  })
  const job = state.import(id)
  if (job === undefined) throw new MilvusError(Code.Unexpected, `import job ${id} is not known`)
  return job
}

export async function removeImport({ state, change }: CatalogContext, id: bigint): Promise<void> {
  await change(() => {
    if (state.import(id) === undefined) return []
    return [jobRecord(id, undefined), ...state.importParts(id).map(({ number }) => partRecord(id, number, undefined))]
  })
}
