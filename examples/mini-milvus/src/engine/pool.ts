/** Spreads searches over worker threads that are started when they are needed. */
import type { EngineThread } from './engine-thread.edge.ts'
import { EngineError } from './errors.ts'
import type { SearchItem } from './protocol.ts'
import type { SearchResult } from './search.ts'
import { type AttachedIndex, type EngineSet, WorkerSlot } from './slot.ts'

/** One is worked on, the others keep the thread from waiting for this one; the rest waits here, where it can be aborted. */
const MAX_IN_FLIGHT = 3

interface Job {
  readonly items: readonly SearchItem[]
  resolve(results: readonly SearchResult[]): void
  reject(error: unknown): void
}

export class WorkerPool {
  readonly sets = new Map<string, EngineSet>()
  readonly #threads: number
  readonly #maxQueued: number
  readonly #start: () => EngineThread
  readonly #slots = new Set<WorkerSlot>()
  readonly #queue = new Set<Job>()
  #closed = false

  constructor(threads: number, maxQueued: number, start: () => EngineThread) {
    this.#threads = threads
    this.#maxQueued = maxQueued
    this.#start = start
  }

  /** Nobody waits for a worker. */
  get isIdle(): boolean {
    if (this.#queue.size > 0) return false
    for (const slot of this.#slots) if (slot.inFlight > 0) return false
    return true
  }

  forget(id: string): void {
    this.sets.delete(id)
    for (const slot of this.#slots) slot.forget(id)
  }

  /** The set as it is known with its index. */
  async attach(id: string, index: AttachedIndex): Promise<EngineSet> {
    const known = this.#known(id)
    const slot = this.#freest() ?? this.#add()
    await slot.verify(index.path, index.crc32)
    // The set may have been dropped or replaced while its file was read.
    if (this.#known(id).set !== known.set) throw new EngineError('ENGINE_UNKNOWN_SET', `the vectors of ${id} were replaced`)
    const next: EngineSet = { set: known.set, index }
    this.sets.set(id, next)
    try {
      await slot.attach(id, next)
    } catch (error) {
      if (this.sets.get(id) === next) this.sets.set(id, known)
      throw error
    }
    return next
  }

  /** Results in order of the items. Items go to as many workers as are idle, else all to one. */
  async search(items: readonly SearchItem[], costs: readonly number[], signal: AbortSignal | undefined): Promise<readonly SearchResult[]> {
    const parts = this.#split(costs)
    if (parts.length === 1) return this.#submit(items, signal)
    const answers = await Promise.all(
      parts.map((part) =>
        this.#submit(
          part.map((i) => items[i] as SearchItem),
          signal,
        ),
      ),
    )
    const results: SearchResult[] = []
    for (const [p, part] of parts.entries()) for (const [n, i] of part.entries()) results[i] = answers[p]?.[n] as SearchResult
    return results
  }

  async close(): Promise<void> {
    this.#closed = true
    const error = new EngineError('ENGINE_CLOSED', 'the engine was closed')
    for (const job of this.#queue) job.reject(error)
    this.#queue.clear()
    const slots = [...this.#slots]
    this.#slots.clear()
    for (const slot of slots) slot.rejectAll(error)
    await Promise.all(slots.map((slot) => slot.end()))
    this.sets.clear()
  }

  #known(id: string): EngineSet {
    if (this.#closed) throw new EngineError('ENGINE_CLOSED', 'the engine was closed')
    const known = this.sets.get(id)
    if (known === undefined) throw new EngineError('ENGINE_UNKNOWN_SET', `no vectors are known as ${id}`)
    return known
  }

  #submit(items: readonly SearchItem[], signal: AbortSignal | undefined): Promise<readonly SearchResult[]> {
    if (this.#queue.size >= this.#maxQueued) {
      return Promise.reject(new EngineError('ENGINE_OVERLOADED', `${this.#queue.size} searches wait already`))
    }
    return new Promise((resolve, reject) => {
      const job: Job = { items, resolve, reject }
      if (signal !== undefined) {
        const abort = () => {
          this.#queue.delete(job)
          reject(signal.reason as Error)
        }
        signal.addEventListener('abort', abort, { once: true })
        const settled = () => signal.removeEventListener('abort', abort)
        job.resolve = (results) => (settled(), resolve(results))
        job.reject = (error) => (settled(), reject(error))
      }
      this.#queue.add(job)
      this.#pump()
    })
  }

  #pump(): void {
    for (const job of this.#queue) {
      const slot = this.#freest()
      if (slot === undefined || slot.inFlight >= MAX_IN_FLIGHT) return
      this.#queue.delete(job)
      slot.search(job.items, this.sets).then(
        (results) => job.resolve(results),
        (error: unknown) => job.reject(error),
      )
    }
  }

  /** The slot with the least to do; a new one while there are fewer than allowed and all have something to do. */
  #freest(): WorkerSlot | undefined {
    let best: WorkerSlot | undefined
    for (const slot of this.#slots) if (best === undefined || slot.inFlight < best.inFlight) best = slot
    if ((best === undefined || best.inFlight > 0) && this.#slots.size < this.#threads) return this.#add()
    return best
  }

  #add(): WorkerSlot {
    const slot = new WorkerSlot(
      this.#start(),
      () => this.#pump(),
      () => {
        this.#slots.delete(slot)
        this.#pump()
      },
    )
    this.#slots.add(slot)
    return slot
  }

  #split(costs: readonly number[]): number[][] {
    let idle = this.#threads - this.#slots.size
    for (const slot of this.#slots) if (slot.inFlight === 0) idle++
    const parts = Array.from({ length: Math.max(1, Math.min(idle, costs.length)) }, () => ({ cost: 0, items: [] as number[] }))
    const order = costs.map((_, i) => i).sort((a, b) => (costs[b] ?? 0) - (costs[a] ?? 0))
    for (const i of order) {
      const least = parts.reduce((best, part) => (part.cost < best.cost ? part : best))
      least.cost += costs[i] ?? 0
      least.items.push(i)
    }
    // One part keeps the order of its items as it is.
    return parts.length === 1 ? [costs.map((_, i) => i)] : parts.map(({ items }) => items)
  }
}
