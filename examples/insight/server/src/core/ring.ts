/** The last events of a layer, for clients that come back. Bounded in number and in size; a cursor is all that a client costs. */
import type { InsightEvent } from './model.ts'

export interface RingOptions {
  readonly maxEvents?: number | undefined
  /** Of their JSON, roughly. */
  readonly maxBytes?: number | undefined
}

/** Events as they are sent: made once, for all who get them, and kept as long as the event. */
const texts = new WeakMap<InsightEvent, string>()

export function textOf(event: InsightEvent): string {
  return texts.get(event) ?? JSON.stringify(event)
}

export class EventRing {
  readonly #maxEvents: number
  readonly #maxBytes: number
  /** Events in order of seq, without holes; `#start` is the first that is kept. */
  #events: InsightEvent[] = []
  #sizes: number[] = []
  #start = 0
  #bytes = 0
  #head: number

  constructor(head: number, { maxEvents = 20_000, maxBytes = 16 * 2 ** 20 }: RingOptions = {}) {
    this.#head = head
    this.#maxEvents = maxEvents
    this.#maxBytes = maxBytes
  }

  /** Sequence number of the last event. */
  get head(): number {
    return this.#head
  }

  get length(): number {
    return this.#events.length - this.#start
  }

  push(event: InsightEvent): void {
    if (event.seq !== this.#head + 1) throw new RangeError(`expected event ${this.#head + 1}, got ${event.seq}`)
    const text = JSON.stringify(event)
    texts.set(event, text)
    const size = text.length
    this.#events.push(event)
    this.#sizes.push(size)
    this.#bytes += size
    this.#head = event.seq
    while (this.length > this.#maxEvents || (this.#bytes > this.#maxBytes && this.length > 1)) this.#bytes -= this.#sizes[this.#start++] ?? 0
    if (this.#start > 1024 && this.#start * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#start)
      this.#sizes = this.#sizes.slice(this.#start)
      this.#start = 0
    }
  }

  /** Events after `seq`, or why they cannot be had: `outdated` (no longer kept), `future` (not from this ring). */
  after(seq: number, limit = Infinity): readonly InsightEvent[] | 'outdated' | 'future' {
    if (seq > this.#head) return 'future'
    const first = this.#head - this.length + 1
    if (seq < first - 1) return 'outdated'
    const from = this.#start + (seq + 1 - first)
    return this.#events.slice(from, Math.min(this.#events.length, from + limit))
  }
}
