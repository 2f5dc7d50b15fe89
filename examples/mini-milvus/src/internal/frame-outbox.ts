/** Frames that are to go out on a stream: those of one turn of the loop in one message, long replies in pieces that take turns with the others. */
import { ByteWriter } from './bytes.ts'
import { type CallFrame, writeFrame } from './call-frames.ts'

export interface FrameSink {
  /** False: it wants to be left alone until it has drained. */
  write(message: Uint8Array): boolean
  once(event: 'drain', listener: () => void): unknown
}

/** Of a reply, in one frame; of a message, about. */
export const PIECE_BYTES = 64 * 1024

export class FrameOutbox {
  readonly #sink: FrameSink
  readonly #waiting: CallFrame[] = []
  #isScheduled = false
  #isFull = false
  #closed = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** Who sends bounds how much waits: there is a frame or two for each call under way. */
  send(frame: CallFrame): void {
    if (this.#closed) return
    this.#waiting.push(frame)
    if (this.#isScheduled || this.#isFull) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  /** False: the frames of this call have left already, some of them at least. */
  withdraw(id: number): boolean {
    const at = this.#waiting.findIndex((frame) => frame.id === id)
    if (at >= 0) this.#waiting.splice(at, 1)
    return at >= 0
  }

  /** The stream is gone, and what waits with it. */
  abandon(): void {
    this.#closed = true
    this.#waiting.length = 0
  }

  /** Writes all that waits, whatever the stream says, and nothing that is sent later: the stream ends behind it. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    while (this.#waiting.length > 0) this.#sink.write(this.#message())
  }

  #pump(): void {
    while (!this.#isFull && this.#waiting.length > 0) {
      if (this.#sink.write(this.#message())) continue
      this.#isFull = true
      this.#sink.once('drain', () => {
        this.#isFull = false
        this.#pump()
      })
    }
  }

  #message(): Uint8Array {
    const writer = new ByteWriter(1024)
    for (let frame = this.#waiting.shift(); frame !== undefined; frame = writer.length < PIECE_BYTES ? this.#waiting.shift() : undefined) {
      if (frame.kind !== 'reply' || frame.body.length <= PIECE_BYTES) writeFrame(writer, frame)
      else {
        writeFrame(writer, { ...frame, isLast: false, body: frame.body.subarray(0, PIECE_BYTES) })
        this.#waiting.push({ ...frame, body: frame.body.subarray(PIECE_BYTES) })
      }
    }
    return writer.finish()
  }
}
