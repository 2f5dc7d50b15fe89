/** The roles over stores that survive them, without the wire: for tests that restart a node. */
import { startWatchdog } from '@timetick/watchdog'
import { expect } from 'vitest'
import { openCatalog, type Catalog } from '../../src/coordinator/catalog.ts'
import { systemClock } from '../../src/edge/system.ts'
import { openEngine } from '../../src/engine/index.ts'
import type { Column, RowBatch } from '../../src/model/column.ts'
import type { CollectionMeta } from '../../src/model/meta.ts'
import { primaryKeyColumn, primaryKeyList, type PrimaryKey } from '../../src/model/primary-keys.ts'
import { DataType, type CollectionSchema, type FieldSchema } from '../../src/model/schema.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { startRoles, type Roles } from '../../src/node/roles.ts'
import type { Stores } from '../../src/node/stores.ts'
import { openNodeTime, startTicks } from '../../src/node/time.ts'
import { createDmlWriter, type DmlWriter } from '../../src/writer/dml-writer.ts'

const plain = { description: '', autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, indexParams: {} }
const fields: FieldSchema[] = [
  { ...plain, id: 100, name: 'id', type: DataType.Int64, isPrimary: true, typeParams: {} },
  { ...plain, id: 101, name: 'version', type: DataType.Int64, isPrimary: false, typeParams: {} },
  { ...plain, id: 102, name: 'vec', type: DataType.FloatVector, isPrimary: false, dim: 2, typeParams: { dim: '2' } },
]
const schema: CollectionSchema = { name: 'points', description: '', fields, enableDynamicField: false }

export interface Harness {
  readonly catalog: Catalog
  readonly roles: Roles
  readonly writer: DmlWriter
  readonly collection: CollectionMeta
  readonly now: () => Promise<bigint>
  close(): Promise<void>
}

export async function startOn(stores: Stores, shardsNum: number, settings: Record<string, string> = {}): Promise<Harness> {
  const parameters = createParameters({})
  for (const [key, value] of Object.entries({ 'indexNode.minRows': '50', 'compaction.minSegments': '3', 'compaction.deleteShare': '0.05', ...settings })) parameters.save(key, value)
  const pchannels = ['dml_0', 'dml_1']
  const time = await openNodeTime(stores.kv, systemClock, () => undefined)
  const catalog = await openCatalog({ kv: stores.kv, ids: time.ids, timestamps: time.timestamps, pchannels })
  const engine = await openEngine({ threads: 1 })
  const watchdog = startWatchdog()
  const onError = (error: unknown): never => {
    throw error instanceof Error ? error : new Error(String(error))
  }
  const ticks = await startTicks({ mq: stores.mq, pchannels, timestamps: time.timestamps, intervalMs: 50, clock: systemClock, onError })
  const roles = await startRoles({ catalog, kv: stores.kv, mq: stores.mq, storage: stores.storage, engine, ticks, time, pchannels, parameters, watchdog, clock: systemClock, onWarning: (_message, error) => onError(error) })
  if (catalog.findCollection('default', 'points') === undefined) {
    await catalog.createCollection({ dbName: 'default', schema, shardsNum, consistencyLevel: 0, properties: {} })
    await catalog.createIndex('default', 'points', 'vec', '', { index_type: 'HNSW', metric_type: 'L2' })
  }
  return {
    catalog,
    roles,
    writer: createDmlWriter(ticks, () => systemClock.yieldToLoop()),
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

export function rows(ids: readonly number[], version: number): { rows: RowBatch; keys: ReturnType<typeof primaryKeyColumn> } {
  const keys = primaryKeyColumn(DataType.Int64, ids.map(BigInt))
  const vectors = Float32Array.from(ids.flatMap((id) => [id, version]))
  const columns = new Map<number, Column>([
    [100, keys],
    [101, primaryKeyColumn(DataType.Int64, ids.map(() => BigInt(version)))],
    [102, { kind: 'vector' as const, type: DataType.FloatVector, dim: 2, bytesPerRow: 8, length: ids.length, valid: undefined, data: new Uint8Array(vectors.buffer) }],
  ])
  return { rows: { length: ids.length, columns }, keys }
}

export async function load({ catalog, roles, collection }: Harness): Promise<void> {
  await catalog.loadCollection('default', 'points', 1)
  await untilLoaded(roles, collection)
}

export async function untilLoaded(roles: Roles, collection: CollectionMeta): Promise<void> {
  await expect.poll(() => roles.queryNode.current.loadProgress(collection.id)?.percent, { timeout: 5000 }).toBe(100)
}

export function partition({ collection }: Harness): bigint {
  return collection.partitions[0]?.id ?? 0n
}

export async function insert(harness: Harness, ids: readonly number[], version = 0): Promise<bigint> {
  return harness.writer.write({ collection: harness.collection, deletes: [], inserts: [{ partitionId: partition(harness), ...rows(ids, version) }] })
}

export async function upsert(harness: Harness, ids: readonly number[], version: number): Promise<void> {
  const batch = rows(ids, version)
  await harness.writer.write({ collection: harness.collection, deletes: [{ partitionId: partition(harness), keys: batch.keys }], inserts: [{ partitionId: partition(harness), ...batch }] })
}

export async function remove(harness: Harness, ids: readonly number[]): Promise<void> {
  await harness.writer.write({ collection: harness.collection, deletes: [{ partitionId: 0n, keys: primaryKeyColumn(DataType.Int64, ids.map(BigInt)) }], inserts: [] })
}

export async function contents(harness: Harness, filter = ''): Promise<Map<PrimaryKey, number>> {
  const result = await harness.roles.queryNode.current.query({ ...common, collectionId: harness.collection.id, filter, guaranteeTs: await harness.now(), outputFields: [101], limit: undefined, offset: 0, count: false })
  const versions = result.columns.get(101)
  return new Map(primaryKeyList(result.keys).map((key, row) => [key, versions?.kind === 'int64' ? Number(versions.values[row]) : -1]))
}

export const common = { partitionIds: undefined, templates: new Map<string, never>(), ignoreGrowing: false, signal: new AbortController().signal }

export async function nearestIds(harness: Harness, point: readonly [number, number], k: number): Promise<PrimaryKey[]> {
  const queries = new Uint8Array(Float32Array.from(point).buffer)
  const request = { ...common, collectionId: harness.collection.id, filter: '', guaranteeTs: await harness.now(), outputFields: [], fieldId: 102, queries, nq: 1, k, offset: 0, metric: '', ef: undefined, radius: undefined, rangeFilter: undefined }
  return primaryKeyList((await harness.roles.queryNode.current.search(request)).keys)
}

export async function flush(harness: Harness): Promise<void> {
  const ts = await harness.now()
  for (const { vchannel } of harness.collection.shards) await harness.roles.flushShard({ collectionId: harness.collection.id, vchannel }, ts)
}
