/// <reference lib="esnext.disposable" />
/**
 * `@timetick/msgstream/dispatcher`: many virtual channels on one physical channel, read by one consumer (Milvus: msgdispatcher).
 *
 *     const dispatcher = createMsgDispatcher({ mq, channel: 'dml-0' })
 *     for await (const pack of await dispatcher.register({ vchannel: 'dml-0_7v0', position })) apply(pack)
 *
 * @module
 */
import { checkChannel, checkFunction, checkObject, intOption, show } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './edge.ts'
import { Dispatcher } from './dispatcher/manager.ts'
import type { MsgPack, MsgPosition, Timestamp, TsMsg } from './message.ts'
import type { CallOptions, Mq } from './mq.ts'
import type { UnmarshalDispatcher } from './unmarshal.ts'

export interface MsgDispatcherOptions {
  readonly mq: Mq
  /** The physical channel. */
  readonly channel: string
  /** A message's virtual channel; `undefined` sends it to all. @default its property `vchannel` */
  readonly vchannelOf?: ((msg: TsMsg) => string | undefined) | undefined
  readonly dispatcher?: UnmarshalDispatcher | undefined
  readonly clock?: Clock | undefined
  /** Packs that wait for one virtual channel's reader. @default 16 */
  readonly maxQueuedPacks?: number | undefined
  /** A reader that takes nothing for this long, its queue full, gets a consumer of its own. @default 3000 */
  readonly maxLagMs?: number | undefined
  /** Consumers at a time, the common one among them; a registration beyond waits until one has caught up. @default 10 */
  readonly maxConsumers?: number | undefined
}

export interface RegisterOptions extends CallOptions {
  readonly vchannel: string
  /** An aligned position of the physical channel, e.g. of an earlier pack. */
  readonly position?: MsgPosition | undefined
  /** Without a position. @default 'latest' */
  readonly from?: 'earliest' | 'latest' | undefined
}

/**
 * One virtual channel's packs: its own messages and those for all, in packs that tile time, empty ones too. Their positions
 * are of the physical channel. Messages may be shared with other virtual channels: do not change them.
 */
export interface VirtualChannel extends AsyncDisposable, AsyncIterable<MsgPack> {
  readonly vchannel: string
  /** Everything at or below was given out. */
  readonly frontier: Timestamp
  /** `undefined` behind close and deregistration; rejects with what its consumer failed with. */
  consume(options?: CallOptions): Promise<MsgPack | undefined>
  /** Deregisters it. Idempotent. */
  close(): Promise<void>
}

export interface DispatcherStates {
  /** Physical consumers: the common one, and one for each that catches up or lags. */
  readonly consumers: number
  readonly channels: readonly { readonly vchannel: string; readonly isSplit: boolean; readonly frontier: Timestamp; readonly queuedPacks: number }[]
}

export interface MsgDispatcher extends AsyncDisposable {
  /** Begins behind the position. A name that is registered is a `TypeError`. */
  register(options: RegisterOptions): Promise<VirtualChannel>
  /** Ends a virtual channel; an unknown one is left alone. */
  deregister(vchannel: string): Promise<void>
  states(): DispatcherStates
  close(): Promise<void>
}

/** Makes the dispatcher of one physical channel; consumers are opened by registrations. The caller keeps the queue and closes it. */
export function createMsgDispatcher(options: MsgDispatcherOptions): MsgDispatcher {
  checkObject(options, 'options')
  const { mq, channel, vchannelOf = ({ properties }: TsMsg): string | undefined => properties['vchannel'], dispatcher, clock = systemClock } = options
  checkObject(mq, 'mq')
  if (typeof mq.openReader !== 'function') throw new TypeError(`expected \`mq\` to be an Mq, got ${show(mq)}`)
  checkChannel(channel)
  checkFunction(vchannelOf, 'vchannelOf')
  return new Dispatcher({
    mq,
    channel,
    vchannelOf,
    dispatcher,
    clock,
    maxQueuedPacks: intOption(options.maxQueuedPacks, 'maxQueuedPacks', 16, 1, 1 << 20),
    maxLagMs: intOption(options.maxLagMs, 'maxLagMs', 3000, 1, 2 ** 31 - 1),
    maxConsumers: intOption(options.maxConsumers, 'maxConsumers', 10, 1, 1 << 16),
  })
}
