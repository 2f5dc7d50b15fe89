/** Which rows of a segment a request may return: alive, and TRUE under its filter. */
import type { NodeClock } from '../edge/system.ts'
import type { CompiledFilter } from '../filter/index.ts'
import type { SegmentView } from './segment-view.ts'

export interface RowMask {
  /** One byte a row, 1: may be returned. Undefined: every row. */
  readonly bytes: Uint8Array | undefined
  readonly count: number
}

const SLICE_ROWS = 16_384
const SLICE_MS = 5

/** Long filters give the event loop a turn every few milliseconds. */
export async function rowMask(view: SegmentView, filter: CompiledFilter | undefined, clock: NodeClock): Promise<RowMask> {
  const { length, tombstones } = view
  if (filter === undefined) {
    if (tombstones.deadCount === 0) return { bytes: undefined, count: length }
    return { bytes: tombstones.alive.slice(0, length), count: length - tombstones.deadCount }
  }
  const bytes = new Uint8Array(length)
  const dead = tombstones.deadCount > 0
  const alive = tombstones.alive
  let count = 0
  let sliceStart = clock.monotonic()
  for (let begin = 0; begin < length; begin += SLICE_ROWS) {
    const end = Math.min(begin + SLICE_ROWS, length)
    const slice = bytes.subarray(begin, end)
    filter.evaluate(view, begin, end, slice)
    for (let row = 0; row < slice.length; row++) {
      if (slice[row] === 0) continue
      if (dead && alive[begin + row] === 0) slice[row] = 0
      else count++
    }
    if (end < length && clock.monotonic() - sliceStart > SLICE_MS) {
      await clock.yieldToLoop()
      sliceStart = clock.monotonic()
    }
  }
  return { bytes, count }
}
