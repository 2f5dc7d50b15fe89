/** The last committed frames of a channel, so that readers at the tail never ask the disk. */
import { viewPart, type Part } from './batch.ts'

export class TailCache {
  readonly #maxBytes: number
  #parts: Part[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(parts: readonly Part[]): void {
    for (const part of parts) {
      const last = this.#parts[this.#parts.length - 1]
      // Neighbours in one chunk become one part: single messages must not make long lists.
      if (last !== undefined && last.buffer === part.buffer && last.end === part.start) {
        last.end = part.end
        last.count += part.count
      } else {
        this.#parts.push(part)
      }
      this.#bytes += part.end - part.start
    }
    let dropped = 0
    while (this.#bytes > this.#maxBytes && dropped < this.#parts.length) {
      const { start, end } = this.#parts[dropped++] as Part
      this.#bytes -= end - start
    }
    if (dropped > 0) this.#parts = this.#parts.slice(dropped)
  }

  /** Views of cached frames from `from` on; false when the first is not cached. */
  collect(from: number, until: number, maxMessages: number, maxBytes: number, out: Uint8Array[]): boolean {
    let low = 0
    let high = this.#parts.length - 1
    if (high < 0 || from < (this.#parts[0] as Part).first) return false
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#parts[middle] as Part).first <= from) low = middle
      else high = middle - 1
    }
    const before = out.length
    let bytes = 0
    for (; low < this.#parts.length && bytes < maxBytes && out.length - before < maxMessages; low++) {
      bytes += viewPart(this.#parts[low] as Part, from, until, maxMessages - (out.length - before), maxBytes - bytes, out)
    }
    return out.length > before
  }

  clear(): void {
    this.#parts = []
    this.#bytes = 0
  }
}
