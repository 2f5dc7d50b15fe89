/** What a reader of committed records sees of batches as they lie in the log. */
import type { FetchedPartition } from './types.ts'

const TRANSACTIONAL = 0x10
const CONTROL = 0x20
const ABORT_MARKER = 0

export interface Visible {
  readonly offsets: number[]
  readonly frames: Uint8Array[]
  /** The last offset that was looked at, or -1. */
  readonly last: number
}

/**
 * Control records and those of aborted transactions are left out. The broker names the producer and the first offset of each aborted
 * transaction of the range; it ends at that producer's next marker.
 * @param from what lies below was read before: a batch comes whole, also when it is asked for from its middle.
 */
export function visibleRecords({ records = [], abortedTransactions }: FetchedPartition, from: number): Visible {
  const toCome = [...abortedTransactions].sort((a, b) => Number(a.firstOffset - b.firstOffset))
  const aborted = new Set<bigint>()
  const seen: { offsets: number[]; frames: Uint8Array[]; last: number } = { offsets: [], frames: [], last: -1 }
  for (const batch of records) {
    const first = Number(batch.firstOffset)
    const last = first + batch.lastOffsetDelta
    seen.last = Math.max(seen.last, last)
    while (toCome[0] !== undefined && Number(toCome[0].firstOffset) <= last) aborted.add((toCome.shift() as (typeof toCome)[0]).producerId)
    if ((batch.attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch.records[0]?.key)) aborted.delete(batch.producerId)
      continue
    }
    if ((batch.attributes & TRANSACTIONAL) !== 0 && aborted.has(batch.producerId)) continue
    for (const record of batch.records) {
      const offset = first + record.offsetDelta
      if (offset < from) continue
      seen.offsets.push(offset)
      seen.frames.push(record.value ?? new Uint8Array(0))
    }
  }
  return seen
}

/** A marker's key: two bytes of version, two bytes of type. */
function isAbortMarker(key: Uint8Array | null | undefined): boolean {
  return key !== null && key !== undefined && key.length >= 4 && key[2] === 0 && key[3] === ABORT_MARKER
}
