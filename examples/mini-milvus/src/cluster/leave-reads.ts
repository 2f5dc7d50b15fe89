/** A query node that stops waits until others have what it holds: no read comes to it any more. */
import type { NodeClock } from '../edge/system.ts'
import { heldTargets, type ReplicaRecord, type TargetReader } from '../model/target.ts'
import type { Directory } from './directory.ts'

export interface LeaveOptions {
  readonly nodeId: bigint
  readonly targets: TargetReader & { collectionIds(): readonly bigint[] }
  readonly directory: Directory
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** After so long it goes anyway. */
  readonly timeoutMs: number
}

/** Resolves at once where there is nobody to take anything over. */
export function leaveReads({ nodeId, targets, directory, clock, timeoutMs }: LeaveOptions): Promise<void> {
  const isFree = (): boolean => {
    const others = directory.members('query').some((member) => member.nodeId !== nodeId && !member.stopping)
    return !others || directory.members('coordinator').length === 0 || !targets.collectionIds().some((id) => targets.replicas(id).some((record) => isNeeded(record, nodeId)))
  }
  return new Promise((resolve) => {
    const stops: (() => void)[] = []
    const done = (): void => {
      for (const stop of stops.splice(0)) stop()
      resolve()
    }
    const look = (): void => {
      if (isFree()) done()
    }
    stops.push(targets.onChange(look), directory.onChange(look), clock.setTimer(done, timeoutMs))
    look()
  })
}

/** A replica that has no other node keeps none waiting. */
function isNeeded(record: ReplicaRecord, nodeId: bigint): boolean {
  if (record.nodeIds.length === 0) return false
  return heldTargets(record).some(({ shards, segments }) => shards.some(({ leader }) => leader === nodeId) || segments.some((place) => place.nodeId === nodeId))
}
