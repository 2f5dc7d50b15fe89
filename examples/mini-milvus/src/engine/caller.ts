/**
 * Searches in the caller's thread. Asking a worker costs both threads more than a short search does, so a few of these are done
 * at once; a turn of the event loop has a budget for them, and what is beyond it goes to the workers.
 */
import { type Graph, openGraph } from './graph.ts'
import { costOf } from './plan.ts'
import { type SearchQuery, type SearchResult, searchSet } from './search.ts'
import type { EngineSet } from './slot.ts'

/** Multiply-adds of a turn, about 0.6 ms: two searches of a graph. */
const TURN_BUDGET = 640_000
/** Less than it costs to ask another thread, about 30 us: always done here. */
const ALWAYS = 32_768

interface Opened {
  readonly known: EngineSet
  readonly graph: Graph
}

export class CallerSearch {
  readonly #opened = new Map<string, Opened>()
  readonly #sets: ReadonlyMap<string, EngineSet>
  readonly #afterTurn: (callback: () => void) => void
  #left = TURN_BUDGET
  #isWaiting = false

  constructor(sets: ReadonlyMap<string, EngineSet>, afterTurn: (callback: () => void) => void) {
    this.#sets = sets
    this.#afterTurn = afterTurn
  }

  /** Opens a file that a worker has checked and opened before. Where that fails, the workers do all searches of the set. */
  async attach(id: string, known: EngineSet): Promise<void> {
    const { set, index: file } = known
    if (file === undefined) return
    try {
      const graph = await openGraph(file.path, set)
      // The set may have been dropped or replaced meanwhile.
      if (this.#sets.get(id) === known) this.#opened.set(id, { known, graph })
    } catch {
      this.forget(id)
    }
  }

  forget(id: string): void {
    this.#opened.delete(id)
  }

  clear(): void {
    this.#opened.clear()
  }

  /** The index of these very vectors, as it was attached last. */
  graphOf(id: string, known: EngineSet): Graph | undefined {
    const opened = this.#opened.get(id)
    return opened?.known === known ? opened.graph : undefined
  }

  /** True where a search of that cost may be done here and now; the budget is then charged. */
  take(cost: number): boolean {
    if (cost <= ALWAYS) return true
    if (cost > this.#left) return false
    this.#left -= cost
    if (!this.#isWaiting) {
      this.#isWaiting = true
      this.#afterTurn(() => {
        this.#isWaiting = false
        this.#left = TURN_BUDGET
      })
    }
    return true
  }

  search(id: string, known: EngineSet, query: SearchQuery): SearchResult {
    return searchSet(known.set, this.graphOf(id, known), query)
  }

  /** Multiply-adds of a search, by the plan it will follow. */
  costOf(id: string, known: EngineSet, query: SearchQuery): number {
    return costOf(known.set, query, this.graphOf(id, known) !== undefined)
  }
}
