/** What a rewrite leaves out because its time is over. */
import { pickRows, type StampedRows } from '../datanode/stamped-rows.ts'
import { expiryRule, TTL_SECONDS } from '../model/expiry.ts'
import type { CollectionMeta, SegmentMeta } from '../model/meta.ts'
import { type Pause, STEP_ROWS } from '../segment/index.ts'

export async function withoutExpired(rows: StampedRows, collection: CollectionMeta, now: number, pause: Pause): Promise<StampedRows> {
  const rule = expiryRule(collection)
  if (rule === undefined) return rows
  const expiryOf = rule.expiryOf(rows.timestamps, (fieldId) => rows.columns.get(fieldId))
  const alive: number[] = []
  for (let row = 0; row < rows.length; row++) {
    if (expiryOf(row) > now) alive.push(row)
    if ((row + 1) % STEP_ROWS === 0) await pause()
  }
  return alive.length === rows.length ? rows : pickRows(rows, Uint32Array.from(alive), pause)
}

/** A segment whose youngest row has outlived the collection's time: its file can go without being read again. */
export function expiredSegment(collection: CollectionMeta, segments: readonly SegmentMeta[], now: number): SegmentMeta | undefined {
  const rule = expiryRule(collection)
  if (rule?.name.startsWith(TTL_SECONDS) !== true) return undefined
  return segments.find(({ level, endTs }) => level === 'L1' && rule.expiryOf(BigUint64Array.of(endTs), () => undefined)(0) <= now)
}
