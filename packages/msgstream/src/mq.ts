/// <reference lib="esnext.disposable" />
/**
 * The driver contract: what a queue must do so that {@link MsgStream} and {@link TtMsgStream} work over it.
 *
 * A *channel* is one ordered log of frames (opaque bytes). An {@link MessageId} names a frame's place in it.
 * Each sentence that starts with "Must" is a test in `testMq` (`@timetick/msgstream/testing`).
 */
import type { MqFeatures } from './features.ts'

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * A place in a channel: fixed-width big-endian bytes, so that comparing bytes compares places (see `compareMessageIds`).
 * Ids of different backends never compare: `backend` tells them apart.
 */
export interface MessageId {
  readonly backend: string
  readonly bytes: Uint8Array
}

/** Where a reader starts. `after` begins behind the id, `from` with it, both by comparing ids, never by "drop the first". */
export type StartPosition =
  | { readonly at: 'earliest' }
  | { readonly at: 'latest' }
  | { readonly from: MessageId }
  | { readonly after: MessageId }

/** Frames in log order with their ids; `ids.length === frames.length`. Frames are read-only views, valid while referenced. */
export interface MqBatch {
  readonly ids: readonly MessageId[]
  readonly frames: readonly Uint8Array[]
}

export interface MqProducer extends AsyncDisposable {
  readonly channel: string
  /**
   * Append frames, in order, contiguous. Resolves when they are as durable as `features.durability` says.
   * Must keep the order of calls, also of calls that were not awaited. Must assign ids in that order.
   * Must not see what the caller does to the frames after the call.
   * A failure says `outcome`; after 'unknown' this producer is failed for good.
   * An abort after the frames were taken over rejects too; whether they become durable is then unknown.
   */
  send(frames: readonly Uint8Array[], options?: CallOptions): Promise<MessageId[]>
  /**
   * Hand a frame to readers that tail the channel right now, in order with the durable frames, storing nothing.
   * Its id is the place of the next durable frame. Only where `features.transient`; else `MSG_UNSUPPORTED`.
   * Must not be delivered before frames whose `send` was called earlier; is delivered once those are durable.
   */
  sendTransient(frame: Uint8Array): void
  /** Must wait for sends under way. Idempotent; later sends are `MSG_CLOSED`. */
  close(): Promise<void>
}

/** Writes the same frames to several channels as one step. */
export interface MqBroadcaster extends AsyncDisposable {
  readonly channels: readonly string[]
  /**
   * Must append to all channels or to none. Gives the ids per channel, in the order of `channels`. Must keep the order of calls.
   * A failure says `outcome`, which holds for all channels; after 'unknown' this broadcaster is failed for good.
   */
  send(frames: readonly Uint8Array[], options?: CallOptions): Promise<MessageId[][]>
  /** Must wait for sends under way. Idempotent; later sends are `MSG_CLOSED`. */
  close(): Promise<void>
}

export interface MqReader extends AsyncDisposable {
  readonly channel: string
  /**
   * The next frames, at least one, at most `maxMessages` and about `maxBytes`; waits for the first one.
   * `undefined` when the reader was closed. One call at a time: Must refuse a second one with `MSG_BUSY`.
   * A reader far behind may miss transient frames, the oldest first: they are progress, not data.
   * Must deliver every durable frame once, in order, and nothing that is not yet durable.
   * Must reject with `MSG_POSITION_EXPIRED` (details: `first`, `latest`) when retention took the frame it stands before.
   * `until`: where this id was passed and no frame came of it (a broker's own record, as `bounds` may name), an empty batch. A
   * backend whose `bounds` names frames only may ignore it.
   */
  read(
    options?: CallOptions & { readonly maxMessages?: number | undefined; readonly maxBytes?: number | undefined; readonly until?: MessageId | undefined },
  ): Promise<MqBatch | undefined>
  /** Move. Frames already handed out stay handed out; the next `read`, or one that waits, starts here. */
  seek(position: StartPosition): Promise<void>
  close(): Promise<void>
}

export interface Mq extends AsyncDisposable {
  readonly features: MqFeatures
  /** Make the channel if it is not there. Idempotent. Names: 1 to 200 characters of `[A-Za-z0-9._-]`, not starting with a dot. */
  createChannel(channel: string, options?: CallOptions): Promise<void>
  /** Remove the channel and its data. Idempotent. Producers and readers on it fail with `MSG_CHANNEL_NOT_FOUND`. */
  deleteChannel(channel: string, options?: CallOptions): Promise<void>
  listChannels(options?: CallOptions): Promise<string[]>
  /** Makes the channel if missing. */
  openProducer(channel: string, options?: CallOptions): Promise<MqProducer>
  /** Where `features.atomicBroadcast`; makes channels that are missing. */
  openBroadcaster?(channels: readonly string[], options?: CallOptions): Promise<MqBroadcaster>
  /**
   * The channel must exist (`MSG_CHANNEL_NOT_FOUND`). `latest` is fixed at this call, not at the first read.
   * An id may be the place of the next frame (a transient frame's id). One beyond that is `MSG_POSITION_AHEAD` where the
   * backend can tell; one that retention took is found out by the first `read`.
   */
  openReader(channel: string, start: StartPosition, options?: CallOptions): Promise<MqReader>
  /** Ids of the first kept and the last durable frame, `undefined` each when the channel is empty. */
  bounds(channel: string, options?: CallOptions): Promise<{ readonly first: MessageId | undefined; readonly last: MessageId | undefined }>
  /** Allow the removal of frames before this id (exclusive). May keep more. */
  truncate(channel: string, before: MessageId, options?: CallOptions): Promise<void>
  close(): Promise<void>
}
