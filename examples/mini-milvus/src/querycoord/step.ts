/**
 * The life of a replica's targets, one step at a time: next -> loaded everywhere -> current -> retired -> dropped. Pure: the same
 * facts give the same step, whoever leads.
 */
import type { ReplicaRecord, ReplicaTarget } from '../model/target.ts'
import { balanceReplica } from './balance.ts'
import type { NodeLoads } from './loads.ts'
import { isSamePlacement, placeReplica, type WantedContents } from './place.ts'

/** What a node can serve of a collection now. */
export interface Holdings {
  /** Sealed segments that are loaded, deletes and all. */
  readonly segmentIds: ReadonlySet<bigint>
  /** By shard that it leads: every row above this, as far as the log was read, is here. */
  readonly growingFrom: ReadonlyMap<string, bigint>
}

export interface StepOptions {
  readonly record: ReplicaRecord
  readonly wanted: WantedContents
  /** Undefined for a node that did not say. */
  readonly holdings: (nodeId: bigint) => Holdings | undefined
  /** Whether a segment can still be read from the storage. */
  readonly exists: (segmentId: bigint) => boolean
  /** Whether a retired target has been kept for long enough. */
  readonly isOver: (version: number) => boolean
  readonly loads: NodeLoads
  readonly bytesOf: (segmentId: bigint) => number
  readonly maxMoves: number
  readonly tolerance: number
  /** Moves that somebody asked for, by segment. They come before all balance. */
  readonly moves?: ReadonlyMap<bigint, bigint> | undefined
}

/** The replica after the step; the same object where there is nothing to do. `nodeIds` of the record are those that live. */
export function stepReplica(options: StepOptions): ReplicaRecord {
  const { isOver } = options
  const kept = options.record.retired.filter(({ version }) => !isOver(version))
  const record = kept.length === options.record.retired.length ? options.record : { ...options.record, retired: kept }
  if (record.nodeIds.length === 0) return record.next === undefined ? record : { ...record, next: undefined }
  const { next } = record
  if (next === undefined) return planned(record, options)
  if (!isPossible(next, options)) return planned({ ...record, next: undefined }, options, next)
  if (!isLoaded(next, options)) return record
  return { ...record, current: next, next: undefined, retired: record.current === undefined ? kept : [...kept, record.current] }
}

/** @param failed what was on its way and will not do: what of it can stay where it was meant to be stays */
function planned(record: ReplicaRecord, options: StepOptions, failed?: ReplicaTarget): ReplicaRecord {
  const { wanted, loads, moves } = options
  const { current, nodeIds, lastVersion } = record
  const version = lastVersion + 1
  const placed = placeReplica({ wanted, nodeIds, before: [current, failed].filter((target) => target !== undefined), version, loads })
  if (current === undefined || !isSamePlacement(placed, current) || isLeftBehind(current, options)) return { ...record, next: placed, lastVersion: version }
  // Only what is at rest is moved.
  const better = moves === undefined ? balanceReplica({ ...options, target: placed, nodeIds }) : movedAs(placed, moves, nodeIds)
  return better === undefined ? record : { ...record, next: { ...better, version }, lastVersion: version }
}

function movedAs(target: ReplicaTarget, moves: ReadonlyMap<bigint, bigint>, nodeIds: readonly bigint[]): ReplicaTarget | undefined {
  const isMoved = ({ segmentId, nodeId }: ReplicaTarget['segments'][number]): boolean => {
    const to = moves.get(segmentId)
    return to !== undefined && to !== nodeId && nodeIds.includes(to)
  }
  if (!target.segments.some(isMoved)) return undefined
  return { ...target, segments: target.segments.map((place) => (isMoved(place) ? { ...place, nodeId: moves.get(place.segmentId) as bigint } : place)) }
}

/** A target that names a node that is gone, files that are gone, or less than is wanted by now, will never do. */
function isPossible(target: ReplicaTarget, options: StepOptions): boolean {
  const { record, wanted, holdings, exists } = options
  const nodes = new Set(record.nodeIds)
  if (target.shards.length !== wanted.shards.length || target.shards.some(({ leader }) => !nodes.has(leader))) return false
  if (target.wholeCollection !== wanted.wholeCollection || wanted.partitionIds.some((id) => !target.partitionIds.includes(id))) return false
  // Rows of a leader begin later: the flush has come to that by now, and another target does.
  if (isLeftBehind(target, options)) return false
  return target.segments.every(({ segmentId, nodeId }) => nodes.has(nodeId) && (exists(segmentId) || holdings(nodeId)?.segmentIds.has(segmentId) === true))
}

/** A leader that began anew has its rows only from a later flush on. */
function isLeftBehind(target: ReplicaTarget, { holdings, wanted }: StepOptions): boolean {
  const flushed = new Map(wanted.shards.map(({ vchannel, flushedTs }) => [vchannel, flushedTs]))
  return target.shards.some(({ vchannel, leader, flushedTs }) => {
    const from = holdings(leader)?.growingFrom.get(vchannel)
    return from !== undefined && from > flushedTs && (flushed.get(vchannel) ?? 0n) >= from
  })
}

export function isLoaded(target: ReplicaTarget, { holdings }: Pick<StepOptions, 'holdings'>): boolean {
  for (const { vchannel, leader, flushedTs } of target.shards) {
    const from = holdings(leader)?.growingFrom.get(vchannel)
    if (from === undefined || from > flushedTs) return false
  }
  return target.segments.every(({ segmentId, nodeId }) => holdings(nodeId)?.segmentIds.has(segmentId) === true)
}

/** 0 to 100: how much of the picture that is being loaded is there. */
export function loadedPercent({ current, next }: ReplicaRecord, holdings: (nodeId: bigint) => Holdings | undefined): number {
  if (current !== undefined) return 100
  if (next === undefined) return 0
  const parts = next.segments.length + next.shards.length
  const segments = next.segments.filter(({ segmentId, nodeId }) => holdings(nodeId)?.segmentIds.has(segmentId) === true).length
  const shards = next.shards.filter(({ vchannel, leader, flushedTs }) => (holdings(leader)?.growingFrom.get(vchannel) ?? flushedTs + 1n) <= flushedTs).length
  return Math.min(99, Math.floor((100 * (segments + shards)) / Math.max(1, parts)))
}
