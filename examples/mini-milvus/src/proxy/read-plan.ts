/** How a read is divided among the query nodes of a replica. Pure. */
import type { CollectionMeta, LoadMeta } from '../model/meta.ts'
import type { ReplicaTarget } from '../model/target.ts'
import type { ReadScope } from '../querynode/scope.ts'

export interface PlannedPart {
  readonly nodeId: bigint
  readonly scope: ReadScope
}

export interface ReadPlanOptions {
  readonly target: ReplicaTarget
  readonly collection: CollectionMeta
  readonly load: LoadMeta
  /** Undefined: all that are loaded. */
  readonly partitionIds: readonly bigint[] | undefined
  readonly ignoreGrowing: boolean
  /** Everything at or below must be seen. */
  readonly ts: bigint
}

/** Undefined where the target does not cover the partitions: another is on its way. At least one part. */
export function planRead({ target, collection, load, partitionIds, ignoreGrowing, ts: asked }: ReadPlanOptions): PlannedPart[] | undefined {
  const existing = collection.partitions.map(({ id }) => id).filter((id) => load.wholeCollection || load.partitionIds.includes(id))
  const wanted = partitionIds ?? existing
  if (!load.wholeCollection !== !target.wholeCollection && !target.wholeCollection) return undefined
  if (!target.wholeCollection && wanted.some((id) => !target.partitionIds.includes(id))) return undefined
  if (target.shards.length !== collection.shards.length) return undefined
  const isWanted = new Set(wanted)
  // Before a flush of the target its segments say nothing: what died before it is not in them.
  const ts = target.shards.reduce((greatest, { flushedTs }) => (flushedTs > greatest ? flushedTs : greatest), asked)
  const parts = new Map<bigint, { segmentIds: bigint[]; growing: { vchannel: string; afterTs: bigint }[] }>()
  const partOf = (nodeId: bigint): { segmentIds: bigint[]; growing: { vchannel: string; afterTs: bigint }[] } => {
    let part = parts.get(nodeId)
    if (part === undefined) parts.set(nodeId, (part = { segmentIds: [], growing: [] }))
    return part
  }
  for (const { segmentId, partitionId, nodeId } of target.segments) if (isWanted.has(partitionId)) partOf(nodeId).segmentIds.push(segmentId)
  if (!ignoreGrowing || parts.size === 0) for (const { vchannel, leader, flushedTs } of target.shards) partOf(leader).growing.push({ vchannel, afterTs: flushedTs })
  return [...parts].map(([nodeId, part]) => ({ nodeId, scope: { ts, ...part } }))
}
