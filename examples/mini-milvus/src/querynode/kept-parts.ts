/** What a moment looks at, as it was then. */
import type { KeepableView } from './kept-views.ts'
import type { SegmentView } from './segment-view.ts'
import { growingViewAt, sealedViewAt } from './view-at.ts'

/** A segment of a moment: its rows written after `afterTs`, and not after the moment. */
export interface KeptPart {
  readonly view: KeepableView
  readonly afterTs: bigint
}

export function viewsOf(parts: readonly KeptPart[], ts: bigint): SegmentView[] {
  return parts.map(({ view, afterTs }) => (view.sealed ? sealedViewAt(view, ts) : growingViewAt(view, afterTs, ts))).filter((view) => view !== undefined)
}
