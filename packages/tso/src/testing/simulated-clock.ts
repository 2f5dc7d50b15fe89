/** A clock that stands still until it is told to go on; its timers run in the order of their time, then of their making. */
import type { Clock } from '../clock.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

export interface SimulatedClockOptions {
  /** Wall time at the start, ms since 1970. Default 1,700,000,000,000 (2023-11-14). */
  readonly now?: number | undefined
}

export class SimulatedClock implements Clock {
  #mono = 0
  #wallOffset: number
  #order = 0
  /** A binary heap. */
  readonly #heap: Timer[] = []
  readonly #cancelled = new Set<Timer>()

  constructor({ now = 1_700_000_000_000 }: SimulatedClockOptions = {}) {
    this.#wallOffset = now
  }

  now(): number {
    return this.#wallOffset + this.#mono
  }

  monotonic(): number {
    return this.#mono
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { at: this.#mono + Math.max(0, delayMs), order: this.#order++, callback }
    this.#push(timer)
    return () => {
      // A timer that ran is not remembered.
      if (this.#heap.includes(timer)) this.#cancelled.add(timer)
    }
  }

  /** Timers that would run. */
  get pendingTimers(): number {
    return this.#heap.length - this.#cancelled.size
  }

  /** Sets the wall clock forward or back; monotonic time and timers do not notice. */
  jump(ms: number): void {
    this.#wallOffset += ms
  }

  /** Lets `ms` pass and runs what is due, each timer at its own time. */
  advance(ms: number): void {
    const end = this.#mono + ms
    for (let next = this.#peek(); next !== undefined && next.at <= end; next = this.#peek()) this.runNext()
    this.#mono = end
  }

  /** Goes to the next timer and runs it. False when there is none. */
  runNext(): boolean {
    const timer = this.#peek()
    if (timer === undefined) return false
    this.#pop()
    this.#mono = Math.max(this.#mono, timer.at)
    timer.callback()
    return true
  }

  #peek(): Timer | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (!this.#cancelled.delete(top)) return top
      this.#pop()
    }
    return undefined
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let index = heap.push(timer) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || before(above, timer)) break
      heap[index] = above
      index = parent
    }
    heap[index] = timer
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const [left, right] = [heap[child], heap[child + 1]]
      if (left === undefined) break
      if (right !== undefined && before(right, left)) child++
      const smaller = heap[child]
      if (smaller === undefined || before(last, smaller)) break
      heap[index] = smaller
      index = child
    }
    heap[index] = last
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
