/// <reference lib="esnext.disposable" />
import { availableParallelism } from 'node:os'
import { DataType, vectorBytes } from '../model/schema.ts'
import type { IndexedColumn, SortedFile } from '../scalar/index.ts'
import { Alone } from './alone.ts'
import { runBuilder } from './builder.ts'
import { CALLER_BUDGET, CallerSearch, LESS_THAN_ASKING } from './caller.ts'
import { EngineThread } from './engine-thread.edge.ts'
import { EngineError } from './errors.ts'
import type { FileSum } from './index-file.edge.ts'
import { checkVectorSet, type Metric, type VectorSet } from './metric.ts'
import { canIndex, type Quantization } from './native.ts'
import { WorkerPool } from './pool.ts'
import { runOnce } from './run-once.ts'
import { sendableColumn } from './sort-column.ts'
import type { Postings } from './sparse.ts'
import type { SearchQuery, SearchResult } from './search.ts'
import { afterTurn } from './turn.edge.ts'
import type { EngineSet } from './slot.ts'
import { resolveWorkerUrl } from './worker-url.edge.ts'

export interface EngineOptions {
  /** Search workers, and threads of a build. Default: one per processor, at most 4. */
  readonly threads?: number | undefined
  /** Searches that may wait for a worker before new ones are refused. Default: 4096. */
  readonly maxQueued?: number | undefined
}

export interface AddSetOptions extends Omit<VectorSet, 'metric' | 'postings'> {
  readonly id: string
  readonly metric: string
  /** No rows will come any more: a large sparse set is then turned around in the background, and searched by dimension. */
  readonly settled?: boolean | undefined
}

export interface SearchRequest extends SearchQuery {
  readonly setId: string
  readonly signal?: AbortSignal | undefined
}

export interface BuildIndexOptions {
  readonly vectors: Uint8Array
  /** The memory of `vectors` goes to the build, unless it is shared, and is given back with its end: nothing of it can be read here any more. */
  readonly isOwn?: boolean | undefined
  readonly rows: number
  readonly dim: number
  readonly type: DataType
  readonly metric: string
  /** M: links of a row in each layer, 16 unless given. efConstruction: effort, 128 unless given. */
  readonly params?: { readonly M?: number | undefined; readonly efConstruction?: number | undefined } | undefined
  /**
   * How vectors are kept in the index; hits are ranked by the exact ones anyway. Default: `i8`, a byte a value where a sample shows
   * that it loses nothing (see `chooseGrid`), else `bf16`.
   */
  readonly quantization?: Quantization | undefined
  /** A file that does not exist. It is durable when the promise resolves, and gone when it rejects. */
  readonly path: string
  readonly threads?: number | undefined
  readonly onProgress?: ((rows: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface AttachIndexOptions {
  readonly setId: string
  readonly path: string
  /** What `buildIndex` gave: a file with another sum is refused before the library sees it. */
  readonly crc32: number
}

/** Vector search and index building, in worker threads. */
export interface Engine extends AsyncDisposable {
  /** Makes vectors known under an id, or replaces them (and drops their index). Bytes off a SharedArrayBuffer are copied once. */
  addSet(options: AddSetOptions): void
  /** Unknown ids are no failure. */
  dropSet(id: string): void
  /** Checks and opens an index of a set. Until then, and where it cannot be opened, searches scan. */
  attachIndex(options: AttachIndexOptions): Promise<void>
  detachIndex(setId: string): void
  search(request: SearchRequest): Promise<SearchResult>
  /** Several sets at once: a message per worker instead of one per set. Results are in order of the requests. */
  searchMany(
    requests: readonly Omit<SearchRequest, 'signal'>[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<SearchResult[]>
  /** Builds run one after the other. */
  buildIndex(options: BuildIndexOptions): Promise<FileSum>
  /** The bytes of a file with the column's places in the order of their values (see `SortedIndex`). */
  sortColumn(column: IndexedColumn, signal?: AbortSignal): Promise<SortedFile>
  close(): Promise<void>
}

/** Smaller sparse sets are read row by row. */
const MIN_INVERTED_ROWS = 4096

export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const threads = options.threads ?? Math.min(4, availableParallelism())
  const maxQueued = options.maxQueued ?? 4096
  for (const [name, value, max] of [
    ['threads', threads, 64],
    ['maxQueued', maxQueued, 1_000_000],
  ] as const) {
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new RangeError(`expected \`${name}\` to be an integer in 1..${max}, got ${String(value)}`)
  }
  return new WorkerEngine(threads, maxQueued, await resolveWorkerUrl())
}

/** A search, checked, with the vectors that it is of and what it costs. */
interface Wanted {
  readonly id: string
  readonly known: EngineSet
  readonly query: SearchQuery
  readonly cost: number
}

class WorkerEngine implements Engine {
  readonly #pool: WorkerPool
  readonly #threads: number
  readonly #url: URL
  readonly #caller: CallerSearch
  readonly #alone = new Alone(afterTurn)
  readonly #closing = new AbortController()
  #builds: Promise<unknown> = Promise.resolve()
  #inversions: Promise<void> = Promise.resolve()

  constructor(threads: number, maxQueued: number, url: URL) {
    this.#threads = threads
    this.#url = url
    this.#pool = new WorkerPool(threads, maxQueued, () => new EngineThread(url, { role: 'search' }))
    this.#caller = new CallerSearch(this.#pool.sets)
  }

  addSet({ id, vectors, rows, dim, type, metric, offsets, lists, settled }: AddSetOptions): void {
    const set: VectorSet = { vectors, rows, dim, type, metric: metric as Metric, offsets }
    const known: VectorSet = lists === undefined ? set : { ...set, lists: toSharedOffsets(lists) }
    checkVectorSet(known)
    this.#checkOpen()
    this.#caller.forget(id)
    if (offsets !== undefined) return this.#addSparse(id, { ...set, vectors: toShared(vectors), offsets: toSharedOffsets(offsets) }, settled === true)
    // A growing set of lists has vectors behind those that its lists name by now.
    const own = lists === undefined ? vectors.subarray(0, rows * vectorBytes(type, dim)) : vectors
    this.#pool.sets.set(id, { set: { ...known, vectors: toShared(own) }, index: undefined })
  }

  #addSparse(id: string, set: VectorSet & { readonly offsets: Uint32Array }, settled: boolean): void {
    this.#pool.sets.set(id, { set, index: undefined })
    if (!settled || set.rows < MIN_INVERTED_ROWS) return
    const invert = async () => {
      const before = this.#pool.sets.get(id)
      if (before?.set !== set || this.#closing.signal.aborted) return
      const job = { vectors: set.vectors, offsets: set.offsets, rows: set.rows }
      const postings = await runOnce<Postings>(new EngineThread(this.#url, { role: 'invert', job }), 'inverts sparse vectors', [this.#closing.signal])
      // It may have been dropped or replaced meanwhile.
      if (this.#pool.sets.get(id) === before) this.#pool.sets.set(id, { set: { ...set, postings }, index: undefined })
    }
    // One after the other; without postings the set is read row by row: slower, but as right.
    this.#inversions = this.#inversions.then(invert).catch(() => undefined)
  }

  dropSet(id: string): void {
    this.#caller.forget(id)
    this.#pool.forget(id)
  }

  async attachIndex({ setId, path, crc32 }: AttachIndexOptions): Promise<void> {
    this.#checkOpen()
    await this.#caller.attach(setId, await this.#pool.attach(setId, { path, crc32 }))
  }

  detachIndex(setId: string): void {
    this.#caller.forget(setId)
    const known = this.#pool.sets.get(setId)
    if (known !== undefined) this.#pool.sets.set(setId, { ...known, index: undefined })
  }

  async search({ signal, ...request }: SearchRequest): Promise<SearchResult> {
    const [result] = await this.searchMany([request], { signal })
    if (result === undefined) throw new EngineError('ENGINE_WORKER_FAILED', 'a worker gave no result')
    return result
  }

  async searchMany(
    requests: readonly Omit<SearchRequest, 'signal'>[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<SearchResult[]> {
    options.signal?.throwIfAborted()
    this.#checkOpen()
    const wanted = requests.map((request) => this.#wanted(request))
    const isLong = wanted.some(({ cost }) => cost > LESS_THAN_ASKING)
    let budget = isLong && this.#alone.came(this.#pool.isIdle) ? CALLER_BUDGET : 0
    const here: number[] = []
    const away: number[] = []
    for (const [place, { cost }] of wanted.entries()) {
      const isCheap = cost <= LESS_THAN_ASKING
      const isHere = isCheap || cost <= budget
      if (isHere && !isCheap) budget -= cost
      const places = isHere ? here : away
      places.push(place)
    }
    const at = (place: number): Wanted => wanted[place] as Wanted
    // The workers are asked first, so that they search while this thread does.
    const asked = away.length === 0 ? undefined : this.#pool.search(away.map((place) => ({ id: at(place).id, query: sendable(at(place).query) })), away.map((place) => at(place).cost), options.signal)
    const results: SearchResult[] = []
    for (const place of here) results[place] = this.#caller.search(at(place).id, at(place).known, at(place).query)
    const found = asked === undefined ? [] : await asked
    for (const [n, result] of found.entries()) results[away[n] ?? 0] = result
    return results
  }

  #wanted({ setId: id, ...query }: Omit<SearchRequest, 'signal'>): Wanted {
    const known = this.#pool.sets.get(id)
    if (known === undefined) throw new EngineError('ENGINE_UNKNOWN_SET', `no vectors are known as ${id}`)
    checkQuery(query, known.set)
    return { id, known, query, cost: this.#caller.costOf(id, known, query) }
  }

  async buildIndex(options: BuildIndexOptions): Promise<FileSum> {
    const { vectors, rows, dim, type, metric, path, signal } = options
    const set: VectorSet = { vectors, rows, dim, type, metric: metric as Metric }
    checkVectorSet(set)
    if (!canIndex(type)) throw new RangeError(`expected vectors that can be indexed, got type ${type}`)
    const connectivity = positive('M', options.params?.M ?? 16, 2, 2048)
    const effort = positive('efConstruction', options.params?.efConstruction ?? 128, 1, 1_000_000)
    const threads = positive('threads', options.threads ?? this.#threads, 1, 256)
    const before = this.#builds
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])]
    const run = async () => {
      await before
      this.#checkOpen()
      signal?.throwIfAborted()
      const used = vectors.subarray(0, rows * vectorBytes(type, dim))
      const moved = options.isOwn === true && used.buffer instanceof ArrayBuffer && used.byteOffset % 4 === 0 ? [used.buffer] : []
      const cancel = new Int32Array(new SharedArrayBuffer(4))
      const job = {
        set: { ...set, vectors: moved.length === 0 ? toShared(used) : used },
        connectivity,
        effort,
        quantization: options.quantization ?? 'i8',
        threads,
        path,
        cancel,
      }
      return runBuilder(new EngineThread(this.#url, { role: 'build', job }, moved), job, options.onProgress, signals)
    }
    const result = run()
    this.#builds = result.catch(() => undefined)
    return result
  }

  async sortColumn(column: IndexedColumn, signal?: AbortSignal): Promise<SortedFile> {
    this.#checkOpen()
    const thread = new EngineThread(this.#url, { role: 'sort', job: { column: sendableColumn(column) } })
    return runOnce<SortedFile>(thread, 'sorts a column', signal === undefined ? [this.#closing.signal] : [this.#closing.signal, signal])
  }

  async close(): Promise<void> {
    this.#closing.abort(new EngineError('ENGINE_CLOSED', 'the engine was closed'))
    this.#caller.clear()
    await Promise.all([this.#pool.close(), this.#builds])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkOpen(): void {
    this.#closing.signal.throwIfAborted()
  }
}

function checkQuery(query: SearchQuery, set: VectorSet): void {
  positive('nq', query.nq, 1, 16_384)
  positive('k', query.k, 1, 0xffffffff)
  if (query.ef !== undefined) positive('ef', query.ef, 1, 0xffffffff)
  if (set.type === DataType.SparseFloatVector) checkSparseQuery(query)
  else checkDenseQuery(query, set)
  const rows = Math.min(query.rows ?? set.rows, set.rows)
  if (query.mask !== undefined && query.mask.length < rows)
    throw new RangeError(`expected \`mask\` to have ${rows} bytes, got ${query.mask.length}`)
}

function checkSparseQuery({ queries, queryOffsets, nq }: SearchQuery): void {
  const isWhole = queries instanceof Uint8Array && queryOffsets?.length === nq + 1 && queryOffsets[0] === 0 && queryOffsets[nq] === queries.length
  if (!isWhole) throw new RangeError(`expected \`queryOffsets\` to have ${nq + 1} items, from 0 to the length of \`queries\``)
}

function checkDenseQuery(query: SearchQuery, set: VectorSet): void {
  if (set.lists !== undefined && query.queryOffsets?.length !== query.nq + 1) throw new RangeError(`expected \`queryOffsets\` to have ${query.nq + 1} items`)
  const bytes = (set.lists === undefined ? query.nq : (query.queryOffsets?.[query.nq] ?? 0)) * vectorBytes(set.type, set.dim)
  if (!(query.queries instanceof Uint8Array) || query.queries.length !== bytes) {
    throw new RangeError(`expected \`queries\` to have ${bytes} bytes, got ${query.queries?.length}`)
  }
}

function positive(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`expected \`${name}\` to be an integer in ${min}..${max}, got ${String(value)}`)
  return value
}

/** On shared memory and at a multiple of four, so that float32 can be read where they lie. */
function toShared(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer && bytes.byteOffset % 4 === 0) return bytes
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
  shared.set(bytes)
  return shared
}

function sendable(query: SearchQuery): SearchQuery {
  return { ...query, queries: toSendable(query.queries), queryOffsets: query.queryOffsets?.slice(), mask: query.mask === undefined ? undefined : toSendable(query.mask) }
}

function toSharedOffsets(offsets: Uint32Array): Uint32Array {
  if (offsets.buffer instanceof SharedArrayBuffer) return offsets
  const shared = new Uint32Array(new SharedArrayBuffer(offsets.byteLength))
  shared.set(offsets)
  return shared
}

/** Sending a view sends all that lies under it. */
function toSendable(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer || bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
