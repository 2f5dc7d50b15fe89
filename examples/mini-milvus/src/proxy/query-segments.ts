/** What is in memory, for GetQuerySegmentInfo. */
import type { MetaReader } from '../coordinator/api.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { WireHandlers } from '../server/handlers.ts'

/** `common.SegmentState`. */
const SEALED = 3
const GROWING = 2

export function createSegmentHandlers({ meta, queryNode }: { readonly meta: MetaReader; readonly queryNode: QueryNodeApi }): WireHandlers {
  return {
    GetQuerySegmentInfo: {
      kind: 'dql',
      run: async (request, call) => {
        const collection = meta.collection(request.dbName === '' ? call.dbName : request.dbName, request.collectionName)
        const [index] = meta.indexes(collection.id)
        return {
          infos: queryNode.segments(collection.id).map((segment) => ({
            segmentID: segment.segmentId,
            collectionID: collection.id,
            partitionID: segment.partitionId,
            num_rows: BigInt(segment.rows),
            index_name: index?.name ?? '',
            indexID: index?.id ?? 0n,
            nodeID: segment.nodeIds[0] ?? 0n,
            state: segment.sealed ? SEALED : GROWING,
            nodeIds: segment.nodeIds,
            is_sorted: segment.sealed,
          })),
        }
      },
    },
  }
}
