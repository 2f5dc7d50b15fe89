/** Both streams: producers, readers with their pumps, and an intake that makes packs. */
import { ChannelPump } from './channel-pump.ts'
import { checkChannel, checkChannels, checkObject, enumOption, show, throwIfAborted } from './check.ts'
import type { Clock } from './clock.ts'
import { yieldToLoop } from './edge.ts'
import { MsgStreamError } from './errors.ts'
import type { Intake, IntakeFactory } from './intake.ts'
import type { MsgPack, MsgPosition, RepackFunc } from './message.ts'
import type { CallOptions, MessageId, Mq, StartPosition } from './mq.ts'
import { checkPosition } from './position.ts'
import { ProducerSide } from './producer-side.ts'
import { Signal } from './signal.ts'
import type { ConsumerOptions, MsgStream, ProducedIds } from './stream.ts'

export interface StreamParts {
  readonly mq: Mq
  readonly clock: Clock
  readonly createIntake: IntakeFactory
  /** How a position's id is meant: the last frame delivered, or the first to read. */
  readonly inclusive: boolean
}

const readMessages = 1024
const readBytes = 1 << 20
const sliceMs = 8

export class StreamImpl implements MsgStream {
  readonly mq: Mq
  protected intake: Intake | undefined
  readonly #parts: StreamParts
  readonly #producers: ProducerSide
  readonly #changed = new Signal()
  #pumps: readonly ChannelPump[] = []
  #atLatest: readonly boolean[] = []
  #started = false
  #consuming = false
  #failure: { readonly error: unknown } | undefined
  #closed: Promise<void> | undefined

  constructor(parts: StreamParts) {
    this.mq = parts.mq
    this.#parts = parts
    this.#producers = new ProducerSide(parts.mq)
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
    return this.#producers.produce(pack, options)
  }

  async broadcast(pack: Pick<MsgPack, 'msgs'>, options?: CallOptions): Promise<ProducedIds> {
    this.#open()
    return this.#producers.broadcast(pack, options)
  }

  async asConsumer(channels: readonly string[], options: ConsumerOptions = {}): Promise<void> {
    this.#open()
    checkChannels(channels)
    checkObject(options, 'options')
    if (channels.length === 0) throw new RangeError('expected `channels` to name at least one channel, got none')
    const from = enumOption(options.from, 'from', 'latest', ['earliest', 'latest'])
    const given = checkPositions(options.positions ?? [], channels)
    throwIfAborted(options)
    if (this.#consuming) throw new TypeError('expected `asConsumer` to be called once, it was called before')
    this.#consuming = true
    try {
      const places = await Promise.all(channels.map(async (channel) => given.get(channel) ?? this.#place(channel, from, options)))
      const atLatest = channels.map((channel) => from === 'latest' && !given.has(channel))
      await this.#begin(places, atLatest, channels.map(() => this.#parts.inclusive), options)
    } catch (error) {
      this.#consuming = this.intake !== undefined
      throw error
    }
  }

  /** Where a channel without position begins. A stream with exclusive positions needs the id of the last frame for "latest". */
  async #place(channel: string, from: 'earliest' | 'latest', options: CallOptions): Promise<MsgPosition> {
    const msgId = from === 'latest' && !this.#parts.inclusive ? (await this.mq.bounds(channel, options)).last : undefined
    return { channel, msgId, timestamp: 0n }
  }

  async #begin(places: readonly MsgPosition[], atLatest: readonly boolean[], inclusive: readonly boolean[], options: CallOptions): Promise<void> {
    const latest = (i: number): boolean => this.#parts.inclusive && atLatest[i] === true
    const starts = places.map(({ msgId }, i): StartPosition => {
      if (msgId === undefined) return { at: latest(i) ? 'latest' : 'earliest' }
      return inclusive[i] === true ? { from: msgId } : { after: msgId }
    })
    const opened = await Promise.allSettled(places.map(({ channel }, i) => this.mq.openReader(channel, starts[i] as StartPosition, options)))
    const readers = opened.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
    const failed = opened.find((it) => it.status === 'rejected')
    if (failed !== undefined || this.#closed !== undefined) {
      await Promise.allSettled(readers.map((it) => it.close()))
      throw failed?.reason ?? closedError()
    }
    const old = this.#pumps
    this.#atLatest = atLatest
    const intake = this.#parts.createIntake(places, places.some((_, i) => latest(i)) ? 'latest' : 'earliest')
    this.intake = intake
    this.#failure = undefined
    const limits = { maxMessages: readMessages, maxBytes: readBytes, breathe: breather(this.#parts.clock) }
    this.#pumps = readers.map((reader, i) => new ChannelPump(reader, this.#target(intake, i), limits))
    if (this.#started) for (const pump of this.#pumps) pump.start()
    this.#changed.notify()
    await Promise.all(old.map((pump) => pump.stop()))
  }

  #target(intake: Intake, index: number): { wants(): boolean; accept(batch: Parameters<Intake['accept']>[1]): void; fail(error: unknown): void } {
    return {
      wants: () => intake.wants(index),
      accept: (batch) => {
        if (intake !== this.intake) return
        intake.accept(index, batch)
        this.#moved()
      },
      fail: (error) => {
        if (intake !== this.intake) return
        this.#failure ??= { error }
        this.#changed.notify()
      },
    }
  }

  // A tick of one channel may give another one room.
  #moved(): void {
    this.#changed.notify()
    for (const pump of this.#pumps) pump.resume()
  }

  start(): void {
    this.#open()
    if (this.#started) return
    this.#started = true
    for (const pump of this.#pumps) pump.start()
  }

  async consume(options?: CallOptions): Promise<MsgPack | undefined> {
    throwIfAborted(options)
    if (this.#closed !== undefined) return undefined
    if (!this.#consuming) throw new MsgStreamError('MSG_NOT_STARTED', 'call asConsumer before consuming')
    this.start()
    for (;;) {
      if (this.#closed !== undefined) return undefined
      const pack = this.#next()
      if (pack !== undefined) return pack
      if (this.#failure !== undefined) throw this.#failure.error
      await this.#changed.wait(options?.signal)
    }
  }

  #next(): MsgPack | undefined {
    if (this.intake === undefined) return undefined
    try {
      const pack = this.intake.next()
      if (pack !== undefined) for (const pump of this.#pumps) pump.resume()
      return pack
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
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

  async seek(positions: readonly MsgPosition[], options: CallOptions & { readonly inclusive?: boolean | undefined } = {}): Promise<void> {
    this.#open()
    if (this.intake === undefined) throw new MsgStreamError('MSG_NOT_STARTED', 'call asConsumer before seeking')
    const current = this.intake.positions()
    const given = checkPositions(positions, current.map(({ channel }) => channel))
    const inclusive = options.inclusive ?? this.#parts.inclusive
    if (typeof inclusive !== 'boolean') throw new TypeError(`expected \`inclusive\` to be a boolean, got ${show(inclusive)}`)
    if (this.#parts.inclusive && !inclusive) throw new TypeError('expected `inclusive` to be true: an aligned position may point at data that was held back')
    throwIfAborted(options)
    const places = current.map((position) => given.get(position.channel) ?? position)
    const atLatest = places.map(({ channel }, i) => this.#atLatest[i] === true && !given.has(channel))
    await this.#begin(places, atLatest, places.map(({ channel }) => (given.has(channel) ? inclusive : this.#parts.inclusive)), options)
  }

  async getLatestMsgId(channel: string, options?: CallOptions): Promise<MessageId | undefined> {
    this.#open()
    checkChannel(channel)
    return (await this.mq.bounds(channel, options)).last
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#changed.notify()
    await Promise.allSettled([...this.#pumps.map((pump) => pump.stop()), this.#producers.close()])
    this.#changed.notify()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(): void {
    if (this.#closed !== undefined) throw closedError()
  }
}

function closedError(): MsgStreamError {
  return new MsgStreamError('MSG_CLOSED', 'the stream is closed', { outcome: 'not-applied' })
}

function checkPositions(positions: readonly MsgPosition[], channels: readonly string[]): Map<string, MsgPosition> {
  if (!Array.isArray(positions)) throw new TypeError(`expected \`positions\` to be an array of MsgPosition, got ${show(positions)}`)
  const given = new Map<string, MsgPosition>()
  for (const [i, position] of (positions as readonly MsgPosition[]).entries()) {
    checkPosition(position, `positions[${i}]`)
    if (!channels.includes(position.channel)) throw new TypeError(`expected \`positions[${i}].channel\` to be one of the stream's channels, got ${show(position.channel)}`)
    if (given.has(position.channel)) throw new TypeError(`expected \`positions\` with one entry per channel, got ${show(position.channel)} twice`)
    given.set(position.channel, position)
  }
  return given
}

/** One turn of the event loop after every slice of work, shared by the channels of a stream. */
function breather(clock: Clock): () => Promise<void> | undefined {
  let sliceStart = clock.monotonic()
  return () => {
    if (clock.monotonic() - sliceStart < sliceMs) return undefined
    return yieldToLoop().then(() => {
      sliceStart = clock.monotonic()
    })
  }
}
