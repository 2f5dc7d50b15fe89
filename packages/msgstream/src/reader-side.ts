/** The reading half of a stream: readers with their pumps, and an intake that makes packs. */
import { Acknowledgements } from './acknowledgements.ts'
import { ChannelPump, type PumpTarget } from './channel-pump.ts'
import { checkChannels, checkFunction, checkObject, enumOption, intOption, show, throwIfAborted } from './check.ts'
import type { Clock } from './clock.ts'
import { yieldToLoop } from './edge.ts'
import { MsgStreamError } from './errors.ts'
import type { Intake, IntakeFactory } from './intake.ts'
import type { MsgPack, MsgPosition } from './message.ts'
import type { CallOptions, MessageId, Mq, MqBatch } from './mq.ts'
import { compareMessageIds } from './position.ts'
import type { ChannelLag } from './reading.ts'
import { Signal } from './signal.ts'
import { checkPositions, givenPositions, indexesOf, isBehindEnd, placeOf, startOf, type Place } from './start-places.ts'
import type { ConsumerOptions } from './stream.ts'

/** Something that looks after the channels while they are read. */
export interface Watch {
  start(): void
  heard(index: number): void
  stop(): void
}

export interface ReaderParts {
  readonly mq: Mq
  readonly clock: Clock
  readonly createIntake: IntakeFactory
  /** How a position's id is meant: the last frame delivered, or the first to read. */
  readonly inclusive: boolean
  /** Called with a new intake; what it gives hears of every batch, and is stopped before the next one. */
  readonly watch?: ((intake: Intake, isReading: (index: number) => boolean, onMoved: () => void) => Watch) | undefined
}

interface Channel {
  readonly name: string
  readFrames: number
  readBytes: number
  expired: number
  paused: boolean
  /** With `until`: the last frame that counts; `null` without. */
  end: MessageId | undefined | null
}

const readMessages = 1024
const readBytes = 1 << 20
const sliceMs = 8

export class ReaderSide {
  intake: Intake | undefined
  acks: Acknowledgements | undefined
  channels: readonly Channel[] = []
  packs = 0
  messages = 0
  readonly #parts: ReaderParts
  readonly #changed = new Signal()
  #places: readonly Place[] = []
  #onExpired: 'fail' | 'earliest' | 'latest' = 'fail'
  #watch: Watch | undefined
  #pumps: readonly ChannelPump[] = []
  #started = false
  #opening = false
  #closed = false
  #failure: { readonly error: unknown } | undefined

  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  async open(channels: readonly string[], options: ConsumerOptions): Promise<void> {
    const { mq, inclusive } = this.#parts
    checkChannels(channels)
    checkObject(options, 'options')
    if (channels.length === 0) throw new RangeError('expected `channels` to name at least one channel, got none')
    const from = enumOption(options.from, 'from', 'latest', ['earliest', 'latest'])
    const until = options.until === undefined ? undefined : enumOption(options.until, 'until', 'latest', ['latest'])
    checkAcks(options)
    checkPositions(options.positions ?? [], channels)
    this.#onExpired = enumOption(options.onExpired, 'onExpired', 'fail', ['fail', 'earliest', 'latest'])
    throwIfAborted(options)
    if (this.#opening) throw new TypeError('expected `asConsumer` to be called once, it was called before')
    this.#opening = true
    try {
      const given = await givenPositions(options, channels)
      const places = await Promise.all(
        channels.map(async (channel): Promise<Place> => {
          const position = given.get(channel)
          return position === undefined ? placeOf(mq, channel, from, inclusive, options) : { position, inclusive, atLatest: false }
        }),
      )
      const ends = until === undefined ? [] : await Promise.all(channels.map(async (channel) => (await mq.bounds(channel, options)).last))
      this.channels = channels.map((name, i) => ({ name, readFrames: 0, readBytes: 0, expired: 0, paused: false, end: until === undefined ? null : ends[i] }))
      await this.#begin(places, options)
      this.acks = new Acknowledgements({
        mode: options.ack ?? (options.store === undefined ? 'none' : 'position'),
        store: options.store,
        subscription: options.subscription ?? '',
        maxUnacknowledged: options.maxUnacknowledged ?? 65_536,
        positions: places.map(({ position }) => position),
      })
    } catch (error) {
      this.#opening = this.intake !== undefined
      throw error
    }
  }

  async #begin(places: readonly Place[], options: CallOptions): Promise<void> {
    const { mq, createIntake, watch } = this.#parts
    const opened = await Promise.allSettled(places.map((place) => mq.openReader(place.position.channel, startOf(place), options)))
    const readers = opened.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
    const failed = opened.find((it) => it.status === 'rejected')
    if (failed !== undefined || this.#closed) {
      await Promise.allSettled(readers.map((it) => it.close()))
      throw failed?.reason ?? closedError()
    }
    const old = this.#pumps
    this.#watch?.stop()
    this.#places = places
    const intake = createIntake(places.map(({ position }) => position), places.some(({ position, atLatest }) => position.msgId === undefined && atLatest) ? 'latest' : 'earliest')
    this.intake = intake
    this.#failure = undefined
    for (const [i, { end }] of this.channels.entries()) if (end !== null && isBehindEnd(places[i] as Place, end)) intake.finish(i)
    this.#watch = watch?.(intake, (i) => this.#wants(intake, i), () => this.#moved())
    const limits = { maxMessages: readMessages, maxBytes: readBytes, onExpired: this.#onExpired, breathe: breather(this.#parts.clock) }
    this.#pumps = readers.map((reader, i) => new ChannelPump(reader, this.#target(intake, i), limits))
    if (this.#started) this.#run()
    this.#changed.notify()
    await Promise.all(old.map((pump) => pump.stop()))
  }

  #wants(intake: Intake, index: number): boolean {
    return !(this.channels[index] as Channel).paused && intake.wants(index)
  }

  #target(intake: Intake, index: number): PumpTarget {
    const channel = this.channels[index] as Channel
    return {
      wants: () => this.#wants(intake, index),
      accept: (batch) => {
        if (intake !== this.intake) return
        count(channel, batch)
        this.#watch?.heard(index)
        intake.accept(index, batch)
        const last = batch.ids[batch.ids.length - 1] as MessageId
        if (channel.end !== null && channel.end !== undefined && compareMessageIds(last, channel.end) >= 0) intake.finish(index)
        this.#moved()
      },
      end: channel.end ?? undefined,
      ended: () => {
        if (intake !== this.intake) return
        intake.finish(index)
        this.#moved()
      },
      expired: () => {
        channel.expired++
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

  #run(): void {
    for (const pump of this.#pumps) pump.start()
    this.#watch?.start()
  }

  start(): void {
    if (this.#started) return
    this.#started = true
    this.#run()
  }

  pause(named: readonly string[] | undefined, paused: boolean): void {
    for (const i of indexesOf(named, this.channels.map(({ name }) => name))) (this.channels[i] as Channel).paused = paused
    this.#moved()
  }

  async consume(options?: CallOptions): Promise<MsgPack | undefined> {
    throwIfAborted(options)
    if (this.#closed) return undefined
    if (!this.#opening) throw new MsgStreamError('MSG_NOT_STARTED', 'call asConsumer before consuming')
    this.start()
    this.acks?.advance()
    for (;;) {
      if (this.#closed) return undefined
      if (this.acks?.isFull !== true) {
        const pack = this.#next()
        if (pack !== undefined) return pack
        if (this.#failure !== undefined) throw this.#failure.error
        if (this.intake?.ended() === true) return undefined
      }
      await this.#changed.wait(options?.signal)
    }
  }

  #next(): MsgPack | undefined {
    if (this.intake === undefined) return undefined
    try {
      const pack = this.intake.next()
      if (pack === undefined) return undefined
      for (const pump of this.#pumps) pump.resume()
      this.packs++
      this.messages += pack.msgs.length
      this.acks?.delivered(pack)
      return pack
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  /** Messages were acknowledged: there may be room. */
  wake(): void {
    this.#changed.notify()
  }

  async seek(positions: readonly MsgPosition[], options: CallOptions & { readonly inclusive?: boolean | undefined }): Promise<void> {
    if (this.intake === undefined) throw new MsgStreamError('MSG_NOT_STARTED', 'call asConsumer before seeking')
    const current = this.intake.positions()
    const given = checkPositions(positions, current.map(({ channel }) => channel))
    const aligned = this.#parts.inclusive
    const inclusive = options.inclusive ?? aligned
    if (typeof inclusive !== 'boolean') throw new TypeError(`expected \`inclusive\` to be a boolean, got ${show(inclusive)}`)
    if (aligned && !inclusive) throw new TypeError('expected `inclusive` to be true: an aligned position may point at data that was held back')
    throwIfAborted(options)
    const places = current.map((kept, i): Place => {
      const position = given.get(kept.channel)
      if (position !== undefined) return { position, inclusive, atLatest: false }
      return { position: kept, inclusive: aligned, atLatest: this.#places[i]?.atLatest === true }
    })
    await this.#begin(places, options)
    this.acks?.forget()
  }

  async lag(options: CallOptions = {}): Promise<ChannelLag[]> {
    const positions = this.intake?.positions() ?? []
    return Promise.all(
      positions.map(async (position): Promise<ChannelLag> => {
        const { first, last } = await this.#parts.mq.bounds(position.channel, options)
        return { channel: position.channel, position, latest: last, frames: framesBetween(position.msgId ?? first, last, this.#parts.inclusive || position.msgId === undefined) }
      }),
    )
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#watch?.stop()
    this.#changed.notify()
    await Promise.allSettled([...this.#pumps.map((pump) => pump.stop()), this.acks?.close()])
    this.#changed.notify()
  }
}

export function closedError(): MsgStreamError {
  return new MsgStreamError('MSG_CLOSED', 'the stream is closed', { outcome: 'not-applied' })
}

function checkAcks({ ack, store, subscription, maxUnacknowledged }: ConsumerOptions): void {
  const mode = enumOption(ack, 'ack', 'none', ['none', 'auto', 'position', 'individual'])
  if (subscription !== undefined && (typeof subscription !== 'string' || subscription === '')) throw new TypeError(`expected \`subscription\` to be a name, got ${show(subscription)}`)
  if (store !== undefined) {
    checkObject(store, 'store')
    const { load, save } = store as { load?: unknown; save?: unknown }
    checkFunction(load, 'store.load')
    checkFunction(save, 'store.save')
    if (subscription === undefined) throw new TypeError('expected `subscription` beside `store`')
  } else if (mode !== 'none') {
    throw new TypeError(`expected \`store\` beside \`ack: '${mode}'\``)
  }
  intOption(maxUnacknowledged, 'maxUnacknowledged', 1, 1, Number.MAX_SAFE_INTEGER)
}

function count(channel: Channel, { frames }: MqBatch): void {
  channel.readFrames += frames.length
  let bytes = 0
  for (let i = 0; i < frames.length; i++) bytes += (frames[i] as Uint8Array).length
  channel.readBytes += bytes
}

/** Where ids are one number of 8 bytes they count frames. */
function framesBetween(from: MessageId | undefined, last: MessageId | undefined, inclusive: boolean): number | undefined {
  if (last === undefined) return 0
  if (from === undefined || from.bytes.length !== 8 || last.bytes.length !== 8) return undefined
  const offset = ({ bytes }: MessageId): number => Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0))
  return Math.max(0, offset(last) - offset(from) + Number(inclusive))
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
