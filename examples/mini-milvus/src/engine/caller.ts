/** Searches in the caller's thread: what is cheaper than to ask a worker, and what comes while nothing else does. */
import { type Graph, openGraph } from './graph.ts'
import { costOf } from './plan.ts'
import { type SearchQuery, type SearchResult, searchSet } from './search.ts'
import type { EngineSet } from './slot.ts'

/** Multiply-adds that one call may hold up the thread for, about 0.6 ms: two searches of a graph. */
export const CALLER_BUDGET = 640_000
/** Less than it costs to ask another thread, about 30 us: always done here. */
export const LESS_THAN_ASKING = 32_768

interface Opened {
  readonly known: EngineSet
  readonly graph: Graph
}

export class CallerSearch {
  readonly #opened = new Map<string, Opened>()
  readonly #sets: ReadonlyMap<string, EngineSet>

  constructor(sets: ReadonlyMap<string, EngineSet>) {
    this.#sets = sets
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

  search(id: string, known: EngineSet, query: SearchQuery): SearchResult {
    return searchSet(known.set, this.graphOf(id, known), query)
  }

  /** Multiply-adds of a search, by the plan it will follow. */
  costOf(id: string, known: EngineSet, query: SearchQuery): number {
    return costOf(known.set, query, this.graphOf(id, known) !== undefined)
  }
}
