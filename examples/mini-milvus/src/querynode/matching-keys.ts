/** The keys of all rows that a filter names, in pieces and in no order: what a delete needs, however many they are. */
import { gatherColumn } from '../codec/gather.ts'
import type { NodeClock } from '../edge/system.ts'
import type { CompiledFilter } from '../filter/index.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import { rowMask, type RowMask } from './row-mask.ts'
import type { SegmentView } from './segment-view.ts'

/** A delete of so many keys is applied within some milliseconds, also where a hundred chunks of growing rows may have them. */
const PIECE_KEYS = 4096

export async function matchingKeys(clock: NodeClock, views: readonly SegmentView[], filter: CompiledFilter | undefined, signal: AbortSignal): Promise<PrimaryKeys[]> {
  // In one step: a row that moves between segments is seen once.
  const masks = await Promise.all(views.map((view) => rowMask(view, filter, clock)))
  const pieces: PrimaryKeys[] = []
  for (const [index, view] of views.entries()) {
    for (const rows of rowPieces(masks[index] as RowMask)) {
      signal.throwIfAborted()
      pieces.push(gatherColumn<PrimaryKeys>(view.keys, rows))
      await clock.yieldToLoop()
    }
  }
  return pieces
}

/** Rows of a mask, at most {@link PIECE_KEYS} at a time. */
function* rowPieces({ bytes, count, length }: RowMask): Generator<Uint32Array> {
  let row = 0
  for (let left = count; left > 0; left -= PIECE_KEYS) {
    const rows = new Uint32Array(Math.min(left, PIECE_KEYS))
    let at = 0
    for (; at < rows.length && row < length; row++) if (bytes === undefined || bytes[row] === 1) rows[at++] = row
    yield rows.subarray(0, at)
  }
}
