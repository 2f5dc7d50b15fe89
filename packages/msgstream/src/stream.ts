/// <reference lib="esnext.disposable" />
/** The streams over any {@link Mq}: `MsgStream` message by message, `TtMsgStream` tick by tick. */
import type { Clock } from './clock.ts'
import type { CallOptions, MessageId, Mq } from './mq.ts'
import type { MsgPack, MsgPosition, RepackFunc, Timestamp, TsMsg } from './message.ts'
import type { AckMode, ChannelLag, ChannelStall, IdlePolicy, PositionStore, StreamMetrics } from './reading.ts'
import type { UnmarshalDispatcher } from './unmarshal.ts'

export interface MsgStreamOptions {
  readonly mq: Mq
  readonly clock?: Clock | undefined
  readonly dispatcher?: UnmarshalDispatcher | undefined
  /** Unread messages that a channel may hold in memory before its reader pauses. @default 65_536 */
  readonly maxBufferedMessages?: number | undefined
  /** The same in bytes. @default 64 MiB */
  readonly maxBufferedBytes?: number | undefined
}

export interface ConsumerOptions extends CallOptions {
  /** Names this reader in metrics and, on brokers with cursors, its subscription. */
  readonly subscription?: string | undefined
  /** Where a channel without a position starts. @default 'latest' */
  readonly from?: 'earliest' | 'latest' | undefined
  /** Where each channel starts; wins over `from` and over what the store has. */
  readonly positions?: readonly MsgPosition[] | undefined
  /** Keeps the committed positions of `subscription`, which must be given; reading begins behind them. */
  readonly store?: PositionStore | undefined
  /** @default 'none', with a store 'position' */
  readonly ack?: AckMode | undefined
  /** Messages of `individual` acknowledgement that may be out; then `consume` waits. @default 65_536 */
  readonly maxUnacknowledged?: number | undefined
  /** Where retention took what comes next: reject with `MSG_POSITION_EXPIRED`, or go on at what is kept, losing the rest. @default 'fail' */
  readonly onExpired?: 'fail' | 'earliest' | 'latest' | undefined
  /** `latest`: the stream ends (`consume` gives `undefined`) when all that was written before this call has been given out. @default it never ends */
  readonly until?: 'latest' | undefined
}

/** Ids of what was written, per channel, in the order of that channel's messages. */
export type ProducedIds = ReadonlyMap<string, readonly MessageId[]>

export interface MsgStream extends AsyncDisposable, AsyncIterable<MsgPack> {
  readonly mq: Mq
  /** Channels to write to, in order: a hash key's remainder indexes them. Duplicates, and a second call, are a `TypeError`. */
  asProducer(channels: readonly string[], options?: CallOptions): Promise<void>
  /** Channels to read; each must exist (`MSG_CHANNEL_NOT_FOUND`). A second call is a `TypeError`. */
  asConsumer(channels: readonly string[], options?: ConsumerOptions): Promise<void>
  setRepackFunc(repack: RepackFunc): void
  /**
   * Write a pack's messages, each to its channel. Order per channel is the order in the pack, and of the calls.
   * On failure `MSG_PRODUCE_FAILED` tells, per channel, what was acknowledged, what failed, what may have been written.
   */
  produce(pack: Pick<MsgPack, 'msgs'>, options?: CallOptions): Promise<ProducedIds>
  /**
   * Write every message to every channel. `atomic`: on all channels or on none, where `features.atomicBroadcast`; readers of
   * one channel never see it before the others' have it durably. Order to other sends of this stream is kept.
   */
  broadcast(pack: Pick<MsgPack, 'msgs'>, options?: CallOptions & { readonly atomic?: boolean | undefined }): Promise<ProducedIds>
  /**
   * The next pack, or `undefined` after close or the end of the stream (a tick at `END_OF_STREAM` on every channel). Iteration is the same, pack by pack; leaving the loop does not close the stream.
   * A failed reader or an undecodable frame rejects, behind the packs that came before it; `seek` begins anew.
   */
  consume(options?: CallOptions): Promise<MsgPack | undefined>
  /**
   * Before the first consume, or between two of them. Channels that are not named stay where they are. `inclusive` says how
   * the ids are meant: default false for a `MsgStream`, true for a `TtMsgStream`, which takes nothing else.
   */
  seek(positions: readonly MsgPosition[], options?: CallOptions & { readonly inclusive?: boolean | undefined }): Promise<void>
  /** The last durable message of a channel, or `undefined` when it is empty. */
  getLatestMsgId(channel: string, options?: CallOptions): Promise<MessageId | undefined>
  /** Read nothing more of these channels (all, by default) until `resume`. What was read comes out still. */
  pause(channels?: readonly string[]): void
  resume(channels?: readonly string[]): void
  /**
   * Save positions under the consumer's subscription: those given (channels not named keep theirs), by default the end of
   * the last pack. Resolves when they, or later ones, are saved.
   */
  commit(positions?: readonly MsgPosition[]): Promise<void>
  /** Under `individual`: these messages are done. Positions are saved up to the first pack with one that is not. */
  acknowledge(msgs: readonly TsMsg[]): Promise<void>
  metrics(): StreamMetrics
  /** Asks the queue for each channel's last message. */
  lag(options?: CallOptions): Promise<ChannelLag[]>
  /** Begin to read ahead. Also begun by the first consume. */
  start(): void
  close(): Promise<void>
}

export interface TtMsgStreamOptions extends MsgStreamOptions {
  /** `frontier`: emit whenever the minimum over channels rises (default). `equal`: Milvus's rule, ticks present on all channels. */
  readonly align?: 'frontier' | 'equal' | undefined
  /** Data at or below an emitted tick; `divert` gives it to `onLate` only. @default 'deliver' (with `late: true`) */
  readonly late?: 'deliver' | 'divert' | 'drop' | 'fail' | undefined
  /** The side output of late data, under `divert`. Must not throw. */
  readonly onLate?: ((msg: TsMsg) => void) | undefined
  /** Inside a pack: by channel, then as they came; or by time, equal ones by channel. @default 'channel' */
  readonly order?: 'channel' | 'time' | undefined
  /** @default a silent channel is waited for, and nobody is told */
  readonly idle?: IdlePolicy | undefined
  /** Called once per stall, where `idle` is given. Must not throw. */
  readonly onStall?: ((stall: ChannelStall) => void) | undefined
  /** A channel whose tick is further ahead of the slowest one pauses. @default only its buffer limits it */
  readonly maxDriftMs?: number | undefined
  /**
   * The channel that is behind is read beyond `maxBufferedBytes` until its next tick, for else nothing would move; beyond this
   * the stream fails with `MSG_BUFFER_FULL`. @default 16 * maxBufferedBytes
   */
  readonly maxCatchUpBytes?: number | undefined
  /** Emit no pack for an interval without messages; it is joined to the next one. @default false: empty packs are progress */
  readonly skipEmpty?: boolean | undefined
}

/** An aligned stream: `consume` gives all messages of one step of time over all its channels. */
export interface TtMsgStream extends MsgStream {
  /** Everything at or below this has been emitted; 0n before the first pack. */
  readonly frontier: Timestamp
  /** Per channel: last tick, messages and bytes that wait. */
  states(): readonly { readonly channel: string; readonly tick: Timestamp; readonly bufferedMessages: number; readonly bufferedBytes: number }[]
}

export interface TimeTickProducerOptions {
  readonly mq: Mq
  readonly channels: readonly string[]
  /** A timestamp above all that were given before; e.g. `() => allocator.allocOne()`. */
  readonly allocate: () => Promise<Timestamp>
  /** @default 200 */
  readonly intervalMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly onError?: ((error: unknown) => void) | undefined
}

/** What a stamped write appends: one frame per message, to one channel each. */
export interface StampedAppend {
  readonly channel: string
  readonly msgs: readonly TsMsg[]
}

export interface StampedWriteOptions extends CallOptions {
  /**
   * Runs when all appends are durable, before any tick at or above their timestamp: what readers must know of the write when they
   * meet it goes in here (a commit record). The write resolves after it. If it rejects, the write rejects with its reason and time
   * goes on: readers meet messages that were never confirmed, and it is theirs to leave them out. If its error says
   * `outcome: 'unknown'`, time stops as after an append whose outcome is unknown. It is not called when an append failed.
   */
  readonly confirm?: ((ts: Timestamp) => Promise<void>) | undefined
}

/**
 * The writer side of time: stamps messages and writes ticks, so that a tick T on a channel is a promise that no message
 * with a timestamp <= T follows it there. Must never write a tick at or above the timestamp of a message that is not yet
 * acknowledged (Milvus #20536). Ticks that follow no data are transient where the queue can.
 */
export interface TimeTickProducer extends AsyncDisposable {
  /**
   * Allocate one timestamp, let `build` make the messages for it (synchronously), append them all, resolve when durable.
   * Order per channel is the order of the timestamps. `build` names channels of the call only; its messages get the timestamp
   * (`setTs`). If it throws, nothing was written. Failures: `MSG_PRODUCE_FAILED` with the outcome of each channel;
   * after an unknown one `MSG_PRODUCER_FAILED` for good, and no more ticks on that channel. An abort before the write's turn
   * writes nothing; later it leaves the outcome open and the write goes on.
   */
  write(build: (ts: Timestamp) => readonly StampedAppend[], channels: readonly string[], options?: StampedWriteOptions): Promise<{ readonly timestamp: Timestamp; readonly ids: ProducedIds }>
  /**
   * Ask for a tick >= ts on these channels without waiting for the period. Comes at once where ts was allocated here before,
   * else with one allocation for all who ask in one turn; where a write holds it back, as soon as that is acknowledged.
   */
  requestTick(channels: readonly string[], atLeast: Timestamp): void
  /** The last tick written to a channel, 0n before the first. */
  lastTick(channel: string): Timestamp
  addChannel(channel: string): Promise<void>
  /** `endOfStream`: the last tick says that nothing follows ever (`END_OF_STREAM`); readers come to an end behind it. */
  close(options?: { readonly endOfStream?: boolean | undefined }): Promise<void>
}
