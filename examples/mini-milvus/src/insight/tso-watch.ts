/** Whether time moves as it should: looked at every second, told when that changes. */
import { parseTimestamp } from '@timetick/tso'
import type { Row } from 'timetick-insight/embed'

export type TsoTrouble = 'stall' | 'backward' | 'windowExhausted' | 'clockSkew'

/** No tick for so long is a stall. */
const STALL_MS = 5000
/** Ticks ahead of the machine's clock by more: the clock was set back. */
const SKEW_MS = 1000

export class TsoWatch {
  #last = 0n
  #movedAt: number | undefined

  /** @param lastTs the newest tick of all channels; 0n before the first. @param oracle what the oracle itself complains of */
  see(lastTs: bigint, nowMs: number, monotonicMs: number, oracle: 'clockSkew' | 'windowExhausted' | undefined): Row {
    const before = this.#last
    if (lastTs !== before || this.#movedAt === undefined) this.#movedAt = monotonicMs
    this.#last = lastTs
    const { physicalMs, logical } = parseTimestamp(lastTs)
    const kind = lastTs < before ? 'backward' : monotonicMs - this.#movedAt >= STALL_MS ? 'stall' : (oracle ?? (physicalMs - nowMs > SKEW_MS ? 'clockSkew' : undefined))
    return { id: 'tso', name: 'tso', anomaly: kind === undefined ? null : this.#told(kind, String(lastTs), physicalMs, Number(logical)) }
  }

  #anomaly: { readonly kind: TsoTrouble; readonly row: Row } | undefined

  /** As it was when it began: an anomaly that lasts is one fact, not one a second. */
  #told(kind: TsoTrouble, lastTs: string, physicalMs: number, logical: number): Row {
    if (this.#anomaly?.kind !== kind) this.#anomaly = { kind, row: { kind, lastTs, physicalMs, logical } }
    return this.#anomaly.row
  }
}
