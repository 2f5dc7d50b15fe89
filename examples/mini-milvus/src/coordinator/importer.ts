/**
 * Runs import jobs: some at a time, each to its end, also over restarts of the node. A job's rows become visible all at once, or
 * not at all; then it waits until they are indexed and served.
 */
import { isImportError } from '../bulk/errors.ts'
import type { ImportProgress } from '../bulk/plan.ts'
import { segmentFolder } from '../datanode/stamped-rows.ts'
import type { NodeClock } from '../edge/system.ts'
import { type ImportFileMeta, type ImportJobMeta, importedRows, isEnded } from '../model/import-job.ts'
import { isSearchable } from '../model/schema.ts'
import { asMilvusError, MilvusError } from '../server/status.ts'
import { type ImportJobContext, runImportJob } from './import-job.ts'

export interface ImporterOptions extends ImportJobContext {
  readonly clock: Pick<NodeClock, 'now' | 'setTimer'>
  /** Jobs that run at once. */
  readonly concurrency: number
  /** Jobs that have not ended. */
  readonly maxJobs: number
  readonly maxFiles: number
  /** How long an ended job is told of. */
  readonly retentionMs: number
  /** Segments that searches see, if the collection is loaded. */
  readonly served: (collectionId: bigint) => ReadonlySet<bigint> | undefined | Promise<ReadonlySet<bigint> | undefined>
  readonly onWarning: (message: string, error: unknown) => void
}

export type NewImport = Pick<ImportJobMeta, 'dbName' | 'collectionId' | 'collectionName' | 'partitionId' | 'partitionName' | 'options'> & {
  readonly files: readonly (readonly string[])[]
  readonly timeoutMs?: number | undefined
}

export interface ImportStatus extends ImportJobMeta {
  /** 0 to 100. */
  readonly percent: number
  readonly rows: number
  readonly totalRows: number
}

/** As it is asked, here or from elsewhere. */
export interface ImportService {
  /** @returns the job's id */
  submit(job: NewImport): Promise<bigint>
  status(id: bigint): ImportStatus | undefined | Promise<ImportStatus | undefined>
  /** The newest first. */
  list(collectionId?: bigint): readonly ImportStatus[] | Promise<readonly ImportStatus[]>
  abort(id: bigint): Promise<void>
}

interface Running {
  readonly abort: AbortController
  readonly files: Map<number, ImportProgress>
  done: Promise<void>
}

/** How often what only time changes is looked at: other stores' indexes, the retention. */
const LOOK_MS = 200
const RETRY_MS = 1_000
const MAX_RETRIES = 30

export class Importer implements ImportService {
  readonly #options: ImporterOptions
  readonly #running = new Map<bigint, Running>()
  readonly #closing = new AbortController()
  readonly #unsubscribe: () => void
  #cancelSweep: (() => void) | undefined

  constructor(options: ImporterOptions) {
    this.#options = options
    this.#unsubscribe = options.meta.onChange((change) => {
      if (change.kind === 'collection' && change.after === undefined) this.#abortOf(change.id)
    })
    this.#sweep()
    this.#wake()
  }

  /** @returns the job's id */
  async submit({ files, timeoutMs, ...job }: NewImport): Promise<bigint> {
    const { allocateIds, catalog, clock, maxFiles, maxJobs } = this.#options
    const count = files.reduce((sum, paths) => sum + paths.length, 0)
    if (count > maxFiles) throw new MilvusError(1100, `The max number of import files should not exceed ${maxFiles}, but got ${count}: invalid parameter`)
    const id = await allocateIds(1)
    const createdMs = clock.now()
    const deadlineMs = timeoutMs === undefined ? undefined : createdMs + timeoutMs
    const metas = files.map((paths): ImportFileMeta => ({ paths, bytes: 0, version: '', importedRows: 0 }))
    await catalog.addImport({ ...job, id, files: metas, state: 'Pending', reason: '', createdMs, deadlineMs, next: { file: 0, row: 0 }, parts: 0, ts: 0n, segmentIds: [] }, maxJobs)
    this.#wake()
    return id
  }

  status(id: bigint): ImportStatus | undefined {
    const job = this.#options.meta.import(id)
    return job === undefined ? undefined : this.#status(job)
  }

  /** The newest first. */
  list(collectionId?: bigint): readonly ImportStatus[] {
    const jobs = this.#options.meta.imports().filter((job) => collectionId === undefined || job.collectionId === collectionId)
    return jobs.map((job) => this.#status(job)).reverse()
  }

  /** Ends a job whose rows are not visible yet; resolves when nothing is left of it. */
  async abort(id: bigint): Promise<void> {
    const job = this.#options.meta.import(id)
    if (job === undefined) throw notFound(id)
    if (job.state === 'IndexBuilding' || job.state === 'Completed') throw new MilvusError(1100, `import job ${id} cannot be aborted any more: its rows are visible`)
    const running = this.#running.get(id)
    if (running === undefined) return this.#fail(id, 'aborted')
    running.abort.abort(new MilvusError(1100, 'aborted'))
    await running.done
  }

  /** Stops where it is: jobs go on at the next start. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the node is stopping'))
    this.#unsubscribe()
    this.#cancelSweep?.()
    await Promise.all([...this.#running.values()].map(({ abort, done }) => (abort.abort(this.#closing.signal.reason), done)))
  }

  #wake(): void {
    const { meta, concurrency } = this.#options
    for (const job of meta.imports()) {
      if (this.#closing.signal.aborted || this.#running.size >= concurrency) return
      if (!isEnded(job) && !this.#running.has(job.id)) this.#start(job)
    }
  }

  #start(job: ImportJobMeta): void {
    const running: Running = { abort: new AbortController(), files: new Map(), done: Promise.resolve() }
    this.#running.set(job.id, running)
    const { clock } = this.#options
    const left = job.deadlineMs === undefined || job.ts > 0n ? undefined : job.deadlineMs - clock.now()
    const cancelTimer = left === undefined ? undefined : clock.setTimer(() => running.abort.abort(new MilvusError(1100, 'import timeout')), Math.max(0, left))
    running.done = this.#run(job, running, () => cancelTimer?.())
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.onWarning(`import job ${job.id} cannot be brought to its end`, error)
      })
      .finally(() => {
        cancelTimer?.()
        this.#running.delete(job.id)
        this.#wake()
      })
  }

  async #run(job: ImportJobMeta, running: Running, onCommit: () => void): Promise<void> {
    const { signal } = running.abort
    for (let attempt = 1; ; attempt++) {
      try {
        const onProgress = (progress: ImportProgress): void => void running.files.set(progress.file, progress)
        const committed = job.ts > 0n ? job : await runImportJob(this.#options, job.id, onProgress, signal)
        onCommit()
        await this.#waitUntilServed(committed)
        return
      } catch (error) {
        if (this.#closing.signal.aborted) return
        const isPassing = error instanceof Error && 'retryable' in error && error.retryable === true
        if (signal.aborted || !isPassing || attempt > MAX_RETRIES) return this.#fail(job.id, reasonOf(signal.aborted ? signal.reason : error), error)
        // Space, or a store that was away: from the last checkpoint again.
        if (attempt === 1) this.#options.onWarning(`import job ${job.id} is tried again`, error)
        await this.#pause(RETRY_MS, signal)
      }
    }
  }

  async #fail(id: bigint, reason: string, cause?: unknown): Promise<void> {
    const { catalog, clock, meta, storage, onWarning } = this.#options
    const job = meta.import(id)
    if (job === undefined || job.ts > 0n) return
    const segments = meta.importParts(id).flatMap((part) => part.segments)
    await catalog.saveImport(id, (before) => (before.ts > 0n ? before : { ...before, state: 'Failed', reason, endedMs: clock.now() }))
    if (cause !== undefined && !isImportError(cause) && asMilvusError(cause) === undefined) onWarning(`import job ${id} failed`, cause)
    for (const segment of segments) await storage.deletePrefix(`${segmentFolder(segment.collectionId, segment.id)}/`)
  }

  /** Rows are visible; the job is done when they are indexed and, where the collection is loaded, served. */
  async #waitUntilServed({ id }: ImportJobMeta): Promise<void> {
    const { catalog, clock, meta } = this.#options
    while (!this.#closing.signal.aborted) {
      const job = meta.import(id)
      if (job === undefined || isEnded(job)) return
      if (indexedShare(this.#options, job) === 1 && (await this.#isServed(job))) return catalog.saveImport(id, (before) => ({ ...before, state: 'Completed', endedMs: clock.now() }))
      await this.#pause(LOOK_MS, this.#closing.signal)
    }
  }

  async #isServed({ collectionId, segmentIds }: ImportJobMeta): Promise<boolean> {
    const { meta, served } = this.#options
    const found = await served(collectionId)
    const load = meta.load(collectionId)
    if (found === undefined || load === undefined) return true
    return segmentIds.every((id) => {
      const segment = meta.segment(id)
      return segment === undefined || found.has(id) || !(load.wholeCollection || load.partitionIds.includes(segment.partitionId))
    })
  }

  #status(job: ImportJobMeta): ImportStatus {
    const live = this.#running.get(job.id)?.files
    const files = job.files.map((file, index) => ({ ...file, totalRows: file.totalRows ?? live?.get(index)?.totalRows }))
    const rows = importedRows(job)
    const totalRows = Math.max(rows, files.reduce((sum, file) => sum + (file.totalRows ?? file.importedRows), 0))
    return { ...job, files, rows, totalRows, percent: percentOf(this.#options, job, live) }
  }

  #abortOf(collectionId: bigint): void {
    for (const [id, running] of this.#running) {
      if (this.#options.meta.import(id)?.collectionId === collectionId) running.abort.abort(new MilvusError(100, 'the collection was dropped'))
    }
  }

  /** Ended jobs are told of for a while. */
  #sweep(): void {
    const { meta, catalog, clock, retentionMs, onWarning } = this.#options
    const now = clock.now()
    const old = meta.imports().filter((job) => isEnded(job) && now - (job.endedMs ?? job.createdMs) > retentionMs)
    for (const { id } of old) catalog.removeImport(id).catch((error: unknown) => onWarning(`removing import job ${id} failed`, error))
    this.#cancelSweep = clock.setTimer(() => this.#sweep(), Math.min(retentionMs, 60_000))
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#options.clock.setTimer(done, ms)
      signal.addEventListener('abort', done, { once: true })
      if (signal.aborted) done()
    })
  }
}

export function notFound(id: bigint): MilvusError {
  return new MilvusError(1100, `import job does not exist, jobID=${id}: invalid parameter`)
}

/** Milvus's weights: looked at, read, indexed. */
function percentOf(context: ImportJobContext, job: ImportJobMeta, live: ReadonlyMap<number, ImportProgress> | undefined): number {
  switch (job.state) {
    case 'Pending':
    case 'Failed':
      return 0
    case 'PreImporting':
      return 10
    case 'Importing': {
      const all = job.files.reduce((sum, { bytes }) => sum + bytes, 0)
      const read = job.files.reduce((sum, { bytes }, index) => sum + bytes * (index < job.next.file ? 1 : (live?.get(index)?.read ?? 0)), 0)
      return 10 + Math.floor(all === 0 ? 60 : (60 * read) / all)
    }
    case 'IndexBuilding':
      return 70 + Math.floor(29 * indexedShare(context, job))
    case 'Completed':
      return 100
  }
}

/** Of the job's segments and vector indexes, those that are built; segments that are gone were merged into others. */
function indexedShare({ meta }: ImportJobContext, { collectionId, segmentIds }: ImportJobMeta): number {
  const fields = meta.collectionById(collectionId)?.schema.fields ?? []
  const vectors = new Set(fields.filter(isSearchable).map(({ id }) => id))
  const indexes = meta.indexes(collectionId).filter(({ fieldId }) => vectors.has(fieldId))
  if (indexes.length === 0 || segmentIds.length === 0) return 1
  const built = segmentIds.reduce((sum, id) => {
    const segment = meta.segment(id)
    if (segment === undefined) return sum + indexes.length
    return sum + indexes.filter((index) => segment.indexes.some(({ indexId, state }) => indexId === index.id && state !== 'building')).length
  }, 0)
  return built / (segmentIds.length * indexes.length)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
