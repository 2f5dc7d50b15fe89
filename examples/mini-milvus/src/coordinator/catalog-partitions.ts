/** Partitions, and which of them are loaded. */
import { type CollectionMeta, DEFAULT_PARTITION, type LoadMeta } from '../model/meta.ts'
import { isSearchable } from '../model/schema.ts'
import { Code, invalid, MilvusError } from '../server/status.ts'
import { type CatalogContext, refused } from './catalog-context.ts'
import type { CatalogRecord } from './catalog-records.ts'

function loadRecord(collection: CollectionMeta, value: LoadMeta | undefined): CatalogRecord {
  return { kind: 'load', collectionId: collection.id, value }
}

/** An existing partition is no failure (Milvus). */
export async function createPartition(
  { state, limits, nextId, nextTs, change }: CatalogContext,
  dbName: string,
  name: string,
  partition: string,
): Promise<void> {
  await change(async () => {
    const before = state.collection(dbName, name)
    if (before.partitions.some((existing) => existing.name === partition)) return []
    if (before.partitions.length >= limits.maxPartitions) {
      throw invalid(
        `partition number (${before.partitions.length}) exceeds max configuration (${limits.maxPartitions}), collection: ${name}`,
      )
    }
    const [id, createdTs] = await Promise.all([nextId(), nextTs()])
    const value = { ...before, partitions: [...before.partitions, { id, name: partition, createdTs }] }
    const load = state.load(before.id)
    const collection: CatalogRecord = { kind: 'collection', id: before.id, value }
    return load?.wholeCollection === true
      ? [collection, loadRecord(before, { ...load, partitionIds: [...load.partitionIds, id] })]
      : [collection]
  })
}

/** A missing partition is no failure (Milvus); a loaded one and the default one are. */
export async function dropPartition({ state, change }: CatalogContext, dbName: string, name: string, partition: string): Promise<void> {
  await change(() => {
    const before = state.collection(dbName, name)
    if (partition === DEFAULT_PARTITION) throw invalid('default partition cannot be deleted')
    const found = before.partitions.find((existing) => existing.name === partition)
    if (found === undefined) return []
    if (state.load(before.id)?.partitionIds.includes(found.id) === true) {
      throw refused('partition cannot be dropped, partition is loaded, please release it first')
    }
    const value = { ...before, partitions: before.partitions.filter((existing) => existing !== found) }
    const segments = state.segments(before.id).filter((segment) => segment.partitionId === found.id)
    return [
      { kind: 'collection', id: before.id, value },
      ...segments.map(({ id }): CatalogRecord => ({ kind: 'segment', collectionId: before.id, id, value: undefined })),
    ]
  })
}

function checkIndexes({ state }: CatalogContext, collection: CollectionMeta): void {
  const indexed = new Set(state.indexes(collection.id).map((index) => index.fieldId))
  const missing = collection.schema.fields.filter((field) => isSearchable(field) && !indexed.has(field.id)).map((field) => field.name)
  if (missing.length === 0) return
  const reason = `there is no vector index on field: [${missing.join(' ')}], please create index firstly`
  throw new MilvusError(Code.IndexNotFound, `index not found[collection=${collection.schema.name}]: ${reason}`)
}

export async function loadCollection(context: CatalogContext, dbName: string, name: string, replicaNumber: number, resourceGroups: readonly string[] = []): Promise<void> {
  const { state, nextTs, change } = context
  await change(async () => {
    const collection = state.collection(dbName, name)
    checkIndexes(context, collection)
    const before = state.load(collection.id)
    if (before?.wholeCollection === true && before.replicaNumber === replicaNumber) return []
    const partitionIds = collection.partitions.map((partition) => partition.id)
    return [
      loadRecord(collection, { collectionId: collection.id, replicaNumber, partitionIds, wholeCollection: true, loadedTs: await nextTs(), ...groupsOf(resourceGroups) }),
    ]
  })
}

export async function loadPartitions(
  context: CatalogContext,
  dbName: string,
  name: string,
  partitions: readonly string[],
  replicaNumber: number,
  resourceGroups: readonly string[] = [],
): Promise<void> {
  const { state, nextTs, change } = context
  await change(async () => {
    const collection = state.collection(dbName, name)
    const wanted = partitions.map((partition) => state.partition(collection, partition).id)
    checkIndexes(context, collection)
    const before = state.load(collection.id)
    const partitionIds = [...new Set([...(before?.partitionIds ?? []), ...wanted])]
    if (before !== undefined && partitionIds.length === before.partitionIds.length) return []
    const wholeCollection = before?.wholeCollection ?? false
    return [loadRecord(collection, { collectionId: collection.id, replicaNumber, partitionIds, wholeCollection, loadedTs: await nextTs(), ...groupsOf(resourceGroups) })]
  })
}

function groupsOf(resourceGroups: readonly string[]): Pick<LoadMeta, 'resourceGroups'> {
  return resourceGroups.length === 0 ? {} : { resourceGroups }
}

export async function releaseCollection({ state, change }: CatalogContext, dbName: string, name: string): Promise<void> {
  await change(() => {
    const collection = state.collection(dbName, name)
    return state.load(collection.id) === undefined ? [] : [loadRecord(collection, undefined)]
  })
}

export async function releasePartitions(
  { state, change }: CatalogContext,
  dbName: string,
  name: string,
  partitions: readonly string[],
): Promise<void> {
  await change(() => {
    const collection = state.collection(dbName, name)
    const gone = partitions.map((partition) => state.partition(collection, partition).id)
    const before = state.load(collection.id)
    if (before === undefined) return []
    const partitionIds = before.partitionIds.filter((id) => !gone.includes(id))
    if (partitionIds.length === before.partitionIds.length) return []
    return [loadRecord(collection, partitionIds.length === 0 ? undefined : { ...before, partitionIds, wholeCollection: false })]
  })
}
