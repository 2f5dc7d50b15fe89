/** Moves that make a replica's nodes carry more alike: few at a time, and none for a difference that is not worth it. Pure. */
import type { ReplicaTarget } from '../model/target.ts'
import type { NodeLoads } from './loads.ts'

export interface BalanceOptions {
  readonly target: ReplicaTarget
  /** Nodes of the replica that live. */
  readonly nodeIds: readonly bigint[]
  /** Of all that they hold. What moves is moved in them too. */
  readonly loads: NodeLoads
  readonly bytesOf: (segmentId: bigint) => number
  readonly maxMoves: number
  /** Of the mean: a smaller difference between the heaviest and the lightest is left alone. */
  readonly tolerance: number
}

/** The target with some parts elsewhere, or undefined where all is well. */
export function balanceReplica(options: BalanceOptions): Omit<ReplicaTarget, 'version'> | undefined {
  const { target, nodeIds } = options
  if (nodeIds.length < 2) return undefined
  const moved = movedSegments(options)
  const shards = movedLeader(options)
  if (moved.size === 0 && shards === undefined) return undefined
  const segments = target.segments.map((place) => ({ ...place, nodeId: moved.get(place.segmentId) ?? place.nodeId }))
  return { ...target, shards: shards ?? target.shards, segments }
}

function movedSegments({ target, nodeIds, loads, bytesOf, maxMoves, tolerance }: BalanceOptions): Map<bigint, bigint> {
  const moved = new Map<bigint, bigint>()
  const held = new Map(nodeIds.map((id) => [id, [] as { readonly segmentId: bigint; readonly bytes: number }[]]))
  for (const { segmentId, nodeId } of target.segments) held.get(nodeId)?.push({ segmentId, bytes: bytesOf(segmentId) })
  for (const list of held.values()) list.sort((a, b) => b.bytes - a.bytes || (a.segmentId < b.segmentId ? -1 : 1))
  while (moved.size < maxMoves) {
    const [lightest, heaviest] = extremes(nodeIds, (id) => loads.bytes(id))
    const difference = loads.bytes(heaviest) - loads.bytes(lightest)
    const mean = nodeIds.reduce((sum, id) => sum + loads.bytes(id), 0) / nodeIds.length
    if (difference <= mean * tolerance) break
    const candidates = held.get(heaviest) ?? []
    // The largest that leaves the lightest below what the heaviest is now: each move makes it better, and none is undone.
    const at = candidates.findIndex(({ bytes }) => bytes > 0 && bytes / loads.capacity(lightest) < difference)
    const [segment] = at < 0 ? [] : candidates.splice(at, 1)
    if (segment === undefined) break
    loads.add(heaviest, -segment.bytes)
    loads.add(lightest, segment.bytes)
    moved.set(segment.segmentId, lightest)
  }
  return moved
}

/** One at a time: a new leader needs a flush. */
function movedLeader({ target, nodeIds, loads }: BalanceOptions): ReplicaTarget['shards'] | undefined {
  const [fewest, most] = extremes(nodeIds, (id) => loads.leaders(id))
  if (loads.leaders(most) - loads.leaders(fewest) <= 1 / Math.min(loads.capacity(most), loads.capacity(fewest))) return undefined
  const at = target.shards.findIndex(({ leader }) => leader === most)
  if (at < 0) return undefined
  loads.unlead(most)
  loads.lead(fewest)
  return target.shards.map((shard, i) => (i === at ? { ...shard, leader: fewest } : shard))
}

function extremes(nodeIds: readonly bigint[], loadOf: (id: bigint) => number): readonly [bigint, bigint] {
  let least = nodeIds[0] as bigint
  let most = least
  for (const id of nodeIds) {
    if (loadOf(id) < loadOf(least)) least = id
    if (loadOf(id) > loadOf(most)) most = id
  }
  return [least, most]
}
