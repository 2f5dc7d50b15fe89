/** The reader of backends on the network: a bounded buffer between a pull, which fetches ahead, and `read`. */
import { checkMessageId, checkStart, intOption, throwIfAborted } from '../check.ts'
import { MsgStreamError } from '../errors.ts'
import type { ReadOptions } from '../log-reader.ts'
import type { MessageId, MqBatch, MqReader, StartPosition } from '../mq.ts'
import { compareMessageIds } from '../position.ts'
import { Signal } from '../signal.ts'

/** Where a pull puts what it fetched. `isLive()` is false once the reader was moved or closed: then stop. */
export interface Feed {
  isLive(): boolean
  /** True when nothing more should be fetched until {@link Pull.resume}. */
  isFull(): boolean
  push(ids: readonly MessageId[], frames: readonly Uint8Array[]): void
  /** Everything up to this id was pushed, or is nothing to read. */
  passed(id: MessageId): void
  /** What `read` rejects with, behind what was pushed, until the next seek. */
  fail(error: unknown): void
}

export interface Pull {
  /** There is room again. */
  resume(): void
  /** Ends it; what it holds is freed when this resolves. Idempotent. */
  stop(): Promise<void>
}

export interface RemoteReaderOptions<C> {
  readonly channel: string
  readonly cursor: C
  readonly maxBufferedBytes: number
  resolve(start: StartPosition): Promise<C>
  /** Begins with the first read behind an opening or a seek, so that retention is found out then. */
  pull(cursor: C, feed: Feed): Pull
  onClose(reader: RemoteReader<C>): void
}

interface Chunk {
  readonly ids: readonly MessageId[]
  readonly frames: readonly Uint8Array[]
  readonly bytes: number
  at: number
}

export class RemoteReader<C> implements MqReader {
  readonly channel: string
  readonly #options: RemoteReaderOptions<C>
  readonly #changed = new Signal()
  readonly #stopping = new Set<Promise<void>>()
  #cursor: C
  #chunks: Chunk[] = []
  #bytes = 0
  #failure: unknown
  #passed: MessageId | undefined
  #ended: MsgStreamError | undefined
  #pull: Pull | undefined
  #moves = 0
  #reading = false
  #closed = false

  constructor(options: RemoteReaderOptions<C>) {
    this.channel = options.channel
    this.#options = options
    this.#cursor = options.cursor
  }

  async read(options: ReadOptions = {}): Promise<MqBatch | undefined> {
    const maxMessages = intOption(options.maxMessages, 'maxMessages', 1024, 1, 1_000_000)
    const maxBytes = intOption(options.maxBytes, 'maxBytes', 1 << 20, 1, 1 << 30)
    if (options.until !== undefined) checkMessageId(options.until, 'until')
    throwIfAborted(options)
    if (this.#reading) throw new MsgStreamError('MSG_BUSY', `a read of channel ${this.channel} is already waiting`)
    this.#reading = true
    try {
      for (;;) {
        if (this.#closed) return undefined
        if (this.#ended !== undefined) throw this.#ended
        const batch = this.#take(maxMessages, maxBytes)
        if (batch !== undefined) return batch
        if (this.#failure !== undefined) throw this.#failure
        if (this.#isPast(options.until)) return { ids: [], frames: [] }
        if (this.#pull === undefined) this.#begin()
        if (this.#chunks.length === 0 && this.#failure === undefined) await this.#changed.wait(options.signal)
      }
    } finally {
      this.#reading = false
    }
  }

  #isPast(until: MessageId | undefined): boolean {
    return until !== undefined && this.#passed !== undefined && compareMessageIds(this.#passed, until) >= 0
  }

  #begin(): void {
    const moves = this.#moves
    const isLive = (): boolean => moves === this.#moves && !this.#closed
    const feed: Feed = {
      isLive,
      isFull: () => this.#bytes >= this.#options.maxBufferedBytes,
      push: (ids, frames) => {
        if (!isLive() || frames.length === 0) return
        let bytes = 0
        for (let i = 0; i < frames.length; i++) bytes += (frames[i] as Uint8Array).length
        this.#bytes += bytes + 32 * frames.length
        this.#chunks.push({ ids, frames, bytes, at: 0 })
        this.#changed.notify()
      },
      passed: (id) => {
        if (!isLive()) return
        this.#passed = id
        this.#changed.notify()
      },
      fail: (error) => {
        if (!isLive() || this.#failure !== undefined) return
        this.#failure = error
        this.#changed.notify()
      },
    }
    this.#pull = this.#options.pull(this.#cursor, feed)
  }

  #take(maxMessages: number, maxBytes: number): MqBatch | undefined {
    const chunk = this.#chunks[0]
    if (chunk === undefined) return undefined
    const wasFull = this.#bytes >= this.#options.maxBufferedBytes
    const batch = this.#whole(chunk, maxMessages, maxBytes) ?? this.#pieces(maxMessages, maxBytes)
    if (wasFull && this.#bytes < this.#options.maxBufferedBytes) this.#pull?.resume()
    return batch
  }

  /** A chunk that fits as it is costs nothing. */
  #whole(chunk: Chunk, maxMessages: number, maxBytes: number): MqBatch | undefined {
    const { ids, frames, bytes, at } = chunk
    if (at > 0 || frames.length > maxMessages || bytes > maxBytes || 2 * frames.length < Math.min(maxMessages, 64)) return undefined
    this.#chunks.shift()
    this.#bytes -= bytes + 32 * frames.length
    return { ids, frames }
  }

  #pieces(maxMessages: number, maxBytes: number): MqBatch {
    const ids: MessageId[] = []
    const frames: Uint8Array[] = []
    let bytes = 0
    while (this.#chunks[0] !== undefined && ids.length < maxMessages && bytes < maxBytes) {
      const head = this.#chunks[0]
      while (head.at < head.frames.length && ids.length < maxMessages && bytes < maxBytes) {
        const frame = head.frames[head.at] as Uint8Array
        ids.push(head.ids[head.at] as MessageId)
        frames.push(frame)
        bytes += frame.length
        this.#bytes -= frame.length + 32
        head.at++
      }
      if (head.at === head.frames.length) this.#chunks.shift()
    }
    return { ids, frames }
  }

  async seek(position: StartPosition): Promise<void> {
    checkStart(position)
    if (this.#closed) throw new MsgStreamError('MSG_CLOSED', `the reader of channel ${this.channel} is closed`)
    if (this.#ended !== undefined) throw this.#ended
    const moves = ++this.#moves
    this.#halt()
    const cursor = await this.#options.resolve(position)
    if (moves !== this.#moves) return
    this.#cursor = cursor
    // A read that waited meanwhile may have begun where the reader stood before.
    this.#moves++
    this.#halt()
    this.#changed.notify()
  }

  #halt(): void {
    const stopping = this.#pull?.stop()
    this.#pull = undefined
    this.#chunks = []
    this.#bytes = 0
    this.#failure = undefined
    this.#passed = undefined
    if (stopping === undefined) return
    const tracked = stopping.catch(() => {}).finally(() => this.#stopping.delete(tracked))
    this.#stopping.add(tracked)
  }

  /** The channel is gone: every read rejects with this. */
  async end(error: MsgStreamError): Promise<void> {
    this.#ended = error
    this.#moves++
    this.#halt()
    this.#changed.notify()
    await Promise.all(this.#stopping)
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#halt()
      this.#options.onClose(this)
      this.#changed.notify()
    }
    await Promise.all(this.#stopping)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
