/** The writer side of time; the contract is in `stream.ts`. */
import { Allocations } from './allocations.ts'
import { checkChannel, checkChannels, checkFunction, checkObject, checkTimestamp, intOption, show, throwIfAborted } from './check.ts'
import type { Clock } from './clock.ts'
import { startConfirmation, type Confirmation } from './confirmation.ts'
import { systemClock } from './edge.ts'
import { encodeEnvelopes } from './envelope.ts'
import { MsgStreamError } from './errors.ts'
import type { Timestamp } from './message.ts'
import type { MessageId, Mq } from './mq.ts'
import { startSend } from './producer-side.ts'
import { settleSends, type PendingSend } from './settle-sends.ts'
import { orAborted } from './signal.ts'
import type { ProducedIds, StampedAppend, StampedWriteOptions, TimeTickProducer, TimeTickProducerOptions } from './stream.ts'
import { producerFailed, TickChannel } from './tick-channel.ts'

interface Written {
  readonly timestamp: Timestamp
  readonly ids: ProducedIds
}

/** Opens a producer per channel and begins to write ticks. The caller keeps the queue and closes it. */
export async function startTimeTickProducer(options: TimeTickProducerOptions): Promise<TimeTickProducer> {
  checkObject(options, 'options')
  checkObject(options.mq, 'mq')
  checkChannels(options.channels)
  checkFunction(options.allocate, 'allocate')
  if (options.onError !== undefined) checkFunction(options.onError, 'onError')
  const producer = new TickProducer(options, intOption(options.intervalMs, 'intervalMs', 200, 1, 2 ** 31 - 1))
  try {
    await Promise.all(options.channels.map((channel) => producer.addChannel(channel)))
  } catch (error) {
    await producer.close()
    throw error
  }
  producer.begin()
  return producer
}

class TickProducer implements TimeTickProducer {
  readonly #mq: Mq
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #onError: (error: unknown) => void
  readonly #allocations: Allocations
  readonly #channels = new Map<string, TickChannel>()
  readonly #opening = new Map<string, Promise<void>>()
  readonly #writes = new Set<Promise<unknown>>()
  #requested = false
  #cancelTimer: (() => void) | undefined
  #failure: unknown
  #closed: Promise<void> | undefined

  constructor(options: TimeTickProducerOptions, intervalMs: number) {
    this.#mq = options.mq
    this.#clock = options.clock ?? systemClock
    this.#intervalMs = intervalMs
    this.#onError = options.onError ?? (() => {})
    this.#allocations = new Allocations(options.allocate)
  }

  addChannel(channel: string): Promise<void> {
    checkChannel(channel)
    if (this.#closed !== undefined) return Promise.reject(closedError())
    let opening = this.#opening.get(channel)
    if (opening === undefined) {
      opening = this.#addChannel(channel)
      this.#opening.set(channel, opening)
      opening.catch(() => this.#opening.delete(channel))
    }
    return opening
  }

  async #addChannel(channel: string): Promise<void> {
    const producer = await this.#mq.openProducer(channel)
    if (this.#closed !== undefined) {
      await producer.close()
      throw closedError()
    }
    this.#channels.set(channel, new TickChannel(producer, this.#mq.features.transient, this.#onError))
  }

  begin(): void {
    this.#cancelTimer = this.#clock.setTimer(() => void this.#period(), this.#intervalMs)
  }

  async #period(): Promise<void> {
    try {
      await this.#allocations.run((now) => {
        for (const channel of this.#channels.values()) this.#tick(channel, now, true)
      })
    } catch (error) {
      this.#onError(error)
    }
    if (this.#closed === undefined) this.begin()
  }

  #tick(channel: TickChannel, now: Timestamp, store: boolean): void {
    if (this.#closed !== undefined) return
    channel.tick(now, store)
    if (channel.wanted <= channel.lastTick) channel.wanted = 0n
  }

  async write(build: (ts: Timestamp) => readonly StampedAppend[], channels: readonly string[], options?: StampedWriteOptions): Promise<Written> {
    checkFunction(build, 'build')
    checkChannels(channels)
    if (options?.confirm !== undefined) checkFunction(options.confirm, 'confirm')
    throwIfAborted(options)
    this.#check(channels)
    // The turn in the queue of allocations is the reservation: a tick allocated later comes behind this write.
    const turn = this.#allocations.run((ts) => {
      throwIfAborted(options)
      this.#check(channels)
      return this.#append(ts, build(ts), channels, options?.confirm)
    })
    const written = turn.then(({ done }) => done)
    this.#writes.add(written)
    const forget = (): void => void this.#writes.delete(written)
    written.then(forget, forget)
    return orAborted(written, options?.signal)
  }

  #check(channels: readonly string[]): void {
    if (this.#closed !== undefined) throw closedError()
    if (this.#failure !== undefined) throw producerFailed(this.#failure)
    for (const name of channels) {
      const channel = this.#channels.get(name)
      if (channel === undefined) throw new TypeError(`expected \`channels\` to name channels of this producer, got ${show(name)}`)
      if (channel.failure !== undefined) throw producerFailed(channel.failure)
    }
  }

  /** Stamp and append, without awaiting: the order of appends is the order of timestamps. */
  #append(ts: Timestamp, appends: readonly StampedAppend[], channels: readonly string[], confirm: StampedWriteOptions['confirm']): { done: Promise<Written> } {
    const encoded = appends.map(({ channel, msgs }) => {
      if (!channels.includes(channel)) throw new TypeError(`expected \`build\` to append to the channels of the call, got ${show(channel)}`)
      for (const msg of msgs) msg.setTs(ts)
      return { channel: this.#channels.get(channel) as TickChannel, frames: encodeEnvelopes(msgs) }
    })
    const begun = encoded
      .filter(({ frames }) => frames.length > 0)
      .map(({ channel, frames }) => ({ channel, end: channel.begin(ts), send: startSend(channel.producer, frames) }))
    const confirmation = confirm === undefined ? undefined : startConfirmation(settleSends(begun.map(({ send }) => send)), () => confirm(ts))
    const sends = begun.map(({ channel, end, send }): PendingSend => ({ ...send, done: this.#settle(channel, end, send.done, confirmation) }))
    const written = settleSends(sends).then((ids) => ({ timestamp: ts, ids }))
    return { done: confirmation === undefined ? written : confirmation.done.then(() => written, (error: unknown) => written.then(() => Promise.reject(error as Error))) }
  }

  async #settle(channel: TickChannel, end: (error?: unknown) => void, done: Promise<readonly MessageId[]>, confirmation: Confirmation | undefined): Promise<readonly MessageId[]> {
    try {
      const ids = await done
      // Until then no tick says that readers have seen all of it.
      end(await confirmation?.doubt)
      this.#failure ??= channel.failure
      return ids
    } catch (error) {
      end(error)
      this.#failure ??= channel.failure
      throw error
    } finally {
      if (channel.wanted > channel.lastTick) this.#serve(channel)
    }
  }

  requestTick(channels: readonly string[], atLeast: Timestamp): void {
    checkChannels(channels)
    checkTimestamp(atLeast, 'atLeast')
    for (const name of channels) {
      const channel = this.#channels.get(name)
      if (channel === undefined) throw new TypeError(`expected \`channels\` to name channels of this producer, got ${show(name)}`)
      if (atLeast > channel.lastTick && atLeast > channel.wanted) channel.wanted = atLeast
      if (channel.wanted > channel.lastTick) this.#serve(channel)
    }
  }

  // What was allocated last is a bound that costs nothing: every later write gets a higher timestamp.
  #serve(channel: TickChannel): void {
    const { last } = this.#allocations
    if (last >= channel.wanted) this.#tick(channel, last, false)
    else this.#request()
  }

  #request(): void {
    if (this.#requested) return
    this.#requested = true
    queueMicrotask(() => {
      this.#requested = false
      const run = this.#allocations.run((now) => {
        for (const channel of this.#channels.values()) if (channel.wanted > channel.lastTick) this.#tick(channel, now, false)
      })
      run.catch(this.#onError)
    })
  }

  lastTick(channel: string): Timestamp {
    return this.#channels.get(channel)?.lastTick ?? 0n
  }

  close(options: { readonly endOfStream?: boolean | undefined } = {}): Promise<void> {
    this.#closed ??= this.#close(options.endOfStream === true)
    return this.#closed
  }

  async #close(endOfStream: boolean): Promise<void> {
    this.#cancelTimer?.()
    await Promise.allSettled([...this.#writes, ...this.#opening.values()])
    const channels = [...this.#channels.values()]
    for (const channel of channels) {
      if (endOfStream) channel.end()
      // A last stored tick, so that whoever reads the log later gets all of it without waiting for a new writer.
      else if (channel.lastTick > 0n || channel.idle) channel.tick(this.#allocations.last, true)
    }
    await Promise.allSettled(channels.map(({ producer }) => producer.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function closedError(): MsgStreamError {
  return new MsgStreamError('MSG_CLOSED', 'the tick producer is closed', { outcome: 'not-applied' })
}
