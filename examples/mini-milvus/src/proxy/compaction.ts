/** Manual compaction as RPC handlers. Flushed segments alone are rewritten; what waits in memory is not its business. */
import type { CompactionMerge, CompactionRequest } from '../coordinator/compaction-requests.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import { CompactionState } from '../wire/index.ts'

export type CompactionProgress = Pick<Readonly<CompactionRequest>, 'state'> & { readonly merges: readonly CompactionMerge[] }

export interface CompactionOptions {
  readonly meta: MetaReader
  readonly compactor: () => {
    request(id: bigint, collectionId: bigint): boolean | Promise<boolean>
    requested(id: bigint): CompactionProgress | undefined | Promise<CompactionProgress | undefined>
  }
  readonly allocateId: () => Promise<bigint>
  /** Bytes at which a segment is sealed. */
  readonly segmentBytes: () => number
}

const MIB = 1024 * 1024

export function createCompactionHandlers({ meta, compactor, allocateId, segmentBytes }: CompactionOptions): WireHandlers {
  const requested = async (id: bigint): Promise<CompactionProgress> => {
    const found = await compactor().requested(id)
    if (found === undefined) throw new MilvusError(1100, `compaction ${id} is not known: it was asked for before the last start, or long ago, or never`)
    return found
  }
  return {
    ManualCompaction: {
      kind: 'ddl',
      async run(request, call) {
        const { collection_name: name, collectionID: id, target_size: target } = request
        const collection = name === '' ? meta.collectionById(id) : meta.collection(call.dbName, name)
        if (collection === undefined) throw new MilvusError(100, `collection not found[collection=${id}]`)
        const smallest = BigInt(Math.ceil(segmentBytes() / MIB))
        if (target < 0n || (target > 0n && target < smallest)) {
          throw new MilvusError(1100, `targetSize ${target} MB is less than the size of a segment, ${smallest} MB: invalid parameter`)
        }
        const compactionID = await allocateId()
        return { compactionID, compactionPlanCount: (await compactor().request(compactionID, collection.id)) ? 1 : 0 }
      },
    },
    GetCompactionState: {
      kind: 'ddl',
      async run({ compactionID }) {
        const { state, merges } = await requested(compactionID)
        return {
          state: stateOf(state),
          executingPlanNo: state === 'executing' ? 1n : 0n,
          timeoutPlanNo: 0n,
          completedPlanNo: BigInt(merges.length),
          failedPlanNo: state === 'failed' ? 1n : 0n,
        }
      },
    },
    GetCompactionStateWithPlans: {
      kind: 'ddl',
      async run({ compactionID }) {
        const { state, merges } = await requested(compactionID)
        return { state: stateOf(state), mergeInfos: merges.map(({ sources, target }) => ({ sources, target })) }
      },
    },
  }
}

/** Milvus knows two states; which plans failed is told by their number. */
function stateOf(state: CompactionRequest['state']): number {
  return state === 'executing' ? CompactionState.Executing : CompactionState.Completed
}
