import type { KVBase } from '@timetick/kv'
import { createMemoryKV } from '@timetick/kv/memory'
import { type Catalog, type CatalogOptions, openCatalog } from '../../src/coordinator/catalog.ts'
import { encodeMeta } from '../../src/model/meta.ts'
import { type CollectionSchema, DataType, type FieldSchema } from '../../src/model/schema.ts'

export function field(id: number, name: string, type: DataType, more: Partial<FieldSchema> = {}): FieldSchema {
  return {
    id,
    name,
    description: '',
    type,
    isPrimary: false,
    autoId: false,
    isPartitionKey: false,
    isClusteringKey: false,
    isDynamic: false,
    nullable: false,
    typeParams: {},
    indexParams: {},
    ...more,
  }
}

export function schema(name: string, extra: readonly FieldSchema[] = []): CollectionSchema {
  const fields = [field(100, 'id', DataType.Int64, { isPrimary: true }), field(101, 'vector', DataType.FloatVector, { dim: 4 }), ...extra]
  return { name, description: '', fields, enableDynamicField: false }
}

export function counter(from = 1n): { allocOne(): Promise<bigint> } {
  let next = from
  return { allocOne: async () => next++ }
}

export type CatalogKV = CatalogOptions['kv']

export interface Fixture {
  readonly kv: KVBase
  readonly catalog: Catalog
  /** A new catalog from what is stored. */
  readonly reopen: () => Promise<Catalog>
}

export async function openFixture(options: Partial<CatalogOptions> = {}): Promise<Fixture> {
  const kv = createMemoryKV()
  const all = { kv, ids: counter(), timestamps: counter(1000n), pchannels: ['dml_0', 'dml_1'], ...options }
  return { kv, catalog: await openCatalog(all), reopen: () => openCatalog({ ...all, kv: options.kv ?? kv }) }
}

export async function createCollection(
  catalog: Catalog,
  name: string,
  more: { dbName?: string; shardsNum?: number; numPartitions?: number } = {},
) {
  const { dbName = 'default', shardsNum = 1, numPartitions } = more
  return catalog.createCollection({ dbName, schema: schema(name), shardsNum, consistencyLevel: 2, properties: {}, numPartitions })
}

/** Everything a catalog knows, as text. */
export function dump(catalog: Catalog): string {
  const databases = [...catalog.databases()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const collections = catalog.collections().map((collection) => ({
    collection,
    aliases: [...catalog.aliases(collection.id)].sort((a, b) => (a.alias < b.alias ? -1 : 1)),
    indexes: catalog.indexes(collection.id),
    load: catalog.load(collection.id),
    segments: [...catalog.segments(collection.id)].sort((a, b) => (a.id < b.id ? -1 : 1)),
    flushed: collection.shards.map(({ vchannel }) => catalog.flushedTs(collection.id, vchannel)),
  }))
  return encodeMeta({ databases, collections, checkpoint: catalog.checkpoint('dml_0') })
}
