/** The reader of backends that are logs in this process: memory and file. */
import { checkStart, intOption, throwIfAborted } from './check.ts'
import { MsgStreamError } from './errors.ts'
import type { MessageId, MqBatch, MqReader, StartPosition } from './mq.ts'
import { OffsetId, offsetOf } from './offset-id.ts'
import type { Signal } from './signal.ts'
import { orAborted } from './signal.ts'
import type { TransientRing } from './transients.ts'

/** What a reader needs of one channel's log. Offsets are consecutive numbers of frames. */
export interface ChannelLog {
  readonly channel: string
  readonly backend: string
  /** Offset of the first kept frame. */
  readonly first: number
  /** Offset behind the last durable frame. */
  readonly end: number
  readonly transients: TransientRing
  /** Notified when any of the above changed. */
  readonly changed: Signal
  /** Why nothing can be read any more: deleted or closed. */
  readonly failure: MsgStreamError | undefined
  /** Append frames `from` .. at most `until` to `frames`, one at least; a promise only where the disk is asked. */
  collect(from: number, until: number, maxMessages: number, maxBytes: number, frames: Uint8Array[]): void | Promise<void>
}

export type ReadOptions = NonNullable<Parameters<MqReader['read']>[0]>

export class LogReader implements MqReader {
  readonly channel: string
  readonly #log: ChannelLog
  readonly #onClose: (reader: LogReader) => void
  #cursor: number
  #transient: number
  #moves = 0
  #reading = false
  #closed = false

  constructor(log: ChannelLog, start: StartPosition, onClose: (reader: LogReader) => void) {
    this.channel = log.channel
    this.#log = log
    this.#onClose = onClose
    this.#cursor = resolveStart(log, start)
    this.#transient = log.transients.end
  }

  async read(options: ReadOptions = {}): Promise<MqBatch | undefined> {
    const maxMessages = intOption(options.maxMessages, 'maxMessages', 1024, 1, 1_000_000)
    const maxBytes = intOption(options.maxBytes, 'maxBytes', 1 << 20, 1, 1 << 30)
    throwIfAborted(options)
    if (this.#reading) throw new MsgStreamError('MSG_BUSY', `a read of channel ${this.channel} is already waiting`)
    this.#reading = true
    try {
      for (;;) {
        if (this.#closed) return undefined
        const batch = this.#gather(maxMessages, maxBytes)
        const got = batch instanceof Promise ? await orAborted(batch, options.signal) : batch
        if (got !== undefined) return this.#closed ? undefined : got
        if (!(batch instanceof Promise)) await this.#log.changed.wait(options.signal)
      }
    } finally {
      this.#reading = false
    }
  }

  /** What can be had now; `undefined` when there is nothing. A promise when the disk has to be read. */
  #gather(maxMessages: number, maxBytes: number): MqBatch | undefined | Promise<MqBatch | undefined> {
    const log = this.#log
    if (log.failure !== undefined) throw log.failure
    if (this.#cursor < log.first) throw this.#expired()
    const ids: MessageId[] = []
    const frames: Uint8Array[] = []
    let bytes = 0
    while (ids.length < maxMessages && bytes < maxBytes) {
      this.#transient = log.transients.skip(this.#transient, this.#cursor)
      const transient = log.transients.at(this.#transient)
      if (transient !== undefined && transient.place === this.#cursor && transient.place <= log.end) {
        ids.push(new OffsetId(log.backend, this.#cursor))
        frames.push(transient.frame)
        bytes += transient.frame.length
        this.#transient++
        continue
      }
      const until = Math.min(log.end, transient?.place ?? Infinity)
      if (this.#cursor >= until) break
      const before = frames.length
      const pending = log.collect(this.#cursor, until, maxMessages - ids.length, maxBytes - bytes, frames)
      if (pending !== undefined) return this.#fromDisk(pending, ids, frames)
      bytes += this.#advance(before, ids, frames)
    }
    return frames.length === 0 ? undefined : { ids, frames }
  }

  async #fromDisk(pending: Promise<void>, ids: MessageId[], frames: Uint8Array[]): Promise<MqBatch | undefined> {
    const moves = this.#moves
    const before = ids.length
    try {
      await pending
    } catch (error) {
      // Retention may delete a segment while it is read: then the place is gone, the disk is not broken.
      if (this.#log.failure === undefined && this.#cursor < this.#log.first) throw this.#expired()
      throw error
    }
    if (moves !== this.#moves || this.#closed) return undefined
    this.#advance(before, ids, frames)
    return frames.length === 0 ? undefined : { ids, frames }
  }

  #advance(before: number, ids: MessageId[], frames: Uint8Array[]): number {
    let bytes = 0
    for (let i = before; i < frames.length; i++) {
      ids.push(new OffsetId(this.#log.backend, this.#cursor++))
      bytes += (frames[i] as Uint8Array).length
    }
    return bytes
  }

  #expired(): MsgStreamError {
    const { backend, first, end } = this.#log
    return new MsgStreamError('MSG_POSITION_EXPIRED', `offset ${this.#cursor} of channel ${this.channel} is no longer kept, the first is ${first}`, {
      details: { channel: this.channel, first: new OffsetId(backend, first), latest: end > first ? new OffsetId(backend, end - 1) : undefined },
    })
  }

  async seek(position: StartPosition): Promise<void> {
    checkStart(position)
    if (this.#closed) throw new MsgStreamError('MSG_CLOSED', `the reader of channel ${this.channel} is closed`)
    this.#cursor = resolveStart(this.#log, position)
    this.#transient = this.#log.transients.end
    this.#moves++
    this.#log.changed.notify()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#onClose(this)
    this.#log.changed.notify()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function resolveStart(log: ChannelLog, start: StartPosition): number {
  if (log.failure !== undefined) throw log.failure
  if ('at' in start && start.at !== undefined) return start.at === 'earliest' ? log.first : log.end
  const cursor = 'from' in start ? offsetOf(start.from, log.backend, 'start.from') : 'after' in start ? offsetOf(start.after, log.backend, 'start.after') + 1 : 0
  if (cursor > log.end) {
    throw new MsgStreamError('MSG_POSITION_AHEAD', `offset ${cursor} of channel ${log.channel} is beyond its end ${log.end}`, {
      details: { channel: log.channel, latest: log.end > log.first ? new OffsetId(log.backend, log.end - 1) : undefined },
    })
  }
  return cursor
}
