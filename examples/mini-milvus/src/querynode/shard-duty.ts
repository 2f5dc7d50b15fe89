/** What of a shard a query node has to be able to serve, after all targets that are in use. */
import { heldTargets, type ReplicaRecord } from '../model/target.ts'

export interface ShardDuty {
  readonly segmentIds: ReadonlySet<bigint>
  /** Growing rows above this are kept; undefined where another node leads the shard. */
  readonly growingAfter: bigint | undefined
}

/** By virtual channel; shards that the node has nothing to do with are missing. */
export function shardDuties(replicas: readonly ReplicaRecord[], nodeId: bigint): ReadonlyMap<string, ShardDuty> {
  const duties = new Map<string, { segmentIds: Set<bigint>; growingAfter: bigint | undefined }>()
  const dutyOf = (vchannel: string): { segmentIds: Set<bigint>; growingAfter: bigint | undefined } => {
    let duty = duties.get(vchannel)
    if (duty === undefined) duties.set(vchannel, (duty = { segmentIds: new Set(), growingAfter: undefined }))
    return duty
  }
  for (const record of replicas) {
    for (const { shards, segments } of heldTargets(record)) {
      for (const { vchannel, leader, flushedTs } of shards) {
        if (leader !== nodeId) continue
        const duty = dutyOf(vchannel)
        if (duty.growingAfter === undefined || flushedTs < duty.growingAfter) duty.growingAfter = flushedTs
      }
      for (const { segmentId, vchannel, nodeId: holder } of segments) if (holder === nodeId) dutyOf(vchannel).segmentIds.add(segmentId)
    }
  }
  return duties
}

export const NO_DUTY: ShardDuty = { segmentIds: new Set(), growingAfter: undefined }
