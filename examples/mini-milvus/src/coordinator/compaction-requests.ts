/** Compactions that somebody asked for, and how far they are. They are remembered while the node runs, the last thousand. */
export interface CompactionMerge {
  readonly sources: readonly bigint[]
  /** The new segment; 0n where no row was left. */
  readonly target: bigint
}

export interface CompactionRequest {
  readonly id: bigint
  readonly collectionId: bigint
  state: 'executing' | 'completed' | 'failed'
  readonly merges: CompactionMerge[]
}

const MAX_REMEMBERED = 1000

export class CompactionRequests {
  readonly #byId = new Map<bigint, CompactionRequest>()

  add(id: bigint, collectionId: bigint): CompactionRequest {
    const request: CompactionRequest = { id, collectionId, state: 'executing', merges: [] }
    this.#byId.set(id, request)
    const [oldest] = this.#byId.keys()
    if (this.#byId.size > MAX_REMEMBERED && oldest !== undefined) this.#byId.delete(oldest)
    return request
  }

  get(id: bigint): CompactionRequest | undefined {
    return this.#byId.get(id)
  }

  executing(): CompactionRequest[] {
    return [...this.#byId.values()].filter(({ state }) => state === 'executing')
  }
}
