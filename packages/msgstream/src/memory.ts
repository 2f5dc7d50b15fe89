/**
 * `@timetick/msgstream/memory`: a queue in this process, for tests and for data that may go with it.
 *
 *     const mq = createMemoryMq()
 *     const stream = await openMsgStream({ mq })
 *
 * @module
 */
import { checkChannel, checkChannels, checkFrames, checkObject, checkStart, enumOption, intOption, throwIfAborted } from './check.ts'
import { MsgStreamError } from './errors.ts'
import type { MqFeatures } from './features.ts'
import { LogReader } from './log-reader.ts'
import { MemoryLog } from './memory-log.ts'
import type { CallOptions, MessageId, Mq, MqBroadcaster, MqProducer, MqReader, StartPosition } from './mq.ts'
import { OffsetId, offsetOf } from './offset-id.ts'

export interface MemoryMqOptions {
  /** Bytes of frames a channel keeps. @default 512 MiB */
  readonly maxBytesPerChannel?: number | undefined
  /** Beyond that: refuse the send (`MSG_FULL`) until `truncate`, or drop the oldest frames; readers that stood there get `MSG_POSITION_EXPIRED`. @default 'reject' */
  readonly whenFull?: 'reject' | 'drop-oldest' | undefined
}

const backend = 'memory'

export function createMemoryMq(options: MemoryMqOptions = {}): Mq {
  checkObject(options, 'options')
  const maxBytes = intOption(options.maxBytesPerChannel, 'maxBytesPerChannel', 512 << 20, 1, Number.MAX_SAFE_INTEGER)
  return new MemoryMq(maxBytes, enumOption(options.whenFull, 'whenFull', 'reject', ['reject', 'drop-oldest']))
}

class MemoryMq implements Mq {
  readonly features: MqFeatures = Object.freeze({
    backend,
    durability: 'memory',
    transient: true,
    truncate: true,
    atomicBroadcast: true,
    sharing: 'none',
    maxFrameBytes: 64 << 20,
  })
  readonly #maxBytes: number
  readonly #whenFull: 'reject' | 'drop-oldest'
  readonly #logs = new Map<string, MemoryLog>()
  readonly #readers = new Set<LogReader>()
  readonly #producers = new Set<MemoryProducer>()
  #closed = false

  constructor(maxBytes: number, whenFull: 'reject' | 'drop-oldest') {
    this.#maxBytes = maxBytes
    this.#whenFull = whenFull
  }

  async createChannel(channel: string, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    this.#check(options)
    if (!this.#logs.has(channel)) this.#logs.set(channel, new MemoryLog(channel, this.#maxBytes, this.#whenFull))
  }

  async deleteChannel(channel: string, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    this.#check(options)
    const log = this.#logs.get(channel)
    this.#logs.delete(channel)
    log?.fail(new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} was deleted`, { outcome: 'not-applied' }))
  }

  async listChannels(options?: CallOptions): Promise<string[]> {
    this.#check(options)
    return [...this.#logs.keys()].sort()
  }

  async openProducer(channel: string, options?: CallOptions): Promise<MqProducer> {
    await this.createChannel(channel, options)
    const producer = new MemoryProducer(this.#log(channel), this.features.maxFrameBytes, (it) => this.#producers.delete(it))
    this.#producers.add(producer)
    return producer
  }

  async openBroadcaster(channels: readonly string[], options?: CallOptions): Promise<MqBroadcaster> {
    checkChannels(channels)
    this.#check(options)
    const producers = await Promise.all(channels.map((channel) => this.openProducer(channel, options) as Promise<MemoryProducer>))
    const close = async (): Promise<void> => {
      await Promise.all(producers.map((it) => it.close()))
    }
    return {
      channels,
      send: async (frames, sendOptions) => {
        checkFrames(frames)
        throwIfAborted(sendOptions)
        const bytes = frames.reduce((sum, { length }) => sum + length, 0)
        // In one process nothing comes between the check of all and the writing of all.
        for (const producer of producers) producer.checkRoom(frames, bytes)
        return producers.map((producer) => producer.append(frames))
      },
      close,
      [Symbol.asyncDispose]: close,
    }
  }

  async openReader(channel: string, start: StartPosition, options?: CallOptions): Promise<MqReader> {
    checkChannel(channel)
    checkStart(start)
    this.#check(options)
    const reader = new LogReader(this.#log(channel), start, (it) => this.#readers.delete(it))
    this.#readers.add(reader)
    return reader
  }

  async bounds(channel: string, options?: CallOptions): Promise<{ first: MessageId | undefined; last: MessageId | undefined }> {
    checkChannel(channel)
    this.#check(options)
    const { first, end } = this.#log(channel)
    if (first === end) return { first: undefined, last: undefined }
    return { first: new OffsetId(backend, first), last: new OffsetId(backend, end - 1) }
  }

  async truncate(channel: string, before: MessageId, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    const offset = offsetOf(before, backend, 'before')
    this.#check(options)
    this.#log(channel).truncate(offset)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#readers, ...this.#producers].map((it) => it.close()))
    for (const log of this.#logs.values()) log.fail(new MsgStreamError('MSG_CLOSED', 'the queue is closed', { outcome: 'not-applied' }))
    this.#logs.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(options: CallOptions | undefined): void {
    throwIfAborted(options)
    if (this.#closed) throw new MsgStreamError('MSG_CLOSED', 'the queue is closed', { outcome: 'not-applied' })
  }

  #log(channel: string): MemoryLog {
    const log = this.#logs.get(channel)
    if (log === undefined) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} does not exist`)
    return log
  }
}

class MemoryProducer implements MqProducer {
  readonly channel: string
  readonly #log: MemoryLog
  readonly #maxFrameBytes: number
  readonly #onClose: (producer: MemoryProducer) => void
  #closed = false

  constructor(log: MemoryLog, maxFrameBytes: number, onClose: (producer: MemoryProducer) => void) {
    this.channel = log.channel
    this.#log = log
    this.#maxFrameBytes = maxFrameBytes
    this.#onClose = onClose
  }

  async send(frames: readonly Uint8Array[], options?: CallOptions): Promise<MessageId[]> {
    checkFrames(frames)
    throwIfAborted(options)
    for (const frame of frames) this.#check(frame)
    return this.append(frames)
  }

  append(frames: readonly Uint8Array[]): MessageId[] {
    let offset = this.#log.append(frames)
    return frames.map(() => new OffsetId(backend, offset++))
  }

  /** Throws what writing these would throw. */
  checkRoom(frames: readonly Uint8Array[], bytes: number): void {
    for (const frame of frames) this.#check(frame)
    if (frames.length === 0) this.#check(new Uint8Array(0))
    this.#log.checkRoom(bytes)
  }

  sendTransient(frame: Uint8Array): void {
    checkFrames([frame])
    this.#check(frame)
    this.#log.handOver(frame)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#onClose(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(frame: Uint8Array): void {
    if (this.#closed) throw new MsgStreamError('MSG_CLOSED', `the producer of channel ${this.channel} is closed`, { outcome: 'not-applied' })
    if (frame.length > this.#maxFrameBytes) {
      throw new MsgStreamError('MSG_TOO_LARGE', `a frame of ${frame.length} bytes, at most ${this.#maxFrameBytes}`, { outcome: 'not-applied' })
    }
  }
}
