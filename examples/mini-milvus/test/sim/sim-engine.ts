/** The engine without threads and native code: the same search, by scan; an index is a file that says what it was built from. */
import { crc32 } from 'node:zlib'
import type { AddSetOptions, AttachIndexOptions, BuildIndexOptions, Engine, SearchRequest, SearchResult } from '../../src/engine/index.ts'
import { EngineError } from '../../src/engine/errors.ts'
import { checkVectorSet, type Metric, type VectorSet } from '../../src/engine/metric.ts'
import { searchSet } from '../../src/engine/search.ts'
import type { CallKind, Life } from './life.ts'
import type { SimulatedStorage } from './sim-storage.ts'

const kind = (name: string): CallKind => ({ port: 'engine', name, write: false, failure: () => new EngineError('ENGINE_WORKER_FAILED', 'simulated') })

export class SimulatedEngine implements Engine {
  readonly #life: Life
  readonly #storage: SimulatedStorage
  readonly #sets = new Map<string, VectorSet>()

  constructor(life: Life, storage: SimulatedStorage) {
    this.#life = life
    this.#storage = storage
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
      const bytes = this.#storage.objects.get(path)
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
      return this.#storage.writeFile(path, bytes)
    })
  }

  async close(): Promise<void> {
    this.#sets.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
