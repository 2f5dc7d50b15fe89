/** Kills the rows of segments whose time is over, before they are read. What is not due yet costs nothing. */
import type { ExpiryRule } from '../model/expiry.ts'
import type { SegmentView } from './segment-view.ts'

interface Known {
  readonly rule: string
  /** Rows that were looked at. */
  readonly length: number
  /** When the next of them expires. */
  readonly next: number
}

const known = new WeakMap<SegmentView, Known>()

export function expireRows(view: SegmentView, rule: ExpiryRule, now: number): void {
  const before = known.get(view)
  const isNew = before === undefined || before.rule !== rule.name
  const begin = isNew || now >= before.next ? 0 : before.length
  if (begin === view.length && !isNew) return
  const { tombstones } = view
  const expiryOf = rule.expiryOf(view.timestamps, (fieldId) => view.column(fieldId))
  let next = begin === 0 ? Infinity : (before?.next ?? Infinity)
  for (let row = begin; row < view.length; row++) {
    const at = expiryOf(row)
    if (at <= now) tombstones.kill(row)
    else if (at < next) next = at
  }
  known.set(view, { rule: rule.name, length: view.length, next })
}
