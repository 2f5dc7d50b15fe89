/** Collections: creation, the whole of what goes with them, and changes of their schemas. */
import { type CollectionMeta, DEFAULT_PARTITION, encodeMeta, type PartitionMeta, type ShardMeta } from '../model/meta.ts'
import { DataType, DYNAMIC_FIELD_NAME, type FieldSchema } from '../model/schema.ts'
import { Code, collectionNotFound, invalid, MilvusError } from '../server/status.ts'
import type { CreateCollectionRequest } from './api.ts'
import { alterRecord, type CatalogContext, refused } from './catalog-context.ts'
import type { CatalogRecord } from './catalog-records.ts'

type Properties = Readonly<Record<string, string>>

export async function createCollection(context: CatalogContext, request: CreateCollectionRequest): Promise<CollectionMeta> {
  const { state, limits, change } = context
  const { dbName, schema } = request
  let result: CollectionMeta | undefined
  await change(async () => {
    const database = state.database(dbName)
    if (state.findAlias(dbName, schema.name) !== undefined) {
      throw refused(`collection name [${schema.name}] conflicts with an existing alias, please choose a unique name`)
    }
    const existing = state.findByName(dbName, schema.name)
    if (existing !== undefined) {
      result = existing
      if (isSame(existing, request)) return []
      throw invalid(`create duplicate collection with different parameters, collection: ${schema.name}`)
    }
    const ownLimit = Number(database.properties['database.max.collections'] ?? limits.maxCollections)
    if (state.collections().length >= limits.maxCollections || state.collections(dbName).length >= ownLimit) {
      throw new MilvusError(
        Code.CollectionLimit,
        `exceeded the limit number of collections[limit=${Math.min(ownLimit, limits.maxCollections)}]`,
      )
    }
    const created = await newCollection(context, request)
    result = created
    return [{ kind: 'collection', id: created.id, value: created }]
  })
  if (result === undefined) throw collectionNotFound(dbName, schema.name)
  return result
}

function isSame(existing: CollectionMeta, request: CreateCollectionRequest): boolean {
  const facts = (
    schema: CollectionMeta['schema'],
    shards: number,
    level: number,
    properties: Properties,
    partitions: number | undefined,
  ): string => encodeMeta([schema, shards, level, Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)), partitions ?? 0])
  return (
    facts(existing.schema, existing.shards.length, existing.consistencyLevel, existing.properties, existing.numPartitions) ===
    facts(request.schema, request.shardsNum, request.consistencyLevel, request.properties, request.numPartitions)
  )
}

async function newCollection(context: CatalogContext, request: CreateCollectionRequest): Promise<CollectionMeta> {
  const { nextId, nextTs } = context
  const [id, createdTs] = await Promise.all([nextId(), nextTs()])
  const names = partitionNames(request.numPartitions)
  const partitions: PartitionMeta[] = []
  for (const name of names) partitions.push({ id: await nextId(), name, createdTs })
  return {
    id,
    dbName: request.dbName,
    schema: request.schema,
    shards: chooseShards(context, id, request.shardsNum),
    partitions,
    consistencyLevel: request.consistencyLevel,
    properties: { ...request.properties },
    createdTs,
    updateTs: createdTs,
    numPartitions: request.numPartitions,
    truncatedTs: 0n,
    nextFieldId: Math.max(...request.schema.fields.map((field) => field.id)) + 1,
  }
}

/** Milvus's names: `_default`, or `_default_0` and on with a partition key. */
function partitionNames(count: number | undefined): string[] {
  return count === undefined ? [DEFAULT_PARTITION] : Array.from({ length: count }, (_, i) => `${DEFAULT_PARTITION}_${i}`)
}

/** The log channels with the fewest shards, each once before any twice. */
function chooseShards({ state, pchannels }: CatalogContext, id: bigint, count: number): ShardMeta[] {
  const used = new Map(pchannels.map((name) => [name, 0]))
  for (const { shards } of state.collections()) for (const { pchannel } of shards) used.set(pchannel, (used.get(pchannel) ?? 0) + 1)
  const order = [...pchannels].sort((a, b) => (used.get(a) ?? 0) - (used.get(b) ?? 0))
  return Array.from({ length: count }, (_, shard) => {
    const pchannel = order[shard % order.length] as string
    return { vchannel: `${pchannel}_${id}v${shard}`, pchannel }
  })
}

export async function dropCollection({ state, change }: CatalogContext, dbName: string, name: string): Promise<void> {
  await change(() => {
    state.database(dbName)
    const collection = state.findByName(dbName, name)
    if (collection === undefined && state.findAlias(dbName, name) !== undefined)
      throw refused(`cannot drop the collection via alias = ${name}`)
    if (collection === undefined) return []
    const { id } = collection
    const records: CatalogRecord[] = state.aliases(id).map(({ alias }) => ({ kind: 'alias', dbName, alias, value: undefined }))
    if (state.load(id) !== undefined) records.push({ kind: 'load', collectionId: id, value: undefined })
    for (const index of state.indexes(id)) records.push({ kind: 'index', collectionId: id, id: index.id, value: undefined })
    for (const segment of state.segments(id)) records.push({ kind: 'segment', collectionId: id, id: segment.id, value: undefined })
    for (const vchannel of state.flushedChannels(id)) records.push({ kind: 'flushed', collectionId: id, vchannel, value: undefined })
    return [...records, { kind: 'collection', id, value: undefined }]
  })
}

export async function renameCollection(
  { state, change }: CatalogContext,
  dbName: string,
  name: string,
  newDbName: string,
  newName: string,
): Promise<void> {
  await change(() => {
    state.database(dbName)
    state.database(newDbName)
    const collection = state.findByName(dbName, name)
    if (collection === undefined) {
      if (state.findAlias(dbName, name) !== undefined) throw refused(`unsupported use an alias to rename collection, alias:${name}`)
      throw collectionNotFound(dbName, name)
    }
    if (dbName === newDbName && name === newName) throw invalid(`collection name or database name should be different`)
    if (state.findCollection(newDbName, newName) !== undefined) {
      throw refused(`duplicated new collection name ${newDbName}:${newName} with other collection name or alias`)
    }
    if (dbName !== newDbName && state.aliases(collection.id).length > 0) {
      throw refused('fail to rename db name, must drop all aliases of this collection before rename')
    }
    return [
      {
        kind: 'collection',
        id: collection.id,
        value: { ...collection, dbName: newDbName, schema: { ...collection.schema, name: newName } },
      },
    ]
  })
}

const DYNAMIC_KEY = 'dynamicfield.enabled'
const DESCRIPTION_KEY = 'collection.description'
const CONSISTENCY_KEY = 'consistency_level'

export async function alterCollection(
  context: CatalogContext,
  dbName: string,
  name: string,
  set: Properties,
  remove: readonly string[],
): Promise<void> {
  const { state, nextTs, change } = context
  await change(async () => {
    const before = state.collection(dbName, name)
    const special = [DYNAMIC_KEY, DESCRIPTION_KEY, CONSISTENCY_KEY]
    const plain = Object.fromEntries(Object.entries(set).filter(([key]) => !special.includes(key)))
    let after: CollectionMeta = { ...before, properties: alterRecord(before.properties, plain, remove) }
    if (Object.hasOwn(set, DESCRIPTION_KEY)) after = { ...after, schema: { ...after.schema, description: set[DESCRIPTION_KEY] ?? '' } }
    if (Object.hasOwn(set, CONSISTENCY_KEY)) after = { ...after, consistencyLevel: consistencyOf(set[CONSISTENCY_KEY] ?? '') }
    if (Object.hasOwn(set, DYNAMIC_KEY)) after = enableDynamic(after, set[DYNAMIC_KEY] ?? '')
    return [{ kind: 'collection', id: before.id, value: { ...after, updateTs: await nextTs() } }]
  })
}

const consistencyLevels = ['Strong', 'Session', 'Bounded', 'Eventually', 'Customized']

function consistencyOf(text: string): number {
  const level = /^[0-4]$/.test(text) ? Number(text) : consistencyLevels.indexOf(text)
  if (level < 0) throw invalid(`invalid consistency level: ${text}`)
  return level
}

function enableDynamic(collection: CollectionMeta, value: string): CollectionMeta {
  const { schema } = collection
  if (value.toLowerCase() !== 'true' && value.toLowerCase() !== 'false') throw invalid(`invalid dynamic schema property value: ${value}`)
  const wanted = value.toLowerCase() === 'true'
  if (wanted === schema.enableDynamicField) return collection
  if (!wanted) throw invalid('dynamic schema cannot supported to be disabled')
  const meta: FieldSchema = {
    id: collection.nextFieldId,
    name: DYNAMIC_FIELD_NAME,
    description: 'dynamic schema',
    type: DataType.JSON,
    isPrimary: false,
    autoId: false,
    isPartitionKey: false,
    isClusteringKey: false,
    isDynamic: true,
    nullable: true,
    defaultValue: '{}',
    typeParams: {},
    indexParams: {},
  }
  return {
    ...collection,
    schema: { ...schema, enableDynamicField: true, fields: [...schema.fields, meta] },
    nextFieldId: collection.nextFieldId + 1,
  }
}

export async function truncateCollection({ state, change }: CatalogContext, dbName: string, name: string, atTs: bigint): Promise<void> {
  await change(() => {
    const before = state.collection(dbName, name)
    if (atTs <= before.truncatedTs) return []
    const gone = state.segments(before.id).filter((segment) => segment.endTs <= atTs)
    return [
      { kind: 'collection', id: before.id, value: { ...before, truncatedTs: atTs } },
      ...gone.map(({ id }): CatalogRecord => ({ kind: 'segment', collectionId: before.id, id, value: undefined })),
    ]
  })
}
