import type { SegmentMeta } from '../model/meta.ts'
import type { DeleteRecord, SegmentView } from './segment-view.ts'

/**
 * Kill the rows that a delete reaches: same key, written before it. Idempotent.
 * @param isDated whether somebody may still look at the moment before it
 * @returns how many died.
 */
export function applyDelete(segment: SegmentView, { partitionId, keys, ts }: DeleteRecord, isDated = false): number {
  if (segment.length === 0 || (partitionId !== 0n && partitionId !== segment.partitionId)) return 0
  let killed = 0
  const { timestamps, tombstones } = segment
  segment.keyIndex.forEach(keys, (row) => {
    if ((timestamps[row] as bigint) < ts && tombstones.kill(row, isDated ? ts : undefined)) killed++
  })
  return killed
}

/** Kill what was written at or below `ts`. Idempotent. All rows of the segment were written after `startTs` and not after `endTs`. */
export function applyTruncation({ timestamps, tombstones }: SegmentView, { startTs, endTs }: Pick<SegmentMeta, 'startTs' | 'endTs'>, ts: bigint): void {
  if (ts <= startTs) return
  if (endTs <= ts) return tombstones.killAll()
  for (let row = 0; row < timestamps.length; row++) if ((timestamps[row] as bigint) <= ts) tombstones.kill(row)
}
