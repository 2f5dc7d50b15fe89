/**
 * Builds indexes of flushed segments, one after the other, in the engine's workers. What there is to do follows from
 * the metadata alone, so that a restart goes on where it was cut.
 */
import { canIndex, type Engine } from '../engine/index.ts'
import type { NodeClock } from '../edge/system.ts'
import { jsonIndexOf } from '../model/json-index.ts'
import type { IndexMeta, SegmentIndexMeta } from '../model/meta.ts'
import { isSearchable, isVectorType } from '../model/schema.ts'
import { scalarStructure } from '../model/scalar-index.ts'
import { gramSizes, type IndexedColumn, isIndexedColumn, jsonValues, type SortedFile, writeGramFile, writeJsonFile } from '../scalar/index.ts'
import { segmentFolder } from '../datanode/stamped-rows.ts'
import type { SegmentLoader } from '../querynode/segment-loader.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { SealedRows } from '../querynode/sealed-segment.ts'
import type { MetaReader, SegmentWriter } from './api.ts'
import { nextIndexJob, type IndexJob } from './index-jobs.ts'

export interface IndexBuilderOptions {
  readonly meta: MetaReader
  readonly segments: SegmentWriter
  readonly storage: ObjectStorage
  readonly loader: SegmentLoader
  readonly engine: Engine
  /** Segments with fewer rows are searched without an index. */
  readonly minRows: number
  readonly clock: Pick<NodeClock, 'setTimer' | 'yieldToLoop'>
  readonly onWarning: (message: string, error: unknown) => void
}

type IndexFile = Pick<SegmentIndexMeta, 'path' | 'bytes' | 'crc32'>

/** Of a field that was added after the flush: there is nothing to index. */
const NO_FILE: IndexFile = { path: '', bytes: 0, crc32: 0 }

const RETRY_MS = 1_000
const MAX_FAILURES = 5

/** Index types that are exact scans here. */
const SCANNED = new Set(['FLAT', 'BIN_FLAT'])

export class IndexBuilder {
  readonly #options: IndexBuilderOptions
  readonly #abort = new AbortController()
  readonly #unsubscribe: () => void
  #running: Promise<void> | undefined
  /** Something changed that the present run may not have seen: it may be at its end. */
  #isWoken = false
  #cancelRetry: (() => void) | undefined
  /** Builds that failed for a passing reason, by segment and index. */
  readonly #failures = new Map<string, number>()
  /** The segment of the last build, while there is more to do: its next index needs the same rows. */
  #lastRows: { readonly segmentId: bigint; readonly rows: SealedRows } | undefined

  constructor(options: IndexBuilderOptions) {
    this.#options = options
    this.#unsubscribe = options.meta.onChange((change) => {
      if (change.kind === 'segment' || change.kind === 'index') this.#wake()
    })
    this.#wake()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    this.#cancelRetry?.()
    this.#abort.abort(new Error('the index builder was closed'))
    await this.#running
  }

  #wake(): void {
    if (this.#abort.signal.aborted) return
    this.#isWoken = true
    this.#running ??= this.#run()
      .catch((error: unknown) => this.#tryLater(error))
      .finally(() => {
        this.#running = undefined
        this.#lastRows = undefined
        if (this.#isWoken) this.#wake()
      })
  }

  /** A store that was away for a moment. What there is to do follows from the metadata, so the same is done again. */
  #tryLater(error: unknown): void {
    this.#isWoken = false
    if (this.#abort.signal.aborted) return
    this.#options.onWarning('an index build is tried again', error)
    this.#cancelRetry?.()
    this.#cancelRetry = this.#options.clock.setTimer(() => this.#wake(), RETRY_MS)
  }

  async #run(): Promise<void> {
    for (;;) {
      // A turn later: the change that woke us is told to others first.
      await Promise.resolve()
      this.#isWoken = false
      const job = nextIndexJob(this.#options.meta)
      if (job === undefined || this.#abort.signal.aborted) return
      const result = await this.#build(job)
      if (this.#abort.signal.aborted) return
      if (this.#options.meta.segment(job.segment.id) !== undefined) await this.#options.segments.saveSegmentIndex(job.segment.id, result)
      // Its segment went while the index was built: nobody else knows of the file.
      else if (result.path !== '') await this.#options.storage.delete(result.path)
    }
  }

  async #build(job: IndexJob): Promise<SegmentIndexMeta> {
    const { segment, index, field } = job
    const base = { indexId: index.id, state: 'finished' as const, path: '', bytes: 0, crc32: 0, reason: '' }
    if (segment.rows < this.#options.minRows) return base
    // Lists of vectors are scanned.
    if (isSearchable(field) && (!canIndex(field.type) || SCANNED.has(index.indexType))) return base
    try {
      return { ...base, ...(isVectorType(field.type) ? await this.#buildGraph(job) : await this.#buildSorted(job)) }
    } catch (error) {
      const gone = this.#options.meta.segment(segment.id) === undefined
      if (!this.#abort.signal.aborted && !gone && this.#isPassing(job, error)) throw error
      if (!this.#abort.signal.aborted && !gone) this.#options.onWarning(`building index ${index.name} of segment ${segment.id} failed`, error)
      return { ...base, state: 'failed', reason: error instanceof Error ? error.message : String(error) }
    }
  }

  /** A few times, so that a segment that fails for ever does not keep others waiting. */
  #isPassing({ segment, index }: IndexJob, error: unknown): boolean {
    if (!(error instanceof Error && 'retryable' in error && error.retryable === true)) return false
    const name = `${segment.id}/${index.id}`
    const failures = (this.#failures.get(name) ?? 0) + 1
    if (failures >= MAX_FAILURES) this.#failures.delete(name)
    else this.#failures.set(name, failures)
    return failures < MAX_FAILURES
  }

  async #rowsOf({ segment, collection }: IndexJob): Promise<SealedRows> {
    if (this.#lastRows?.segmentId !== segment.id) {
      this.#lastRows = undefined
      this.#lastRows = { segmentId: segment.id, rows: await this.#options.loader.rows(segment, collection.schema) }
    }
    return this.#lastRows.rows
  }

  async #buildSorted(job: IndexJob): Promise<IndexFile> {
    const { storage } = this.#options
    const file = await this.#sortedFile(job)
    if (file === undefined) return NO_FILE
    const { bytes, crc32 } = file
    const path = `${segmentFolder(job.collection.id, job.segment.id)}/index-${job.index.id}.sorted`
    await storage.put(path, bytes)
    return { path, bytes: bytes.length, crc32 }
  }

  async #sortedFile(job: IndexJob): Promise<SortedFile | undefined> {
    const { engine, clock } = this.#options
    const pause = (): Promise<void> => clock.yieldToLoop()
    const column = (await this.#rowsOf(job)).columns.get(job.field.id)
    const json = jsonIndexOf(job.field, job.index)
    const values: IndexedColumn | undefined = isIndexedColumn(column) ? column : column?.kind === 'json' && json !== undefined ? await jsonValues(column, json, pause) : undefined
    const structure = scalarStructure(job.field, job.index)
    if (values === undefined || structure === undefined) return undefined
    if (structure.kind === 'grams') return values.kind === 'string' ? writeGramFile(values, gramSizes(structure.min, structure.max), pause) : undefined
    const sorted = await engine.sortColumn(values, this.#abort.signal)
    return json === undefined ? sorted : writeJsonFile(values, sorted.bytes)
  }

  async #buildGraph(job: IndexJob): Promise<IndexFile> {
    const { segment, collection, index, field } = job
    const { storage, engine } = this.#options
    this.#lastRows = undefined
    // The memory of these goes with the build, whenever the collector comes by here.
    const column = (await this.#options.loader.ownRows(segment, collection.schema)).columns.get(field.id)
    if (column?.kind !== 'vector') return NO_FILE
    const key = `${segmentFolder(collection.id, segment.id)}/index-${index.id}.usearch`
    const path = await storage.temporaryPath()
    const built = await engine.buildIndex({
      vectors: column.data,
      isOwn: true,
      rows: column.length,
      dim: column.dim,
      type: column.type,
      metric: index.metricType,
      params: graphParams(index),
      path,
      signal: this.#abort.signal,
    })
    await storage.adopt(path, key)
    return { path: key, ...built }
  }
}

function graphParams(index: IndexMeta): { M?: number; efConstruction?: number } {
  const nested = parseParams(index.params['params'])
  const M = integer(index.params['M'] ?? nested['M'])
  const efConstruction = integer(index.params['efConstruction'] ?? nested['efConstruction'])
  return { ...(M === undefined ? {} : { M }), ...(efConstruction === undefined ? {} : { efConstruction }) }
}

function parseParams(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function integer(value: unknown): number | undefined {
  const number = Number(value)
  return value !== undefined && value !== '' && Number.isInteger(number) && number > 0 ? number : undefined
}
