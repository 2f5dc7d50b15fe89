/** Where the parts of a replica go: what lies well stays, the rest goes to the node with the least load, large parts first. Pure. */
import type { ReplicaTarget, SegmentPlace, ShardTarget } from '../model/target.ts'
import { LeastLoaded, type NodeLoads } from './loads.ts'

export interface WantedSegment {
  readonly segmentId: bigint
  readonly partitionId: bigint
  readonly vchannel: string
  readonly bytes: number
}

export interface WantedShard {
  readonly vchannel: string
  readonly flushedTs: bigint
}

/** What a replica is to serve now, after the metadata. */
export interface WantedContents {
  readonly partitionIds: readonly bigint[]
  readonly wholeCollection: boolean
  readonly shards: readonly WantedShard[]
  readonly segments: readonly WantedSegment[]
}

export interface PlaceOptions {
  readonly wanted: WantedContents
  /** Nodes of the replica that live; at least one. */
  readonly nodeIds: readonly bigint[]
  /** Where its parts are now. */
  readonly before: readonly ReplicaTarget[]
  readonly version: number
  /** Of all that the nodes hold, of whatever collection. What is placed is added. */
  readonly loads: NodeLoads
}

export function placeReplica({ wanted, nodeIds, before, version, loads }: PlaceOptions): ReplicaTarget {
  const mine = new Set(nodeIds)
  const leaders = new Map(before.flatMap(({ shards }) => shards.map(({ vchannel, leader }) => [vchannel, leader] as const)))
  const places = new Map(before.flatMap(({ segments }) => segments.map(({ segmentId, nodeId }) => [segmentId, nodeId] as const)))
  const stays = (nodeId: bigint | undefined): nodeId is bigint => nodeId !== undefined && mine.has(nodeId)
  const byLeaders = new LeastLoaded(nodeIds, (id) => loads.leaders(id))
  const shards = wanted.shards.map(({ vchannel, flushedTs }): ShardTarget => {
    const known = leaders.get(vchannel)
    const leader = stays(known) ? known : byLeaders.take(1)
    if (leader !== known) loads.lead(leader)
    return { vchannel, leader, flushedTs }
  })
  const byBytes = new LeastLoaded(nodeIds, (id) => loads.bytes(id))
  const homeless = wanted.segments.filter(({ segmentId }) => !stays(places.get(segmentId))).sort((a, b) => b.bytes - a.bytes || (a.segmentId < b.segmentId ? -1 : 1))
  const found = new Map<bigint, bigint>()
  for (const { segmentId, bytes } of homeless) {
    const nodeId = byBytes.take(bytes)
    loads.add(nodeId, bytes)
    found.set(segmentId, nodeId)
  }
  const segments = wanted.segments.map(({ segmentId, partitionId, vchannel }): SegmentPlace => ({ segmentId, partitionId, vchannel, nodeId: found.get(segmentId) ?? (places.get(segmentId) as bigint) }))
  return { version, partitionIds: wanted.partitionIds, wholeCollection: wanted.wholeCollection, shards, segments }
}

/** Whether they differ in more than version and how far shards were flushed. */
export function isSamePlacement(a: ReplicaTarget, b: ReplicaTarget): boolean {
  return (
    a.wholeCollection === b.wholeCollection &&
    sameItems(a.partitionIds, b.partitionIds, (id) => id, (id) => id) &&
    sameItems(a.shards, b.shards, ({ vchannel }) => vchannel, ({ leader }) => leader) &&
    sameItems(a.segments, b.segments, ({ segmentId }) => segmentId, ({ nodeId }) => nodeId)
  )
}

function sameItems<T>(a: readonly T[], b: readonly T[], key: (item: T) => unknown, value: (item: T) => unknown): boolean {
  if (a.length !== b.length) return false
  const values = new Map(a.map((item) => [key(item), value(item)]))
  return b.every((item) => values.get(key(item)) === value(item))
}
