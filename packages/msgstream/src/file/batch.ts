/** Frames on their way to the disk: laid out as they will lie in the file, in buffers that later serve readers. */
import { FRAME_HEADER_BYTES, frameBytes, sealFrame } from './frame.ts'

const chunkBytes = 256 << 10

/** A piece of a chunk that holds whole frames. */
export interface Part {
  readonly buffer: Buffer
  readonly start: number
  end: number
  readonly first: number
  count: number
}

interface Waiter {
  readonly first: number
  readonly count: number
  readonly resolve: (first: number) => void
  readonly reject: (error: unknown) => void
}

/** One group commit. */
export class Batch {
  readonly parts: Part[] = []
  readonly waiters: Waiter[] = []
  readonly first: number
  count = 0
  bytes = 0

  constructor(first: number) {
    this.first = first
  }

  /** Headers and checksums, once the place in the file is known. */
  seal(epoch: number, position: number, note: (offset: number, position: number) => void): void {
    let offset = this.first
    for (const { buffer, start, end } of this.parts) {
      for (let at = start; at < end; offset++) {
        note(offset, position)
        const total = sealFrame(buffer, at, offset, epoch, offset - this.first, position)
        at += total
        position += total
      }
    }
  }
}

/** Lays frames into chunks; a chunk is used up by one batch after the other. */
export class BatchWriter {
  #chunk = Buffer.alloc(0)
  #used = 0

  add(batch: Batch, frame: Uint8Array): void {
    const total = FRAME_HEADER_BYTES + frame.length
    if (this.#used + total > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, total))
      this.#used = 0
    }
    let part = batch.parts[batch.parts.length - 1]
    if (part === undefined || part.buffer !== this.#chunk) {
      part = { buffer: this.#chunk, start: this.#used, end: this.#used, first: batch.first + batch.count, count: 0 }
      batch.parts.push(part)
    }
    this.#chunk.writeUInt32LE(frame.length, this.#used + 8)
    this.#chunk.set(frame, this.#used + FRAME_HEADER_BYTES)
    this.#used += total
    part.end = this.#used
    part.count++
    batch.count++
    batch.bytes += total
  }
}

/** Append views of the frames from offset `from` on; gives how many bytes. */
export function viewPart(part: Part, from: number, until: number, maxMessages: number, maxBytes: number, out: Uint8Array[]): number {
  let bytes = 0
  let taken = 0
  let offset = part.first
  for (let at = part.start; at < part.end && offset < until && taken < maxMessages && bytes < maxBytes; offset++) {
    const total = frameBytes(part.buffer, at)
    if (offset >= from) {
      out.push(part.buffer.subarray(at + FRAME_HEADER_BYTES, at + total))
      bytes += total
      taken++
    }
    at += total
  }
  return bytes
}
