/** Whether those who read a log channel keep up with it: told when that changes, with how far behind they were then. */
import type { Row } from 'timetick-insight/embed'

export type ChannelState = 'ok' | 'lagging' | 'stuck'

export interface LagLimits {
  readonly laggingMs: number
  readonly stuckMs: number
}

interface Standing extends Row {
  readonly state: ChannelState
  /** As they were when the state changed: what they are now is a gauge. */
  readonly lagMs: number | null
  readonly thresholdMs: number | null
}

const OK: Standing = { state: 'ok', lagMs: null, thresholdMs: null }

export class ChannelStates {
  readonly #standings = new Map<string, Standing>()

  /** @returns channels whose state is another one than before; one that is new is not among them */
  see(lags: ReadonlyMap<string, ReadonlyMap<string, number>>, limits: LagLimits): readonly string[] {
    const moved: string[] = []
    for (const [channel, readers] of lags) {
      const before = this.#standings.get(channel)
      const now = standingOf(Math.max(0, ...readers.values()), limits)
      if (before?.state === now.state) continue
      this.#standings.set(channel, now)
      if (before !== undefined) moved.push(channel)
    }
    for (const channel of this.#standings.keys()) if (!lags.has(channel)) this.#standings.delete(channel)
    return moved
  }

  of(channel: string): Row {
    return this.#standings.get(channel) ?? OK
  }
}

function standingOf(lagMs: number, { laggingMs, stuckMs }: LagLimits): Standing {
  if (lagMs >= stuckMs) return { state: 'stuck', lagMs, thresholdMs: stuckMs }
  return lagMs >= laggingMs ? { state: 'lagging', lagMs, thresholdMs: laggingMs } : OK
}
