import { sliceColumn } from '../codec/slice.ts'
import type { SegmentMeta } from '../model/meta.ts'
import { StepMeter, type Steps } from '../segment/steps.ts'
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

/** Of one delete, before the meter is asked. */
const KEYS_AT_ONCE = 4096

/** The same in steps: it may name more keys than a turn of the event loop can look up. */
export function* deleteSteps(segment: SegmentView, record: DeleteRecord, isDated: boolean, meter: StepMeter): Steps<void> {
  for (let begin = 0; begin < record.keys.length; begin += KEYS_AT_ONCE) {
    const keys = sliceColumn(record.keys, begin, Math.min(record.keys.length, begin + KEYS_AT_ONCE))
    applyDelete(segment, { ...record, keys }, isDated)
    if (meter.spend(keys.length)) yield
  }
}

export function* allDeleteSteps(segment: SegmentView, records: readonly DeleteRecord[], isDated: () => boolean): Steps<void> {
  const meter = new StepMeter()
  for (const record of records) yield* deleteSteps(segment, record, isDated(), meter)
}

/** Kill what was written at or below `ts`. Idempotent. All rows of the segment were written after `startTs` and not after `endTs`. */
export function applyTruncation({ timestamps, tombstones }: SegmentView, { startTs, endTs }: Pick<SegmentMeta, 'startTs' | 'endTs'>, ts: bigint): void {
  if (ts <= startTs) return
  if (endTs <= ts) return tombstones.killAll()
  for (let row = 0; row < timestamps.length; row++) if ((timestamps[row] as bigint) <= ts) tombstones.kill(row)
}
