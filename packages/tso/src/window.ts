/**
 * The oracle's arithmetic, without time and without a store: two numbers that advance in the two cases of appendix
 * A.6.1 and in no other, below the end of what was saved. Logical 0 is never handed out (as in Milvus), so
 * `composeTimestamp(ms, 0)` lies before everything of that millisecond.
 */
import { MAX_LOGICAL, compose } from './timestamp.ts'
import { BigintRange } from './range.ts'

export class OracleWindow {
  physicalMs = 0
  /** The last logical part handed out. */
  logical = 0
  /** Saved: served physical parts are below it. */
  endMs = 0
  /** An overflow does not go beyond: load alone must not run into the future. */
  paceMs = Infinity

  /** `count` timestamps (1 to MAX_LOGICAL) of one millisecond, or nothing when the window does not hold them. */
  take(count: number, wallMs: number): BigintRange | undefined {
    // What was saved lies behind the clock: another oracle may have gone on from there, so save before serving.
    if (wallMs >= this.endMs) return undefined
    if (wallMs > this.physicalMs) {
      this.physicalMs = wallMs
      this.logical = 0
    } else if (this.logical + count > MAX_LOGICAL) {
      if (this.physicalMs + 1 >= this.endMs || this.physicalMs >= this.paceMs) return undefined
      this.physicalMs += 1
      this.logical = 0
    }
    const first = this.logical + 1
    this.logical += count
    return new BigintRange(compose(this.physicalMs, first), count)
  }

  /** Serve from `physicalMs` on; never moves back. */
  raise(physicalMs: number): void {
    if (physicalMs <= this.physicalMs) return
    this.physicalMs = physicalMs
    this.logical = 0
  }

  /** A save up to here is known to be in the store under our name. */
  publish(endMs: number): void {
    if (endMs > this.endMs) this.endMs = endMs
  }
}
