/** The data path against a Map: random writes, flushes, loads, truncations and restarts; every strong read must agree with the model. */
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { openMemoryStores, type Stores } from '../../src/node/stores.ts'
import { common, rows, startOn, untilLoaded, type Harness } from './harness.ts'

const SEEDS = 30
const STEPS = 24
const KEYS = 160

function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

class Story {
  readonly #stores: Stores
  readonly #settings: Record<string, string>
  readonly #shards: number
  readonly #random: () => number
  readonly #model = new Map<number, number>()
  /** Flushes that nobody waited for yet. */
  #flushing: Promise<unknown>[] = []
  #harness!: Harness
  #version = 0
  #loaded = false
  readonly log: string[] = []

  constructor(stores: Stores, seed: number) {
    this.#stores = stores
    this.#random = mulberry32(seed)
    this.#shards = 1 + this.#int(3)
    this.#settings = this.#int(2) === 0 ? { 'dataNode.sealBytes': '2k' } : {}
  }

  async start(): Promise<void> {
    this.#harness = await startOn(this.#stores, this.#shards, this.#settings)
    const { catalog } = this.#harness
    if (catalog.collection('default', 'points').partitions.length === 1) await catalog.createPartition('default', 'points', 'odd')
    if (this.#loaded) await untilLoaded(this.#harness.roles, this.#harness.collection)
  }

  async step(): Promise<void> {
    const roll = this.#int(100)
    if (roll < 18) await this.#write('insert', this.#free(1 + this.#int(20)))
    else if (roll < 40) await this.#write('upsert', this.#some(1 + this.#int(20)))
    else if (roll < 55) await this.#remove(this.#some(1 + this.#int(10)))
    else if (roll < 63) await this.#flush()
    else if (roll < 70) this.#flushing.push(this.#flush())
    else if (roll < 76) await this.#load()
    else if (roll < 80) await this.#release()
    else if (roll < 86) await this.#restart()
    else if (roll < 88) await this.#truncate()
    else if (roll < 94) await this.#writeTogether()
    else await this.#nearest()
    await this.check()
  }

  /** Reads see all that was answered, once each, whatever flushes, loads and index builds run. */
  async check(): Promise<void> {
    if (!this.#loaded) return
    expect(await this.#read('')).toEqual(this.#sorted())
    const from = Math.max(0, this.#version - 5)
    expect(await this.#read(`version >= ${from}`)).toEqual(this.#sorted().filter(([, version]) => version >= from))
    const asked = this.#some(8)
    expect(await this.#read(`id in [${asked.join(', ')}]`)).toEqual(this.#sorted().filter(([id]) => asked.includes(id)))
    const both = this.#sorted().filter(([id, version]) => asked.includes(id) && version >= from)
    expect(await this.#read(`id in [${asked.join(', ')}] and version >= ${from}`)).toEqual(both)
    await this.#searchKeys(asked, from, both)
  }

  async end(): Promise<void> {
    await this.#load()
    await this.check()
    await this.#flush()
    await this.check()
    await this.#restart()
    await this.check()
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#flushing)
    await this.#harness.close()
  }

  async #write(kind: 'insert' | 'upsert', ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return
    const version = (this.#version += 1)
    this.log.push(`${kind} ${version}: ${ids.join(' ')}`)
    await this.#send(kind, ids, version)
    for (const id of ids) this.#model.set(id, version)
  }

  async #send(kind: 'insert' | 'upsert', ids: readonly number[], version: number): Promise<void> {
    const inserts = this.#byPartition(ids).map(([partitionId, mine]) => ({ partitionId, ...rows(mine, version) }))
    const deletes = kind === 'upsert' ? inserts.map(({ partitionId, keys }) => ({ partitionId, keys })) : []
    await this.#harness.writer.write({ collection: this.#collection(), deletes, inserts })
  }

  async #remove(ids: readonly number[]): Promise<void> {
    this.log.push(`remove ${ids.join(' ')}`)
    const scoped = this.#int(2) === 0 ? this.#byPartition(ids) : [[0n, ids] as const]
    const deletes = scoped.map(([partitionId, mine]) => ({ partitionId, keys: primaryKeyColumn(DataType.Int64, mine.map(BigInt)) }))
    await this.#harness.writer.write({ collection: this.#collection(), deletes, inserts: [] })
    for (const id of ids) this.#model.delete(id)
  }

  /** Writes of keys that do not meet, at the same time as a read. */
  async #writeTogether(): Promise<void> {
    const ids = this.#some(24)
    const version = (this.#version += 1)
    this.log.push(`together ${version}: ${ids.join(' ')}`)
    const parts = [ids.slice(0, 8), ids.slice(8, 16), ids.slice(16)].filter((part) => part.length > 0)
    const reading = this.#loaded ? this.#read('') : undefined
    await Promise.all(parts.map((part) => this.#send('upsert', part, version)))
    const seen = new Map(await reading)
    for (const [id, old] of this.#model) {
      if (reading !== undefined) expect([old, version], `key ${id} while it is written`).toContain(seen.get(id))
    }
    for (const id of ids) this.#model.set(id, version)
  }

  async #flush(): Promise<void> {
    this.log.push('flush')
    const { id: collectionId, shards } = this.#collection()
    const { roles, now } = this.#harness
    const ts = await now()
    await Promise.all(shards.map(({ vchannel }) => roles.flushShard({ collectionId, vchannel }, ts)))
  }

  async #load(): Promise<void> {
    if (this.#loaded) return
    this.log.push('load')
    await this.#harness.catalog.loadCollection('default', 'points', 1)
    await untilLoaded(this.#harness.roles, this.#collection())
    this.#loaded = true
  }

  async #release(): Promise<void> {
    if (!this.#loaded) return
    this.log.push('release')
    this.#loaded = false
    await this.#harness.catalog.releaseCollection('default', 'points')
  }

  async #truncate(): Promise<void> {
    this.log.push('truncate')
    await this.#harness.catalog.truncateCollection('default', 'points', await this.#harness.now())
    this.#model.clear()
  }

  async #restart(): Promise<void> {
    this.log.push('restart')
    // Some flushes are cut by the restart; whoever waits for them is told.
    const closing = this.close()
    await closing
    this.#flushing = []
    await this.start()
  }

  async #nearest(): Promise<void> {
    if (!this.#loaded || this.#model.size === 0) return
    const point: [number, number] = [this.#int(KEYS), this.#int(this.#version + 1)]
    const far = ([id, version]: readonly [number, number]): number => (id - point[0]) ** 2 + (version - point[1]) ** 2
    const expected = this.#sorted().map(far).sort((a, b) => a - b).slice(0, 5)
    const queries = new Uint8Array(Float32Array.from(point).buffer)
    const request = { ...common, collectionId: this.#collection().id, filter: '', guaranteeTs: await this.#harness.now(), outputFields: [101], fieldId: 102, queries, nq: 1, k: 5, offset: 0, metric: '', ef: undefined, radius: undefined, rangeFilter: undefined }
    const found = await this.#harness.roles.queryNode.current.search(request)
    expect([...found.scores]).toEqual(expected)
    const versions = found.columns.get(101)
    const hits = primaryKeyList(found.keys).map((key, row) => [Number(key), versions?.kind === 'int64' ? Number(versions.values[row]) : -1] as const)
    expect(hits.map(far)).toEqual(expected)
  }

  /** A search whose filter names keys finds just them. */
  async #searchKeys(asked: readonly number[], from: number, expected: readonly (readonly [number, number])[]): Promise<void> {
    const filter = `id in [${asked.join(', ')}] and version >= ${from}`
    const queries = new Uint8Array(new Float32Array(2).buffer)
    const request = { ...common, collectionId: this.#collection().id, filter, guaranteeTs: await this.#harness.now(), outputFields: [], fieldId: 102, queries, nq: 1, k: 20, offset: 0, metric: '', ef: undefined, radius: undefined, rangeFilter: undefined }
    const found = await this.#harness.roles.queryNode.current.search(request)
    expect(primaryKeyList(found.keys).map(Number).sort((a, b) => a - b)).toEqual(expected.map(([id]) => id))
  }

  async #read(filter: string): Promise<(readonly [number, number])[]> {
    const { roles, now } = this.#harness
    const result = await roles.queryNode.current.query({ ...common, collectionId: this.#collection().id, filter, guaranteeTs: await now(), outputFields: [101], limit: undefined, offset: 0, count: false })
    const versions = result.columns.get(101)
    return primaryKeyList(result.keys).map((key, row) => [Number(key), versions?.kind === 'int64' ? Number(versions.values[row]) : -1])
  }

  #sorted(): (readonly [number, number])[] {
    return [...this.#model].sort(([a], [b]) => a - b)
  }

  #collection() {
    return this.#harness.catalog.collection('default', 'points')
  }

  #byPartition(ids: readonly number[]): (readonly [bigint, number[]])[] {
    return this.#collection().partitions.map(({ id }, index) => [id, ids.filter((key) => key % 2 === index)] as const).filter(([, mine]) => mine.length > 0)
  }

  #some(count: number): number[] {
    return [...new Set(Array.from({ length: count }, () => this.#int(KEYS)))]
  }

  #free(count: number): number[] {
    return this.#some(count).filter((id) => !this.#model.has(id))
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below)
  }
}

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.close()
})

describe('the data path agrees with a Map', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`seed ${seed}`, async () => {
      const stores = await openMemoryStores(systemClock)
      opened.push(stores)
      const story = new Story(stores, seed)
      await story.start()
      opened.push(story)
      try {
        for (let step = 0; step < STEPS; step++) await story.step()
        await story.end()
      } catch (error) {
        throw new Error(`seed ${seed}, ${story.log.length} steps:\n${story.log.join('\n')}`, { cause: error })
      }
    })
  }
})
