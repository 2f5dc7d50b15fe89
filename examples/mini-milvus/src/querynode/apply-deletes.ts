import { primaryKeyAt } from '../model/primary-keys.ts'
import type { DeleteRecord, SegmentView } from './segment-view.ts'

/**
 * Kill the rows that a delete reaches: same key, written before it. Idempotent.
 * @param isDated whether somebody may still look at the moment before it
 * @returns how many died.
 */
export function applyDelete(segment: SegmentView, { partitionId, keys, ts }: DeleteRecord, isDated = false): number {
  if (segment.length === 0 || (partitionId !== 0n && partitionId !== segment.partitionId)) return 0
  let killed = 0
  for (let index = 0; index < keys.length; index++) {
    for (const row of segment.keyIndex.rows(primaryKeyAt(keys, index))) {
      if ((segment.timestamps[row] as bigint) < ts && segment.tombstones.kill(row, isDated ? ts : undefined)) killed++
    }
  }
  return killed
}

/** Kill what was written at or below `ts`. Idempotent. */
export function applyTruncation({ timestamps, tombstones }: SegmentView, ts: bigint): void {
  if (ts === 0n) return
  for (let row = 0; row < timestamps.length; row++) if ((timestamps[row] as bigint) <= ts) tombstones.kill(row)
}
