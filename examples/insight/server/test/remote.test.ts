import { describe, expect, test } from 'vitest'
import { Layer } from '../src/core/layer.ts'
import type { CollectionDescribed, IndexDescribed, MilvusApi } from '../src/source/milvus-api.ts'
import { RemoteSource } from '../src/source/remote.ts'
import type { Sink } from '../src/source/source.ts'
import { TestClock } from './clock.ts'

interface Kept extends CollectionDescribed {
  load: string
  indexState: string
}

/** A server in memory that counts its calls. */
class FakeMilvus implements MilvusApi {
  readonly dbs = new Map<string, Map<string, Kept>>([['default', new Map()]])
  calls = 0
  failing: string | undefined

  put(db: string, name: string, id: string, more: Partial<Kept> = {}): Kept {
    const kept: Kept = { id, name, createdTs: '449000000000000001', description: '', shards: 1, consistency: 'Bounded', dynamicField: false, fields: [], properties: {}, channels: [`dml_0_${id}v0`], aliases: [], updatedTs: undefined, load: 'loaded', indexState: 'finished', ...more }
    this.dbs.get(db)?.set(name, kept)
    return kept
  }
  readonly #count = (what: string): void => {
    this.calls++
    if (this.failing === what) throw new Error(`${what} failed`)
  }
  #of(db: string, name: string): Kept {
    const found = this.dbs.get(db)?.get(name)
    if (found === undefined) throw new Error(`collection not found: ${name}`)
    return found
  }
  readonly connect = async () => ({ version: 'v2.6' })
  readonly databases = async () => (this.#count('databases'), [...this.dbs.keys()])
  readonly collections = async (db: string) => (this.#count('collections'), [...(this.dbs.get(db)?.values() ?? [])])
  readonly describe = async (db: string, name: string) => (this.#count('describe'), this.#of(db, name))
  readonly indexes = async (db: string, name: string): Promise<IndexDescribed[]> => (this.#count('indexes'), [{ name: 'vec', field: 'vec', indexType: 'HNSW', metric: 'L2', params: {}, state: this.#of(db, name).indexState, indexedRows: '0', totalRows: '9', pendingRows: '9', reason: '' }])
  readonly partitions = async () => (this.#count('partitions'), [{ id: '7', name: '_default' }])
  readonly loadState = async (db: string, name: string) => (this.#count('loadState'), { state: this.#of(db, name).load, percent: null })
  readonly rows = async () => (this.#count('rows'), '1234')
  readonly act = async () => undefined
  readonly search = async () => []
  readonly close = async () => undefined
}

async function setUp() {
  const clock = new TestClock()
  const api = new FakeMilvus()
  const layer = new Layer({ epoch: 'e', clock, missesToDrop: 2 })
  const source = new RemoteSource({ api, clock, address: 'host:19530' })
  const sink: Sink = { upsert: (kind, key, row) => layer.upsert(kind, key, row, 'poll'), drop: (kind, key) => layer.drop(kind, key, 'poll'), full: (kind, scope, keys) => layer.full(kind, scope, keys, 'poll'), gauge: () => undefined }
  await source.start(sink, new AbortController().signal)
  const refresh = async (signal = new AbortController().signal) => {
    let isDone = false
    const done = source.refresh(signal).finally(() => (isDone = true))
    const settled = done.catch(() => undefined)
    for (let i = 0; i < 2000 && !isDone; i++) await clock.advance(50)
    await settled
    return done
  }
  return { clock, api, layer, refresh }
}
const names = (layer: Layer) => [...layer.entities('collection')].map(({ row }) => `${String(row['db'])}.${String(row['name'])}`).sort()

describe('a remote source', () => {
  test('lists, describes what is new, drops what two lists miss, renames by id', async () => {
    const { api, layer, refresh } = await setUp()
    api.dbs.set('other', new Map())
    api.put('default', 'a', '1')
    api.put('other', 'a', '2')
    await refresh()
    expect(names(layer)).toEqual(['default.a', 'other.a'])
    expect(layer.get('collection', 'default/1')?.row).toMatchObject({ id: '1', name: 'a', load: { state: 'loaded' }, stats: { rows: '1234' }, indexState: 'finished' })
    expect(layer.get('partition', 'default/1/7')?.row).toMatchObject({ name: '_default' })
    expect(layer.get('index', 'other/2/vec')?.row).toMatchObject({ indexType: 'HNSW', progress: { state: 'finished' } })
    api.dbs.get('default')?.clear()
    api.put('default', 'b', '1')
    api.dbs.get('other')?.clear()
    await refresh()
    expect(names(layer)).toEqual(['default.b', 'other.a'])
    await refresh()
    expect(names(layer)).toEqual(['default.b'])
    expect(layer.count('index')).toBe(1)
  })

  test('a failure in the middle drops nothing', async () => {
    const { api, layer, refresh } = await setUp()
    api.put('default', 'a', '1')
    await refresh()
    for (const what of ['databases', 'collections', 'describe', 'indexes']) {
      api.failing = what
      api.put('default', `new_${what}`, what)
      await expect(refresh()).rejects.toThrow(`${what} failed`)
      expect(names(layer)).toContain('default.a')
    }
  })

  test('G11 the budget holds: what loads is asked in every round, the rest in turn', async () => {
    const { api, layer, refresh, clock } = await setUp()
    for (let i = 0; i < 40; i++) api.put('default', `c${i}`, String(i))
    const first = clock.now()
    await refresh()
    expect((api.calls * 1000) / (clock.now() - first)).toBeLessThan(24)
    expect([...layer.entities('collection')].every(({ row }) => row['load'] !== undefined)).toBe(true)
    const loading = api.put('default', 'c5', '5', { load: 'loading' })
    for (let round = 0; round < 5; round++) await refresh()
    expect(layer.get('collection', 'default/5')?.row).toMatchObject({ load: { state: 'loading' } })
    loading.load = 'loaded'
    await refresh()
    expect(layer.get('collection', 'default/5')?.row).toMatchObject({ load: { state: 'loaded' } })
  })

  test('a collection that goes between list and description is no failure', async () => {
    const { api, refresh, layer } = await setUp()
    api.put('default', 'a', '1')
    const { describe: original } = api
    Object.assign(api, { describe: async (db: string, name: string) => (api.dbs.get('default')?.clear(), original(db, name)) })
    await refresh()
    Object.assign(api, { describe: original })
    await refresh()
    await refresh()
    expect(names(layer)).toEqual([])
  })

  test('an abort ends a round that waits for its budget', async () => {
    const { api, refresh, clock } = await setUp()
    for (let i = 0; i < 100; i++) api.put('default', `c${i}`, String(i))
    const abort = new AbortController()
    clock.setTimer(() => abort.abort(new Error('stopped')), 2000)
    await expect(refresh(abort.signal)).rejects.toThrow('stopped')
    expect(clock.timers).toBe(0)
  })
})
