/** A made-up cluster for the planners: nodes that load at once what targets give them. */
import type { ReplicaRecord, ReplicaTarget } from '../../src/model/target.ts'
import { heldTargets } from '../../src/model/target.ts'
import { NodeLoads } from '../../src/querycoord/loads.ts'
import type { WantedContents } from '../../src/querycoord/place.ts'
import { stepReplica, type Holdings, type StepOptions } from '../../src/querycoord/step.ts'

export function contents(shards: number, segments: number, bytesOf: (i: number) => number = () => 100): WantedContents {
  return {
    partitionIds: [],
    wholeCollection: true,
    shards: Array.from({ length: shards }, (_, i) => ({ vchannel: `v${i}`, flushedTs: 10n })),
    segments: Array.from({ length: segments }, (_, i) => ({ segmentId: BigInt(i + 1), partitionId: 1n, vchannel: `v${i % shards}`, bytes: bytesOf(i) })),
  }
}

export function emptyReplica(nodeIds: readonly bigint[]): ReplicaRecord {
  return { replicaId: 1n, collectionId: 1n, resourceGroup: 'g', nodeIds, current: undefined, next: undefined, retired: [], lastVersion: 0 }
}

/** All that targets name is there. */
export function obedient(record: ReplicaRecord): StepOptions['holdings'] {
  return (nodeId) => holdingsOf(heldTargets(record), nodeId)
}

function holdingsOf(targets: readonly ReplicaTarget[], nodeId: bigint): Holdings {
  const growingFrom = new Map<string, bigint>()
  for (const { shards } of targets) for (const { vchannel, leader, flushedTs } of shards) if (leader === nodeId && flushedTs < (growingFrom.get(vchannel) ?? flushedTs + 1n)) growingFrom.set(vchannel, flushedTs)
  return { segmentIds: new Set(targets.flatMap(({ segments }) => segments.filter((place) => place.nodeId === nodeId).map(({ segmentId }) => segmentId))), growingFrom }
}

export function stepOptions(record: ReplicaRecord, wanted: WantedContents, more: Partial<StepOptions> = {}): StepOptions {
  const bytes = new Map(wanted.segments.map((segment) => [segment.segmentId, segment.bytes]))
  const bytesOf = (id: bigint): number => bytes.get(id) ?? 0
  const loads = new NodeLoads(record.nodeIds.map((nodeId) => ({ nodeId, capacity: 1 })))
  const target = record.next ?? record.current
  if (target !== undefined) loads.count(target, bytesOf)
  return { record, wanted, holdings: obedient(record), exists: (id) => bytes.has(id), isOver: () => true, loads, bytesOf, maxMoves: 20, tolerance: 0.1, ...more }
}

/** Steps until nothing changes any more. */
export function settle(record: ReplicaRecord, wanted: WantedContents, seen: (record: ReplicaRecord) => void = () => undefined): ReplicaRecord {
  for (let steps = 0; steps < 10_000; steps++) {
    const after = stepReplica(stepOptions(record, wanted))
    if (after === record) return record
    seen(after)
    record = after
  }
  throw new Error('it does not come to rest')
}

export function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
