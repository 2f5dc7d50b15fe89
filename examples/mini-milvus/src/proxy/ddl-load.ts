/** Load and release, and how far they are. */
import type { CollectionMeta } from '../model/meta.ts'
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { LoadState } from '../wire/index.ts'
import { collectionOf, ddl, type DdlOptions } from './ddl-context.ts'

/** 0 where nothing of these partitions is asked to be loaded; without a list: of what is. */
export function loadedPercentage({ meta, progress }: DdlOptions, collection: CollectionMeta, partitionIds?: readonly bigint[]): number {
  const load = meta.load(collection.id)
  if (load === undefined) return 0
  const wanted = partitionIds ?? load.partitionIds
  if (wanted.length === 0 || wanted.some((id) => !load.partitionIds.includes(id))) return 0
  return Math.max(0, Math.min(100, Math.floor(progress.loadProgress(collection, wanted))))
}

function partitionIdsOf({ meta }: DdlOptions, collection: CollectionMeta, names: readonly string[]): readonly bigint[] | undefined {
  return names.length === 0 ? undefined : names.map((name) => meta.partition(collection, name).id)
}

function replicas(options: DdlOptions, asked: number): number {
  const most = options.maxReplicas?.() ?? 1
  if (asked < 0) throw invalid(`replica number must not be negative, got ${asked}`)
  if (asked > most) {
    throw new MilvusError(
      Code.Unexpected,
      `when load ${asked} replica count: service resource insufficient[currentQueryNode=${most}][expectedQueryNode=${asked}]`,
    )
  }
  return asked || 1
}

export function loadHandlers(options: DdlOptions): WireHandlers {
  const { meta, catalog } = options
  const checkPartitions = (names: readonly string[]): void => {
    if (names.length === 0) throw invalid('partition names should not be empty')
  }
  const state = (call: CallContext, name: string, partitions: readonly string[]): number => {
    const collection = meta.findCollection(call.dbName, name)
    if (collection === undefined) return LoadState.LoadStateNotExist
    const wanted = partitionIdsOf(options, collection, partitions)
    const load = meta.load(collection.id)
    if (load === undefined || wanted?.some((id) => !load.partitionIds.includes(id)) === true) return LoadState.LoadStateNotLoad
    return loadedPercentage(options, collection, wanted) === 100 ? LoadState.LoadStateLoaded : LoadState.LoadStateLoading
  }
  return {
    LoadCollection: ddl(async (request, call) => {
      await catalog.loadCollection(call.dbName, request.collection_name, replicas(options, request.replica_number), request.resource_groups)
      return success()
    }),
    ReleaseCollection: ddl(async (request, call) => {
      await catalog.releaseCollection(call.dbName, request.collection_name)
      return success()
    }),
    LoadPartitions: ddl(async (request, call) => {
      checkPartitions(request.partition_names)
      await catalog.loadPartitions(call.dbName, request.collection_name, request.partition_names, replicas(options, request.replica_number), request.resource_groups)
      return success()
    }),
    ReleasePartitions: ddl(async (request, call) => {
      checkPartitions(request.partition_names)
      await catalog.releasePartitions(call.dbName, request.collection_name, request.partition_names)
      return success()
    }),
    GetLoadState: ddl(async (request, call) => {
      meta.database(call.dbName)
      return { state: state(call, request.collection_name, request.partition_names) }
    }),
    GetLoadingProgress: ddl(async (request, call) => {
      const collection = collectionOf(options, call, request.collection_name)
      const wanted = partitionIdsOf(options, collection, request.partition_names)
      const load = meta.load(collection.id)
      if (load === undefined || wanted?.some((id) => !load.partitionIds.includes(id)) === true) {
        throw new MilvusError(Code.CollectionNotLoaded, `collection not loaded[collection=${collection.schema.name}]`)
      }
      const percentage = loadedPercentage(options, collection, wanted)
      return { progress: BigInt(percentage), refresh_progress: BigInt(percentage) }
    }),
  }
}
