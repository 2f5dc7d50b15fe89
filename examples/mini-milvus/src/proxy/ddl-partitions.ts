/** Partitions: create, drop, has, show, statistics. */
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { ErrorCode } from '../wire/index.ts'
import { collectionOf, ddl, type DdlOptions, utcMs } from './ddl-context.ts'
import { loadedPercentage } from './ddl-load.ts'
import { checkName } from './rpc-values.ts'

export function partitionHandlers(options: DdlOptions): WireHandlers {
  const { meta, catalog, progress } = options
  const refuseKeyed = (call: CallContext, name: string): void => {
    if (collectionOf(options, call, name).numPartitions === undefined) return
    throw new MilvusError(
      Code.ParameterInvalid,
      'not support manually specifying the partition names if partition key mode is used',
      ErrorCode.UnexpectedError,
    )
  }
  return {
    CreatePartition: ddl(async (request, call) => {
      checkName('partition name', request.partition_name)
      refuseKeyed(call, request.collection_name)
      await catalog.createPartition(call.dbName, request.collection_name, request.partition_name)
      return success()
    }),
    DropPartition: ddl(async (request, call) => {
      if (request.partition_name === '') throw invalid('partition name should not be empty')
      refuseKeyed(call, request.collection_name)
      await catalog.dropPartition(call.dbName, request.collection_name, request.partition_name)
      return success()
    }),
    HasPartition: ddl(async (request, call) => {
      if (request.partition_name === '') throw invalid('partition name should not be empty')
      const { partitions } = collectionOf(options, call, request.collection_name)
      return { value: partitions.some(({ name }) => name === request.partition_name) }
    }),
    ShowPartitions: ddl(async (request, call) => {
      const byId = request.collection_name === '' && request.collectionID !== 0n ? meta.collectionById(request.collectionID) : undefined
      const collection = byId?.dbName === call.dbName ? byId : collectionOf(options, call, request.collection_name)
      const named = request.partition_names.map((name) => meta.partition(collection, name))
      const all = named.length > 0 ? named : collection.partitions
      const load = meta.load(collection.id)
      const shown = request.type === 1 ? all.filter(({ id }) => load?.partitionIds.includes(id)) : all
      return {
        partition_names: shown.map(({ name }) => name),
        partitionIDs: shown.map(({ id }) => id),
        created_timestamps: shown.map(({ createdTs }) => createdTs),
        created_utc_timestamps: shown.map(({ createdTs }) => utcMs(createdTs)),
        inMemory_percentages: shown.map(({ id }) => BigInt(loadedPercentage(options, collection, [id]))),
      }
    }),
    GetPartitionStatistics: ddl(async (request, call) => {
      const collection = collectionOf(options, call, request.collection_name)
      const rows = await progress.rowCount(collection, meta.partition(collection, request.partition_name).id)
      return { stats: [{ key: 'row_count', value: String(rows) }] }
    }),
  }
}
