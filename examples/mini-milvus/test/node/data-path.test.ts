/** The way of a vector through the roles, without the wire: log, data node, segments, query node. */
import { startWatchdog } from '@timetick/watchdog'
import { afterEach, describe, expect, it } from 'vitest'
import { openCatalog, type Catalog } from '../../src/coordinator/catalog.ts'
import { systemClock } from '../../src/edge/system.ts'
import { openEngine } from '../../src/engine/index.ts'
import type { Column, RowBatch } from '../../src/model/column.ts'
import type { CollectionMeta } from '../../src/model/meta.ts'
import { primaryKeyColumn, primaryKeyList, type PrimaryKey } from '../../src/model/primary-keys.ts'
import { DataType, type CollectionSchema, type FieldSchema } from '../../src/model/schema.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { startRoles, type Roles } from '../../src/node/roles.ts'
import { openStores, type Stores } from '../../src/node/stores.ts'
import { openNodeTime, startTicks } from '../../src/node/time.ts'
import { createDmlWriter, type DmlWriter } from '../../src/writer/dml-writer.ts'

const plain = { description: '', autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, indexParams: {} }
const fields: FieldSchema[] = [
  { ...plain, id: 100, name: 'id', type: DataType.Int64, isPrimary: true, typeParams: {} },
  { ...plain, id: 101, name: 'version', type: DataType.Int64, isPrimary: false, typeParams: {} },
  { ...plain, id: 102, name: 'vec', type: DataType.FloatVector, isPrimary: false, dim: 2, typeParams: { dim: '2' } },
]
const schema: CollectionSchema = { name: 'points', description: '', fields, enableDynamicField: false }

interface Harness {
  readonly catalog: Catalog
  readonly roles: Roles
  readonly writer: DmlWriter
  readonly collection: CollectionMeta
  readonly now: () => Promise<bigint>
  close(): Promise<void>
}

async function startOn(stores: Stores, shardsNum: number, settings: Record<string, string> = {}): Promise<Harness> {
  const parameters = createParameters({})
  for (const [key, value] of Object.entries({ 'indexNode.minRows': '50', ...settings })) parameters.save(key, value)
  const pchannels = ['dml_0', 'dml_1']
  const time = await openNodeTime(stores.kv, systemClock, () => undefined)
  const catalog = await openCatalog({ kv: stores.kv, ids: time.ids, timestamps: time.timestamps, pchannels })
  const engine = await openEngine({ threads: 1 })
  const watchdog = startWatchdog()
  const onError = (error: unknown): never => {
    throw error instanceof Error ? error : new Error(String(error))
  }
  const ticks = await startTicks({ mq: stores.mq, pchannels, timestamps: time.timestamps, intervalMs: 50, clock: systemClock, onError })
  const roles = await startRoles({ catalog, mq: stores.mq, storage: stores.storage, engine, ticks, time, pchannels, parameters, watchdog, clock: systemClock, onWarning: (_message, error) => onError(error) })
  if (catalog.findCollection('default', 'points') === undefined) {
    await catalog.createCollection({ dbName: 'default', schema, shardsNum, consistencyLevel: 0, properties: {} })
    await catalog.createIndex('default', 'points', 'vec', '', { index_type: 'HNSW', metric_type: 'L2' })
  }
  return {
    catalog,
    roles,
    writer: createDmlWriter(ticks),
    collection: catalog.collection('default', 'points'),
    now: () => time.timestamps.allocOne(),
    async close() {
      await roles.close()
      await ticks.close()
      await watchdog.close()
      await engine.close()
      await time.close()
    },
  }
}

function rows(ids: readonly number[], version: number): { rows: RowBatch; keys: ReturnType<typeof primaryKeyColumn> } {
  const keys = primaryKeyColumn(DataType.Int64, ids.map(BigInt))
  const vectors = Float32Array.from(ids.flatMap((id) => [id, version]))
  const columns = new Map<number, Column>([
    [100, keys],
    [101, primaryKeyColumn(DataType.Int64, ids.map(() => BigInt(version)))],
    [102, { kind: 'vector' as const, type: DataType.FloatVector, dim: 2, bytesPerRow: 8, length: ids.length, valid: undefined, data: new Uint8Array(vectors.buffer) }],
  ])
  return { rows: { length: ids.length, columns }, keys }
}

async function load({ catalog, roles, collection }: Harness): Promise<void> {
  await catalog.loadCollection('default', 'points', 1)
  await untilLoaded(roles, collection)
}

async function untilLoaded(roles: Roles, collection: CollectionMeta): Promise<void> {
  await expect.poll(() => roles.queryNode.current.loadProgress(collection.id)?.percent, { timeout: 5000 }).toBe(100)
}

function partition({ collection }: Harness): bigint {
  return collection.partitions[0]?.id ?? 0n
}

async function insert(harness: Harness, ids: readonly number[], version = 0): Promise<bigint> {
  return harness.writer.write({ collection: harness.collection, deletes: [], inserts: [{ partitionId: partition(harness), ...rows(ids, version) }] })
}

async function upsert(harness: Harness, ids: readonly number[], version: number): Promise<void> {
  const batch = rows(ids, version)
  await harness.writer.write({ collection: harness.collection, deletes: [{ partitionId: partition(harness), keys: batch.keys }], inserts: [{ partitionId: partition(harness), ...batch }] })
}

async function remove(harness: Harness, ids: readonly number[]): Promise<void> {
  await harness.writer.write({ collection: harness.collection, deletes: [{ partitionId: 0n, keys: primaryKeyColumn(DataType.Int64, ids.map(BigInt)) }], inserts: [] })
}

async function contents(harness: Harness, filter = ''): Promise<Map<PrimaryKey, number>> {
  const result = await harness.roles.queryNode.current.query({ ...common, collectionId: harness.collection.id, filter, guaranteeTs: await harness.now(), outputFields: [101], limit: undefined, offset: 0, count: false })
  const versions = result.columns.get(101)
  return new Map(primaryKeyList(result.keys).map((key, row) => [key, versions?.kind === 'int64' ? Number(versions.values[row]) : -1]))
}

const common = { partitionIds: undefined, templates: new Map<string, never>(), ignoreGrowing: false, signal: new AbortController().signal }

async function nearestIds(harness: Harness, point: readonly [number, number], k: number): Promise<PrimaryKey[]> {
  const queries = new Uint8Array(Float32Array.from(point).buffer)
  const request = { ...common, collectionId: harness.collection.id, filter: '', guaranteeTs: await harness.now(), outputFields: [], fieldId: 102, queries, nq: 1, k, offset: 0, metric: '', ef: undefined, radius: undefined, rangeFilter: undefined }
  return primaryKeyList((await harness.roles.queryNode.current.search(request)).keys)
}

async function flush(harness: Harness): Promise<void> {
  const ts = await harness.now()
  for (const { vchannel } of harness.collection.shards) await harness.roles.flushShard({ collectionId: harness.collection.id, vchannel }, ts)
}

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.close()
})

async function harnessOf(shardsNum = 2, settings?: Record<string, string>): Promise<Harness & { stores: Stores }> {
  const stores = await openStores(undefined, systemClock)
  opened.push(stores)
  const harness = await startOn(stores, shardsNum, settings)
  opened.push(harness)
  return { ...harness, stores }
}

const ids = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i)

describe('the data path', () => {
  it('shows rows to a strong read as soon as their write was answered', async () => {
    const harness = await harnessOf()
    await load(harness)
    await insert(harness, ids(10))
    expect([...(await contents(harness)).keys()]).toEqual(ids(10).map(BigInt))
    expect(await nearestIds(harness, [3, 0], 2)).toEqual([3n, 2n])
  })

  it('gives the same before, during and after a flush, growing and sealed rows together', async () => {
    const harness = await harnessOf()
    await load(harness)
    await insert(harness, ids(100), 1)
    await upsert(harness, ids(10), 2)
    await remove(harness, [50, 51])
    const expected = await contents(harness)
    expect(expected.size).toBe(98)
    expect(expected.get(5n)).toBe(2)
    const flushing = flush(harness)
    expect(await contents(harness)).toEqual(expected)
    await flushing
    expect(await contents(harness)).toEqual(expected)
    expect(harness.catalog.segments(harness.collection.id).filter(({ level }) => level === 'L1').reduce((sum, { rows: count }) => sum + count, 0)).toBe(98)
    await upsert(harness, [20], 3)
    await remove(harness, [21])
    await insert(harness, [200], 4)
    const after = await contents(harness)
    expect(after.get(20n)).toBe(3)
    expect(after.has(21n)).toBe(false)
    expect(after.get(200n)).toBe(4)
    expect(after.size).toBe(98)
    await flush(harness)
    await expect.poll(() => contents(harness)).toEqual(after)
    expect(await nearestIds(harness, [20, 3], 1)).toEqual([20n])
  })

  it('loads what was written before the load, from segments and from the log', async () => {
    const harness = await harnessOf()
    await insert(harness, ids(60))
    await flush(harness)
    await insert(harness, ids(5, 100))
    await remove(harness, [0])
    await load(harness)
    expect([...(await contents(harness)).keys()]).toEqual([...ids(59, 1), ...ids(5, 100)].map(BigInt))
    await harness.catalog.releaseCollection('default', 'points')
    await expect(contents(harness)).rejects.toThrow(/not loaded/)
    await load(harness)
    expect((await contents(harness)).size).toBe(64)
  })

  it('builds an index for segments that are large enough, and searches through it', async () => {
    const harness = await harnessOf(1)
    await load(harness)
    await insert(harness, ids(300))
    await flush(harness)
    await expect.poll(() => harness.catalog.segments(harness.collection.id)[0]?.indexes[0]?.state, { timeout: 10_000 }).toBe('finished')
    await expect.poll(() => harness.roles.queryNode.current.segments(harness.collection.id)[0]?.indexed, { timeout: 5000 }).toBe(true)
    expect(await nearestIds(harness, [123, 0], 3)).toEqual([123n, 122n, 124n])
  })

  it('comes back after a restart from the log and the segments, and keeps going', async () => {
    const stores = await openStores(undefined, systemClock)
    opened.push(stores)
    let harness = await startOn(stores, 2)
    await load(harness)
    await insert(harness, ids(50), 1)
    await flush(harness)
    await upsert(harness, ids(5), 2)
    await remove(harness, [49])
    const before = await contents(harness)
    await harness.close()
    harness = await startOn(stores, 2)
    opened.push(harness)
    await untilLoaded(harness.roles, harness.collection)
    expect(await contents(harness)).toEqual(before)
    await insert(harness, [500], 9)
    await flush(harness)
    expect((await contents(harness)).get(500n)).toBe(9)
    expect((await contents(harness)).size).toBe(before.size + 1)
  })

  it('lets the log go once its rows are in segments', async () => {
    const harness = await harnessOf(1)
    const { pchannel } = harness.collection.shards[0] ?? { pchannel: '' }
    await load(harness)
    await insert(harness, ids(100))
    await flush(harness)
    await insert(harness, ids(100, 100))
    await flush(harness)
    await expect.poll(async () => (await harness.stores.mq.bounds(pchannel)).first, { timeout: 5000 }).toBeUndefined()
  })
})
