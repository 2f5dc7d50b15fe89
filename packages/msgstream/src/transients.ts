/** Frames that are handed to tailing readers and stored nowhere. */
export interface Transient {
  readonly frame: Uint8Array
  /** Offset of the durable frame it comes before. */
  readonly place: number
}

const maxCount = 256
const maxBytes = 1 << 20
const nothing = new Uint8Array(0)

/**
 * The last transient frames of a channel, numbered. A reader that has not been asked for a while finds them here; one that
 * is further behind misses the oldest: they are progress, not data.
 */
export class TransientRing {
  readonly #items: Transient[] = []
  #first = 0
  #bytes = 0

  /** The number of the next one. */
  get end(): number {
    return this.#first + this.#items.length
  }

  push(frame: Uint8Array, place: number): void {
    this.#items.push({ frame, place })
    this.#bytes += frame.length
    while (this.#items.length > maxCount || (this.#bytes > maxBytes && this.#items.length > 1)) {
      this.#bytes -= (this.#items.shift() as Transient).frame.length
      this.#first++
    }
  }

  /** Those behind frames that will not come are dropped; their numbers stay taken. */
  dropBehind(place: number): void {
    for (let i = this.#items.length - 1; i >= 0 && (this.#items[i] as Transient).place > place; i--) {
      this.#bytes -= (this.#items[i] as Transient).frame.length
      this.#items[i] = { frame: nothing, place: -1 }
    }
  }

  /** The number of the first one at or after `number` whose place is not before `cursor`. */
  skip(number: number, cursor: number): number {
    let next = Math.max(number, this.#first)
    for (let item = this.at(next); item !== undefined && item.place < cursor; item = this.at(++next));
    return next
  }

  at(number: number): Transient | undefined {
    return this.#items[number - this.#first]
  }
}
