/** One segment file: where its frames are, and reading them. */
import { checkFrame, corrupt, FRAME_HEADER_BYTES, frameBytes, frameOffset, SEGMENT_HEADER_BYTES } from './frame.ts'
import { readFully, type FileSystem, type OpenFile } from './file-system.ts'

const indexBytes = 64 << 10
const maxHints = 32

export const segmentName = (base: number): string => `${String(base).padStart(16, '0')}.seg`
export const segmentBase = (name: string): number | undefined => (/^\d{16}\.seg$/.test(name) ? Number(name.slice(0, 16)) : undefined)

export interface Limits {
  /** Offset behind the last frame that may be read. */
  readonly until: number
  readonly maxMessages: number
  readonly maxBytes: number
}

export class Segment {
  readonly base: number
  readonly path: string
  /** Bytes that are readable: of the newest segment those that were committed. */
  size: number
  modified: number
  readonly #fs: FileSystem
  // Sparse index, rising: a frame's offset and its place in the file.
  readonly #offsets: number[]
  readonly #positions: number[] = [SEGMENT_HEADER_BYTES]
  // Where sequential readers go on.
  readonly #hints = new Map<number, number>()
  #file: Promise<OpenFile> | undefined
  #users = 0
  #closing = false

  constructor(fs: FileSystem, folder: string, base: number, size: number, modified: number) {
    this.#fs = fs
    this.base = base
    this.path = `${folder}/${segmentName(base)}`
    this.size = size
    this.modified = modified
    this.#offsets = [base]
  }

  /** Note a frame's place if the last one noted is far enough away. */
  note(offset: number, position: number): void {
    const last = this.#offsets.length - 1
    if (offset <= (this.#offsets[last] as number) || position - (this.#positions[last] as number) < indexBytes) return
    this.#offsets.push(offset)
    this.#positions.push(position)
  }

  /** Forget places from this offset on: what was noted there was not written. */
  forget(from: number): void {
    while (this.#offsets.length > 1 && (this.#offsets.at(-1) as number) >= from) {
      this.#offsets.pop()
      this.#positions.pop()
    }
  }

  #locate(offset: number): { offset: number; position: number } {
    const hint = this.#hints.get(offset)
    if (hint !== undefined) {
      this.#hints.delete(offset)
      return { offset, position: hint }
    }
    let low = 0
    let high = this.#offsets.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#offsets[middle] as number) <= offset) low = middle
      else high = middle - 1
    }
    return { offset: this.#offsets[low] as number, position: this.#positions[low] as number }
  }

  #hint(offset: number, position: number): void {
    this.#hints.set(offset, position)
    if (this.#hints.size <= maxHints) return
    for (const oldest of this.#hints.keys()) {
      this.#hints.delete(oldest)
      break
    }
  }

  /** Frames from `from` on, at least one; each is checked. A bad one is `MSG_CORRUPT`. */
  async read(from: number, limits: Limits, out: Uint8Array[]): Promise<void> {
    const file = await this.#acquire()
    try {
      const at = this.#locate(from)
      const before = out.length
      let chunkBytes = Math.min(Math.max(limits.maxBytes, 64 << 10) + FRAME_HEADER_BYTES, 4 << 20)
      while (out.length === before) {
        const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, this.size - at.position))
        const bytes = await readFully(file, chunk, at.position)
        const parsed = this.#parse(chunk, bytes, at, from, limits, out)
        if (parsed === 0) {
          const needed = bytes >= FRAME_HEADER_BYTES ? frameBytes(chunk, 0) : FRAME_HEADER_BYTES
          if (bytes < chunk.length || at.position + needed > this.size) throw corrupt(this.path, at.position, this.size, 'a frame is cut off', { offset: at.offset })
          chunkBytes = Math.max(needed, chunkBytes * 2)
        }
      }
      this.#hint(at.offset, at.position)
    } finally {
      this.#release()
    }
  }

  /** Moves `at` over the frames that were read; gives their number. */
  #parse(chunk: Buffer, bytes: number, at: { offset: number; position: number }, from: number, limits: Limits, out: Uint8Array[]): number {
    let place = 0
    let frames = 0
    let size = 0
    let taken = 0
    while (at.offset < limits.until && taken < limits.maxMessages && size < limits.maxBytes) {
      const total = checkFrame(chunk, place, bytes, at.position)
      if (total === 0) break
      if (total < 0 || frameOffset(chunk, place) !== at.offset) {
        // What was read before the bad frame is good: give it out, the next read meets the bad one first.
        if (taken > 0) break
        throw corrupt(this.path, at.position, this.size, 'a bad frame', { offset: at.offset })
      }
      if (at.offset >= from) {
        out.push(chunk.subarray(place + FRAME_HEADER_BYTES, place + total))
        size += total
        taken++
      } else {
        this.note(at.offset, at.position)
      }
      place += total
      at.position += total
      at.offset++
      frames++
    }
    return frames
  }

  async #acquire(): Promise<OpenFile> {
    this.#users++
    this.#file ??= this.#fs.open(this.path, 'read')
    try {
      return await this.#file
    } catch (error) {
      this.#file = undefined
      this.#users--
      throw error
    }
  }

  #release(): void {
    this.#users--
    if (this.#closing) void this.close()
  }

  get open(): boolean {
    return this.#file !== undefined
  }

  /** Give the descriptor back once nobody reads. */
  async close(): Promise<void> {
    this.#closing = this.#users > 0
    if (this.#closing || this.#file === undefined) return
    const file = this.#file
    this.#file = undefined
    await (await file).close().catch(() => {})
  }
}
