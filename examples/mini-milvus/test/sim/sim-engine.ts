/** The engine without threads and native code: the same search, by scan; an index is a file that says what it was built from. */
import { crc32 } from 'node:zlib'
import type { AddSetOptions, AttachIndexOptions, BuildIndexOptions, Engine, SearchRequest, SearchResult } from '../../src/engine/index.ts'
import { EngineError } from '../../src/engine/errors.ts'
import { type IndexedColumn, type SortedFile, writeColumnFile } from '../../src/scalar/index.ts'
import { checkVectorSet, type Metric, type VectorSet } from '../../src/engine/metric.ts'
import { searchSet } from '../../src/engine/search.ts'
import type { CallKind, Life } from './life.ts'

const kind = (name: string): CallKind => ({ port: 'engine', name, write: false, failure: () => new EngineError('ENGINE_WORKER_FAILED', 'simulated') })

/** Where a library would write its files, and read them back. */
export interface EngineFiles {
  write(path: string, bytes: Uint8Array): void
  read(path: string): Uint8Array | undefined
}

export class SimulatedEngine implements Engine {
  readonly #life: Life
  readonly #files: EngineFiles
  readonly #sets = new Map<string, VectorSet>()

  constructor(life: Life, files: EngineFiles) {
    this.#life = life
    this.#files = files
  }

  addSet({ id, metric, ...rest }: AddSetOptions): void {
    const set = { ...rest, metric: metric as Metric }
    checkVectorSet(set)
    this.#sets.set(id, set)
  }

  dropSet(id: string): void {
    this.#sets.delete(id)
  }

  attachIndex({ path, crc32: expected }: AttachIndexOptions): Promise<void> {
    return this.#life.call(kind('attachIndex'), () => {
      const bytes = this.#files.read(path)
      if (bytes === undefined || crc32(bytes) !== expected) throw new EngineError('ENGINE_INDEX_CORRUPT', `${path} is not what was built`)
    })
  }

  detachIndex(): void {}

  async search(request: SearchRequest): Promise<SearchResult> {
    const [result] = await this.searchMany([request])
    if (result === undefined) throw new EngineError('ENGINE_WORKER_FAILED', 'no result')
    return result
  }

  searchMany(requests: readonly Omit<SearchRequest, 'signal'>[]): Promise<SearchResult[]> {
    const sets = requests.map(({ setId }) => {
      const set = this.#sets.get(setId)
      if (set === undefined) throw new EngineError('ENGINE_UNKNOWN_SET', `no vectors are known as ${setId}`)
      return set
    })
    return this.#life.call(kind('search'), () => requests.map(({ setId: _setId, ...query }, index) => searchSet(sets[index] as VectorSet, undefined, query)))
  }

  buildIndex({ vectors, path, signal }: BuildIndexOptions): Promise<{ readonly bytes: number; readonly crc32: number }> {
    const bytes = vectors.slice()
    return this.#life.call(kind('build'), () => {
      signal?.throwIfAborted()
      this.#files.write(path, bytes)
      return { bytes: bytes.length, crc32: crc32(bytes) }
    })
  }

  sortColumn(column: IndexedColumn, signal?: AbortSignal): Promise<SortedFile> {
    return this.#life.call(kind('sort'), () => {
      signal?.throwIfAborted()
      return writeColumnFile(column)
    })
  }

  async close(): Promise<void> {
    this.#sets.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
