/** The last changes of a memory store, for watches that resume. A ring: the oldest goes first, whole revisions at a time. */
import type { Change } from '../engine.ts'
import type { Revision } from '../kv.ts'
import { changeBytes, type ChangeLog } from '../watch-hub.ts'

export class History implements ChangeLog {
  compacted: Revision = 0n
  readonly #maxChanges: number
  readonly #maxBytes: number
  #ring: (Change | undefined)[] = []
  #head = 0
  #size = 0
  #bytes = 0

  constructor(maxChanges: number, maxBytes: number) {
    this.#maxChanges = maxChanges
    this.#maxBytes = maxBytes
  }

  push(change: Change): void {
    if (this.#maxChanges === 0) {
      this.compacted = change.revision
      return
    }
    this.#bytes += changeBytes(change)
    while (this.#size > 0 && (this.#size >= this.#maxChanges || this.#bytes > this.#maxBytes)) this.#evict()
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) % this.#ring.length] = change
    this.#size++
  }

  read(from: Revision, upTo: Revision, limit: number): { changes: readonly Change[]; next: Revision | undefined } {
    const changes: Change[] = []
    for (let index = this.#firstOf(from); index < this.#size; index++) {
      const change = this.#at(index)
      if (change === undefined || change.revision > upTo) break
      if (changes.length >= limit && change.revision !== changes.at(-1)?.revision) return { changes, next: change.revision }
      changes.push(change)
    }
    return { changes, next: undefined }
  }

  #at(index: number): Change | undefined {
    return this.#ring[(this.#head + index) % this.#ring.length]
  }

  /** Index of the first change at or above `from`, by bisection. */
  #firstOf(from: Revision): number {
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#at(middle)?.revision ?? from) < from) low = middle + 1
      else high = middle
    }
    return low
  }

  #evict(): void {
    const oldest = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) % this.#ring.length
    this.#size--
    if (oldest === undefined) return
    this.#bytes -= changeBytes(oldest)
    this.compacted = oldest.revision
  }

  #grow(): void {
    const length = Math.min(Math.max(this.#ring.length * 2, 64), this.#maxChanges)
    const bigger = Array.from({ length }, (): Change | undefined => undefined)
    for (let index = 0; index < this.#size; index++) bigger[index] = this.#at(index)
    this.#ring = bigger
    this.#head = 0
  }
}
