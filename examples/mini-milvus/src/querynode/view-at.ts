/**
 * A segment as it was at a moment: what several nodes answer together must be of the same one, or an upsert could be seen on both
 * sides, or on neither. Costs nothing where nothing was written since.
 */
import type { Column } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { KeyIndex } from './key-index.ts'
import type { ScalarIndexes } from './scalar-indexes.ts'
import type { SegmentView } from './segment-view.ts'
import type { Tombstones } from './tombstones.ts'

/** Rows written after `afterTs` and not after `ts`, those alive that were at `ts`. Undefined where there can be none. */
export function growingViewAt(view: SegmentView, afterTs: bigint, ts: bigint): SegmentView | undefined {
  const begin = rowsThrough(view.timestamps, afterTs)
  const end = rowsThrough(view.timestamps, ts)
  return begin >= end ? undefined : viewOf(view, begin, end, ts)
}

/** All rows of a sealed segment: none was written after a moment that may be asked for. */
export function sealedViewAt(view: SegmentView, ts: bigint): SegmentView {
  return viewOf(view, 0, view.length, ts)
}

/** All that there is of segments, as it was at a moment. */
export function viewsAt(views: readonly SegmentView[], ts: bigint): SegmentView[] {
  return views.map((view) => (view.sealed ? sealedViewAt(view, ts) : growingViewAt(view, 0n, ts))).filter((view) => view !== undefined)
}

function viewOf(view: SegmentView, begin: number, end: number, ts: bigint): SegmentView {
  const tombstones = view.tombstones.at(ts, begin, end)
  return tombstones === view.tombstones && end === view.length ? view : new ViewAt(view, end, tombstones)
}

/** Rows ascend by timestamp: how many are at or below `ts`. */
function rowsThrough(timestamps: BigUint64Array, ts: bigint): number {
  let low = 0
  let high = timestamps.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((timestamps[middle] as bigint) <= ts) low = middle + 1
    else high = middle
  }
  return low
}

class ViewAt implements SegmentView {
  readonly length: number
  readonly tombstones: Tombstones
  readonly #view: SegmentView

  constructor(view: SegmentView, length: number, tombstones: Tombstones) {
    this.#view = view
    this.length = length
    this.tombstones = tombstones
  }

  get partitionId(): bigint {
    return this.#view.partitionId
  }

  get rowsTs(): bigint | undefined {
    return this.#view.rowsTs
  }

  get sealed(): boolean {
    return this.#view.sealed
  }

  get sortedByKey(): boolean {
    return this.#view.sortedByKey
  }

  get timestamps(): BigUint64Array {
    return this.#view.timestamps
  }

  get keys(): PrimaryKeys {
    return this.#view.keys
  }

  get keyIndex(): KeyIndex {
    return this.#view.keyIndex
  }

  get scalarIndexes(): ScalarIndexes | undefined {
    return this.#view.scalarIndexes
  }

  column(fieldId: number): Column | undefined {
    return this.#view.column(fieldId)
  }

  vectorSet(fieldId: number): string | undefined {
    return this.#view.vectorSet(fieldId)
  }

  hasIndex(fieldId: number): boolean {
    return this.#view.hasIndex(fieldId)
  }
}
