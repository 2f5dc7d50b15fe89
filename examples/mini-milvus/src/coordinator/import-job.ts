/** One import job, from its files to its commit. It can be taken up again from its last checkpoint. */
import type { EncodedSegment, ImportCheckpoint, ImportPlan, ImportProgress, ImportWorld } from '../bulk/plan.ts'
import { ImportError } from '../bulk/errors.ts'
import type { ImportSource, OpenedFile } from '../bulk/import-source.edge.ts'
import type { ImportRunner } from '../bulk/run-in-thread.edge.ts'
import { segmentFolder } from '../datanode/stamped-rows.ts'
import type { ImportFileMeta, ImportJobMeta } from '../model/import-job.ts'
import type { SegmentMeta } from '../model/meta.ts'
import { collectionNotFound } from '../server/status.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { MetaReader } from './api.ts'
import type { ImportReader, ImportWriter } from './catalog-imports.ts'

export interface ImportJobContext {
  readonly meta: MetaReader & ImportReader
  readonly catalog: ImportWriter
  readonly storage: ObjectStorage
  readonly source: ImportSource
  readonly run: ImportRunner
  readonly allocateIds: (count: number) => Promise<bigint>
  readonly sealBytes: number
  readonly maxFileBytes: number
}

/** Runs a job up to and with its commit. */
export async function runImportJob(context: ImportJobContext, id: bigint, onProgress: (progress: ImportProgress) => void, signal: AbortSignal): Promise<ImportJobMeta> {
  const found = context.meta.import(id)
  if (found === undefined) throw new Error(`import job ${id} is not known`)
  const job = found.state === 'Pending' || found.state === 'PreImporting' ? await prepare(context, found, signal) : found
  if (job.state === 'Importing') await readAndStore(context, job, onProgress, signal)
  signal.throwIfAborted()
  return context.catalog.commitImport(id)
}

/** Looks at all files before the first is read. */
async function prepare({ meta, catalog, source, maxFileBytes }: ImportJobContext, job: ImportJobMeta, signal: AbortSignal): Promise<ImportJobMeta> {
  await catalog.saveImport(job.id, (before) => ({ ...before, state: 'PreImporting' }))
  const files: ImportFileMeta[] = []
  for (const file of job.files) {
    signal.throwIfAborted()
    const versions: string[] = []
    let bytes = 0
    for (const path of file.paths) {
      const opened = await source.open(path)
      await opened.close()
      if (opened.bytes > maxFileBytes) throw new ImportError(`${path}: has ${opened.bytes} bytes, more than the limit of ${maxFileBytes}`)
      versions.push(opened.version)
      bytes += opened.bytes
    }
    files.push({ ...file, bytes, version: versions.join(' ') })
  }
  await catalog.saveImport(job.id, (before) => ({ ...before, state: 'Importing', files }))
  return meta.import(job.id) ?? job
}

async function readAndStore(context: ImportJobContext, job: ImportJobMeta, onProgress: (progress: ImportProgress) => void, signal: AbortSignal): Promise<void> {
  const collection = context.meta.collectionById(job.collectionId)
  if (collection === undefined) throw collectionNotFound(job.dbName, job.collectionName)
  const files = new SourceFiles(context.source, job)
  const sink = new SegmentSink(context, job)
  try {
    const plan: ImportPlan = {
      collection,
      partitionId: job.partitionId,
      files: await files.planned(),
      from: job.next,
      separator: job.options['sep'] ?? ',',
      nullText: job.options['nullkey'] ?? '',
      sealBytes: context.sealBytes,
    }
    const world: ImportWorld = {
      read: (file, part, offset, length) => files.read(file, part, offset, length),
      allocateIds: context.allocateIds,
      store: (segment) => sink.store(segment),
      checkpoint: (checkpoint) => sink.checkpoint(checkpoint),
      progress: onProgress,
    }
    await context.run(plan, world, signal)
  } catch (error) {
    await sink.discard()
    throw error
  } finally {
    await files.close()
  }
}

/** The files of a job as they are read: one group open at a time. */
class SourceFiles {
  readonly #source: ImportSource
  readonly #job: ImportJobMeta
  #opened: { readonly file: number; readonly parts: Promise<readonly OpenedFile[]> } | undefined

  constructor(source: ImportSource, job: ImportJobMeta) {
    this.#source = source
    this.#job = job
  }

  async planned(): Promise<{ path: string; bytes: number }[][]> {
    const planned: { path: string; bytes: number }[][] = []
    for (const [file, { paths }] of this.#job.files.entries()) {
      // What is done need not be there any more.
      const isDone = file < this.#job.next.file
      const parts = isDone ? [] : await this.#open(file)
      planned.push(parts.map(({ bytes }, part) => ({ path: paths[part] ?? '', bytes })))
    }
    return planned
  }

  async read(file: number, part: number, offset: number, length: number): Promise<Uint8Array> {
    const opened = (await this.#open(file))[part]
    if (opened === undefined) throw new Error(`file ${file} of import ${this.#job.id} has no part ${part}`)
    return opened.read(offset, length)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    for (const part of (await opened?.parts.catch(() => [])) ?? []) await part.close()
  }

  async #open(file: number): Promise<readonly OpenedFile[]> {
    if (this.#opened?.file !== file) {
      const before = this.close()
      this.#opened = { file, parts: before.then(() => this.#openParts(file)) }
    }
    return this.#opened.parts
  }

  async #openParts(file: number): Promise<readonly OpenedFile[]> {
    const { paths = [], version = '' } = this.#job.files[file] ?? {}
    const parts: OpenedFile[] = []
    try {
      for (const path of paths) parts.push(await this.#source.open(path))
      if (parts.map((part) => part.version).join(' ') !== version) throw new ImportError(`${paths.join(', ')}: was changed since the import began`)
      return parts
    } catch (error) {
      for (const part of parts) await part.close()
      throw error
    }
  }
}

/** Segments of a job on their way into storage and metadata. */
class SegmentSink {
  readonly #context: ImportJobContext
  readonly #job: ImportJobMeta
  /** Stored since the last checkpoint. */
  #stored: SegmentMeta[] = []

  constructor(context: ImportJobContext, job: ImportJobMeta) {
    this.#context = context
    this.#job = job
  }

  async store({ id, partitionId, vchannel, rows, bytes, crc32, data }: EncodedSegment): Promise<void> {
    const { collectionId } = this.#job
    const path = `${segmentFolder(collectionId, id)}/rows.arrow`
    const segment: SegmentMeta = { id, collectionId, partitionId, vchannel, level: 'L1', rows, bytes, startTs: 0n, endTs: 0n, deletesTs: 0n, path, crc32, indexes: [] }
    this.#stored.push(segment)
    await this.#context.storage.put(path, data)
  }

  async checkpoint({ next, rows }: ImportCheckpoint): Promise<void> {
    // Should the answer be lost, they may be known: what is nobody's after all is swept.
    const stored = this.#stored
    this.#stored = []
    const counts = new Map(rows.map((count) => [count.file, count]))
    await this.#context.catalog.saveImport(
      this.#job.id,
      (before) => ({
        ...before,
        next,
        files: before.files.map((file, index) => {
          const count = counts.get(index)
          if (count === undefined) return file
          const importedRows = file.importedRows + count.rows
          return { ...file, importedRows, ...(count.isWhole ? { totalRows: importedRows } : {}) }
        }),
      }),
      stored,
    )
  }

  /** Nobody knows of what was stored behind the last checkpoint. */
  async discard(): Promise<void> {
    for (const { path } of this.#stored.splice(0)) await this.#context.storage.delete(path).catch(() => undefined)
  }
}
