/**
 * Manual compaction as RPC handlers. Segments are not compacted yet, so every job is one without plans: the counts say so, and
 * its state is what Milvus answers where there was nothing to do.
 */
import type { MetaReader } from '../coordinator/api.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import { CompactionState } from '../wire/index.ts'

export interface CompactionOptions {
  readonly meta: MetaReader
  readonly allocateId: () => Promise<bigint>
  /** Bytes at which a segment is sealed. */
  readonly segmentBytes: () => number
}

const MIB = 1024 * 1024

export function createCompactionHandlers({ meta, allocateId, segmentBytes }: CompactionOptions): WireHandlers {
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
        return { compactionID: await allocateId(), compactionPlanCount: 0 }
      },
    },
    GetCompactionState: {
      kind: 'ddl',
      async run({ compactionID }) {
        checkId(compactionID)
        return { state: CompactionState.Completed, executingPlanNo: 0n, timeoutPlanNo: 0n, completedPlanNo: 0n, failedPlanNo: 0n }
      },
    },
    GetCompactionStateWithPlans: {
      kind: 'ddl',
      async run({ compactionID }) {
        checkId(compactionID)
        return { state: CompactionState.Completed, mergeInfos: [] }
      },
    },
  }
}

function checkId(id: bigint): void {
  if (id <= 0n) throw new MilvusError(1100, `compactionID ${id} is not one that ManualCompaction gave`)
}
