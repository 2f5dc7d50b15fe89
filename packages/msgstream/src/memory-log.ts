/** One channel in memory. */
import { MsgStreamError } from './errors.ts'
import type { ChannelLog } from './log-reader.ts'
import { Signal } from './signal.ts'
import { TransientRing } from './transients.ts'

export class MemoryLog implements ChannelLog {
  readonly channel: string
  readonly backend = 'memory'
  readonly transients = new TransientRing()
  readonly changed = new Signal()
  failure: MsgStreamError | undefined
  readonly #maxBytes: number
  readonly #whenFull: 'reject' | 'drop-oldest'
  #frames: (Uint8Array | undefined)[] = []
  // The first `#head` slots are free; they are given back when they are half of the array.
  #head = 0
  #base = 0
  #bytes = 0

  constructor(channel: string, maxBytes: number, whenFull: 'reject' | 'drop-oldest') {
    this.channel = channel
    this.#maxBytes = maxBytes
    this.#whenFull = whenFull
  }

  get first(): number {
    return this.#base + this.#head
  }

  get end(): number {
    return this.#base + this.#frames.length
  }

  /** Throws what {@link append} of so many bytes would throw. */
  checkRoom(bytes: number): void {
    if (this.failure !== undefined) throw this.failure
    if (bytes > this.#maxBytes || (this.#whenFull === 'reject' && this.#bytes + bytes > this.#maxBytes)) this.#makeRoom(bytes)
  }

  /** Copy the frames in; gives the first one's offset. */
  append(frames: readonly Uint8Array[]): number {
    if (this.failure !== undefined) throw this.failure
    const offset = this.end
    let bytes = 0
    for (let i = 0; i < frames.length; i++) bytes += (frames[i] as Uint8Array).length
    if (this.#bytes + bytes > this.#maxBytes) this.#makeRoom(bytes)
    const copy = new Uint8Array(bytes)
    let at = 0
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i] as Uint8Array
      copy.set(frame, at)
      this.#frames.push(copy.subarray(at, at + frame.length))
      at += frame.length
    }
    this.#bytes += bytes
    if (frames.length > 0) this.changed.notify()
    return offset
  }

  #makeRoom(bytes: number): void {
    if (this.#whenFull === 'reject' || bytes > this.#maxBytes) {
      throw new MsgStreamError('MSG_FULL', `channel ${this.channel} holds ${this.#bytes} of ${this.#maxBytes} bytes, ${bytes} more do not fit`, { outcome: 'not-applied' })
    }
    while (this.#bytes + bytes > this.#maxBytes) this.#dropOne()
    this.#compact()
  }

  /** Hand a frame to those who tail, in order with what was appended. */
  handOver(frame: Uint8Array): void {
    if (this.failure !== undefined) throw this.failure
    this.transients.push(frame.slice(), this.end)
    this.changed.notify()
  }

  truncate(before: number): void {
    while (this.first < before && this.first < this.end) this.#dropOne()
    this.#compact()
    this.changed.notify()
  }

  #dropOne(): void {
    this.#bytes -= (this.#frames[this.#head] as Uint8Array).length
    this.#frames[this.#head++] = undefined
  }

  #compact(): void {
    if (this.#head < 1024 || this.#head * 2 < this.#frames.length) return
    this.#frames = this.#frames.slice(this.#head)
    this.#base += this.#head
    this.#head = 0
  }

  collect(from: number, until: number, maxMessages: number, maxBytes: number, out: Uint8Array[]): void {
    const last = Math.min(until, from + maxMessages)
    let bytes = 0
    for (let i = from; i < last && bytes < maxBytes; i++) {
      const frame = this.#frames[i - this.#base] as Uint8Array
      bytes += frame.length
      out.push(frame)
    }
  }

  /** End it: everyone who reads or writes gets this error. */
  fail(error: MsgStreamError): void {
    this.failure = error
    this.#frames = []
    this.#bytes = 0
    this.changed.notify()
  }
}
