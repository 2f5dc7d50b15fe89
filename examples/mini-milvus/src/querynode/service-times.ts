/** How far each log channel of a query node has been applied, and who waits for it. */
import { ServiceTime } from '../channel/service-time.ts'
import type { NodeClock } from '../edge/system.ts'
import { underSignals } from '../internal/under-signals.ts'
import { MilvusError } from '../server/status.ts'

export interface ServiceTimesOptions {
  readonly pchannels: readonly string[]
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** How long a read waits for the timestamp that it must see. */
  readonly maxWaitMs: number
  readonly requestTick: (pchannels: readonly string[], atLeast: bigint) => void
  /** Ends all waiting. */
  readonly closing: AbortSignal
}

export class ServiceTimes {
  readonly channels: ReadonlyMap<string, ServiceTime>
  readonly #options: ServiceTimesOptions

  constructor(options: ServiceTimesOptions) {
    this.#options = options
    this.channels = new Map(options.pchannels.map((channel) => [channel, new ServiceTime()]))
  }

  of(channel: string): ServiceTime {
    const serviceTime = this.channels.get(channel)
    if (serviceTime === undefined) throw new Error(`channel ${channel} is not one of this node's`)
    return serviceTime
  }

  least(channels: ReadonlySet<string>): bigint {
    return [...channels].map((channel) => this.of(channel).ts).reduce((a, b) => (a < b ? a : b))
  }

  /** Wait until the channels are applied up to `ts`, asking for ticks rather than waiting for their period. */
  async wait(channels: ReadonlySet<string>, ts: bigint, signal: AbortSignal): Promise<void> {
    const behind = [...channels].filter((channel) => this.of(channel).ts < ts)
    if (behind.length === 0) return
    const { requestTick, clock, maxWaitMs, closing } = this.#options
    requestTick(behind, ts)
    // A log that can no longer be written gives no ticks: better a refusal than a client that hangs.
    const tooLong = new AbortController()
    const cancelTimer = clock.setTimer(() => tooLong.abort(new MilvusError(1, `service not ready: the log of ${behind.join(', ')} has not moved for ${maxWaitMs} ms`)), maxWaitMs)
    try {
      await underSignals([signal, tooLong.signal, closing], (either) => Promise.all(behind.map((channel) => this.of(channel).wait(ts, either))))
    } finally {
      cancelTimer()
    }
  }
}
