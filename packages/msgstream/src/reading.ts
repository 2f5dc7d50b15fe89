/** What a reader of a stream may ask for, and what it can learn about itself. */
import type { MsgPosition, Timestamp } from './message.ts'
import type { MessageId } from './mq.ts'

/**
 * Where committed positions are kept: in the state that a pack's effects change, so that both change together (then every
 * message counts exactly once), or beside it, e.g. `createChannelPositionStore`.
 */
export interface PositionStore {
  /** What was saved last under this name; empty when nothing was. */
  load(subscription: string): Promise<readonly MsgPosition[]>
  /** One position per channel of the stream, always all of them. Calls come one after the other. */
  save(subscription: string, positions: readonly MsgPosition[]): Promise<void>
}

/**
 * When positions go to the store: never (`none`); a pack's when the next one is asked for (`auto`); on `commit` (`position`);
 * when all messages up to there were given to `acknowledge`, in any order (`individual`).
 */
export type AckMode = 'none' | 'auto' | 'position' | 'individual'

/** What becomes of a channel that brings nothing while its reader waits for it. */
export interface IdlePolicy {
  /** This long without a frame. Noticed up to a quarter later. */
  readonly afterMs: number
  /**
   * `wait`: it goes on to hold the frontier back (and `onStall` is told). `exclude`: the frontier goes on without it until it
   * brings something; what it then brings below the frontier is late data. At least one channel always counts.
   */
  readonly mode: 'wait' | 'exclude'
}

/** A channel that holds the frontier back and brings nothing. */
export interface ChannelStall {
  readonly channel: string
  readonly tick: Timestamp
  readonly silentMs: number
}

export interface ChannelMetrics {
  readonly channel: string
  /** Everything at or below came; of a `MsgStream` always 0n. */
  readonly tick: Timestamp
  /** Wall clock minus the tick's milliseconds, at least 0; `undefined` before the first tick. */
  readonly lagMs: number | undefined
  /** What was read and not given out yet. */
  readonly bufferedMessages: number
  readonly bufferedBytes: number
  /** Frames read since `asConsumer`, ticks among them. */
  readonly readFrames: number
  readonly readBytes: number
  readonly paused: boolean
  /** Left out of the frontier by the idle policy. */
  readonly idle: boolean
  /** How often retention overtook this reader (`onExpired`). */
  readonly expired: number
}

export interface StreamMetrics {
  readonly packs: number
  readonly messages: number
  /** Late messages, whatever became of them. */
  readonly late: number
  readonly frontier: Timestamp
  /** Wall clock minus the frontier's milliseconds; `undefined` before the first pack. */
  readonly frontierLagMs: number | undefined
  /** Packs of individual acknowledgement that are not settled. */
  readonly unacknowledgedPacks: number
  readonly channels: readonly ChannelMetrics[]
}

/** How far a reader is behind what is written. */
export interface ChannelLag {
  readonly channel: string
  readonly position: MsgPosition
  readonly latest: MessageId | undefined
  /** Frames that were not given out, ticks among them; `undefined` where the backend's ids do not count. */
  readonly frames: number | undefined
}
