/** The first few of many in order. */
type Compare = (a: number, b: number) => number

/** So many are looked at first, to know where the first `limit` may end. */
const SAMPLE = 1024

/**
 * The first `limit`, sorted. A sample gives a bound that most are refused by: rows often lie in the reverse of the order in which they
 * are asked for, and then each would be better than all before it.
 */
export function firstOf(slots: Uint32Array, limit: number, compare: Compare): number[] {
  const share = Math.ceil((limit / slots.length) * SAMPLE) * 2 + 8
  if (slots.length > 4 * SAMPLE && share < SAMPLE / 2) {
    const found = bounded(slots, limit, compare, share)
    if (found !== undefined) return found
  }
  const best = new Best(limit, compare)
  for (let i = 0; i < slots.length; i++) best.offer(slots[i] as number)
  return best.sorted()
}

/** Undefined: fewer than `limit` lie before the bound. */
function bounded(slots: Uint32Array, limit: number, compare: Compare, share: number): number[] | undefined {
  const sample = new Best(share, compare)
  const step = Math.floor(slots.length / SAMPLE)
  for (let i = 0; i < slots.length; i += step) sample.offer(slots[i] as number)
  const bound = sample.worst
  const best = new Best(limit, compare)
  let offered = 0
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number
    if (compare(slot, bound) > 0) continue
    best.offer(slot)
    offered++
  }
  return offered < limit ? undefined : best.sorted()
}

/** A heap with the worst on top. */
class Best {
  readonly #limit: number
  readonly #compare: Compare
  readonly #heap: number[] = []

  constructor(limit: number, compare: Compare) {
    this.#limit = limit
    this.#compare = compare
  }

  offer(slot: number): void {
    const heap = this.#heap
    if (heap.length < this.#limit) {
      heap.push(slot)
      this.#up(heap.length - 1)
    } else if (this.#compare(slot, heap[0] as number) < 0) {
      heap[0] = slot
      this.#down()
    }
  }

  get worst(): number {
    return this.#heap[0] as number
  }

  sorted(): number[] {
    return this.#heap.sort(this.#compare)
  }

  #up(start: number): void {
    const heap = this.#heap
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1
      if (this.#compare(heap[at] as number, heap[parent] as number) <= 0) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #down(): void {
    const heap = this.#heap
    for (let at = 0; ; ) {
      let worst = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < heap.length; child++) if (this.#compare(heap[child] as number, heap[worst] as number) > 0) worst = child
      if (worst === at) return
      this.#swap(at, worst)
      at = worst
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const kept = heap[a] as number
    heap[a] = heap[b] as number
    heap[b] = kept
  }
}
