/** Messages, packs and positions of a time-ticked stream (appendix A.3). */
import type { MessageId } from './mq.ts'

/** 46 bits of milliseconds, 18 of logic: the timestamps of `@timetick/tso`. */
export type Timestamp = bigint

/** The tick behind which nothing comes: a channel that has it has ended. */
export const END_OF_STREAM: Timestamp = 0xffff_ffff_ffff_ffffn

/** Open: 0 to 65,535. The appendix's numbers are {@link MsgType}; your own are as good. */
export type MsgTypeNumber = number

/** The appendix's message types. */
export const MsgType = {
  insert: 400,
  delete: 401,
  flush: 402,
  search: 500,
  searchResult: 1000,
  segStatistics: 1100,
  timeTick: 1200,
  timeSync: 1201,
} as const

/**
 * One message. `beginTs..endTs` is the time its content covers (equal for a single write).
 * `hashKeys` route it: the default repack takes `hashKeys[0]` modulo the number of channels.
 */
export interface TsMsg {
  readonly type: MsgTypeNumber
  beginTs: Timestamp
  endTs: Timestamp
  readonly id: bigint
  readonly hashKeys: readonly number[]
  /** Routing data that readers see without decoding the body: small strings. */
  readonly properties: Readonly<Record<string, string>>
  /** The encoded body. Read-only; of a received message a view that keeps its whole batch alive: copy what you keep long. */
  readonly body: Uint8Array
  /** Set on received messages: where it stands. */
  position?: MsgPosition | undefined
  /** Set on received messages when it came below an already emitted tick (late data). */
  late?: boolean | undefined
  setTs(ts: Timestamp): void
}

/**
 * A place in a channel together with the tick up to which everything before it has been delivered.
 *
 * The two streams mean the id differently, as in Milvus: positions of a `TtMsgStream` name the first frame to read (the first
 * one held back, else the tick), those of a `MsgStream` the last frame delivered. Give a stream positions of its own kind.
 */
export interface MsgPosition {
  readonly channel: string
  /** Aligned: read on from here, inclusive. Plain: read on behind it. `undefined`: from the channel's first frame. */
  readonly msgId: MessageId | undefined
  /**
   * Aligned: data at or below this was delivered before; it is skipped when reading on, until the channel's first tick at or
   * above it (what comes behind that is late data). Plain: the last message's time, for information.
   * In `TsMsg.position` 0n: reading on from a message skips nothing.
   */
  readonly timestamp: Timestamp
}

/**
 * What came in one step of time: messages with `beginTs < ts <= endTs` (late data aside), grouped by channel, in each
 * channel's order; a message's `ts` is its `endTs`. An empty pack is progress. Positions are full vectors: one per channel of the stream, always.
 * Reading on from `endPositions` gives what follows this pack; from `startPositions`, this pack again.
 */
export interface MsgPack {
  readonly beginTs: Timestamp
  readonly endTs: Timestamp
  readonly msgs: readonly TsMsg[]
  readonly startPositions: readonly MsgPosition[]
  readonly endPositions: readonly MsgPosition[]
}

/**
 * Distribute messages over channels: bucket index (0 .. channels - 1) to messages, from each message's hash keys.
 * A message may go to several buckets (multicast).
 */
export type RepackFunc = (msgs: readonly TsMsg[], hashKeys: readonly (readonly number[])[], channels: number) => ReadonlyMap<number, readonly TsMsg[]>
