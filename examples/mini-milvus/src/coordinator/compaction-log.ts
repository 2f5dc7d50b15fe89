/** Jobs of the compactor as others see them: the one that runs, and the last that ended. */
export interface CompactionSeen {
  /** The number of the request, or one of its own where nobody asked for it. */
  readonly id: string
  readonly collectionId: bigint
  readonly inputs: readonly bigint[]
  /** ms since 1970. */
  readonly startedAt: number
}

export interface EndedCompaction extends CompactionSeen {
  /** The segments that it wrote. */
  readonly outputs: readonly bigint[]
  /** Why it failed; undefined: it did not. */
  readonly reason: string | undefined
}

const MAX_ENDED = 50

export class CompactionLog {
  readonly #ended: EndedCompaction[] = []
  #running: CompactionSeen | undefined
  #made = 0

  get running(): CompactionSeen | undefined {
    return this.#running
  }

  get ended(): readonly EndedCompaction[] {
    return this.#ended
  }

  /** There is one job at a time. */
  begin(collectionId: bigint, inputs: readonly bigint[], startedAt: number, requestId: bigint | undefined): void {
    this.#running = { id: requestId === undefined ? `job-${++this.#made}` : String(requestId), collectionId, inputs, startedAt }
  }

  finish(outputs: readonly bigint[]): void {
    this.#end(outputs, undefined)
  }

  fail(error: unknown): void {
    this.#end([], error instanceof Error ? error.message : String(error))
  }

  /** Its segments are gone: it came to nothing. */
  forget(): void {
    this.#running = undefined
  }

  #end(outputs: readonly bigint[], reason: string | undefined): void {
    if (this.#running !== undefined) this.#ended.push({ ...this.#running, outputs, reason })
    if (this.#ended.length > MAX_ENDED) this.#ended.shift()
    this.#running = undefined
  }
}
