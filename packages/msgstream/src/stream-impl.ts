/** Both streams: a writing half, a reading half, and what is left of the contract. */
import { checkChannel } from './check.ts'
import type { Clock } from './clock.ts'
import type { Timestamp, MsgPack, MsgPosition, RepackFunc, TsMsg } from './message.ts'
import type { CallOptions, MessageId, Mq } from './mq.ts'
import { ProducerSide } from './producer-side.ts'
import { closedError, ReaderSide, type ReaderParts } from './reader-side.ts'
import type { ChannelLag, ChannelMetrics, StreamMetrics } from './reading.ts'
import { checkPositions } from './start-places.ts'
import type { ConsumerOptions, MsgStream, ProducedIds } from './stream.ts'
import { isTraced, traced, type MsgStreamTrace } from './tracing.ts'

export class StreamImpl implements MsgStream {
  readonly mq: Mq
  protected readonly reading: ReaderSide
  readonly #clock: Clock
  readonly #producers: ProducerSide
  #closed: Promise<void> | undefined

  constructor(parts: ReaderParts) {
    this.mq = parts.mq
    this.#clock = parts.clock
    this.reading = new ReaderSide(parts)
    this.#producers = new ProducerSide(parts.mq)
  }

  /** Asked before the pack is checked. */
  #trace(pack?: Partial<Pick<MsgPack, 'msgs'>>): MsgStreamTrace {
    const { backend } = this.mq.features
    return Array.isArray(pack?.msgs) ? { backend, messages: pack.msgs.length } : { backend }
  }

  async asProducer(channels: readonly string[], options?: CallOptions): Promise<void> {
    this.#open()
    await this.#producers.open(channels, options)
    if (this.#closed !== undefined) await this.#producers.close()
  }

  setRepackFunc(repack: RepackFunc): void {
    this.#producers.setRepackFunc(repack)
  }

  async produce(pack: Pick<MsgPack, 'msgs'>, options?: CallOptions): Promise<ProducedIds> {
    this.#open()
    return traced('produce', () => this.#trace(pack), () => this.#producers.produce(pack, options))
  }

  async broadcast(pack: Pick<MsgPack, 'msgs'>, options?: CallOptions & { readonly atomic?: boolean | undefined }): Promise<ProducedIds> {
    this.#open()
    return traced('broadcast', () => this.#trace(pack), () => this.#producers.broadcast(pack, options))
  }

  async asConsumer(channels: readonly string[], options: ConsumerOptions = {}): Promise<void> {
    this.#open()
    await this.reading.open(channels, options)
  }

  start(): void {
    this.#open()
    this.reading.start()
  }

  pause(channels?: readonly string[]): void {
    this.#open()
    this.reading.pause(channels, true)
  }

  resume(channels?: readonly string[]): void {
    this.#open()
    this.reading.pause(channels, false)
  }

  consume(options?: CallOptions): Promise<MsgPack | undefined> {
    const next = (): Promise<MsgPack | undefined> => this.reading.consume(options)
    return isTraced('consume') ? Promise.resolve(traced('consume', () => this.#trace(), next)) : next()
  }

  /** Iteration is {@link consume} pack by pack. Leaving the loop does not close the stream. */
  [Symbol.asyncIterator](): AsyncIterator<MsgPack> {
    return {
      next: async () => {
        const value = await this.consume()
        return value === undefined ? { done: true, value: undefined } : { done: false, value }
      },
      return: async () => ({ done: true, value: undefined }),
    }
  }

  async commit(positions?: readonly MsgPosition[]): Promise<void> {
    this.#open()
    if (positions !== undefined) checkPositions(positions, this.reading.channels.map(({ name }) => name))
    await this.reading.acks?.commit(positions)
  }

  async acknowledge(msgs: readonly TsMsg[]): Promise<void> {
    this.#open()
    const done = this.reading.acks?.acknowledge(msgs)
    this.reading.wake()
    await done
  }

  async seek(positions: readonly MsgPosition[], options: CallOptions & { readonly inclusive?: boolean | undefined } = {}): Promise<void> {
    this.#open()
    await traced('seek', () => this.#trace(), () => this.reading.seek(positions, options))
  }

  async getLatestMsgId(channel: string, options?: CallOptions): Promise<MessageId | undefined> {
    this.#open()
    checkChannel(channel)
    return (await this.mq.bounds(channel, options)).last
  }

  get frontier(): Timestamp {
    return 0n
  }

  get lateCount(): number {
    return 0
  }

  metrics(): StreamMetrics {
    const { intake, packs, messages, acks } = this.reading
    const now = this.#clock.now()
    const channels = this.reading.channels.map(({ name, readFrames, readBytes, paused, expired }, i): ChannelMetrics => {
      const { tick, bufferedMessages, bufferedBytes, idle } = intake?.gauges(i) ?? { tick: 0n, bufferedMessages: 0, bufferedBytes: 0, idle: false }
      return { channel: name, tick, lagMs: lagOf(tick, now), bufferedMessages, bufferedBytes, readFrames, readBytes, paused, idle, expired }
    })
    return { packs, messages, late: this.lateCount, frontier: this.frontier, frontierLagMs: lagOf(this.frontier, now), unacknowledgedPacks: acks?.openPacks ?? 0, channels }
  }

  async lag(options?: CallOptions): Promise<ChannelLag[]> {
    this.#open()
    return this.reading.lag(options)
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled([this.reading.close(), this.#producers.close()]).then(() => {})
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(): void {
    if (this.#closed !== undefined) throw closedError()
  }
}

/** Timestamps are milliseconds since 1970, shifted by 18 bits. */
function lagOf(ts: Timestamp, now: number): number | undefined {
  return ts === 0n ? undefined : Math.max(0, now - Number(ts >> 18n))
}
