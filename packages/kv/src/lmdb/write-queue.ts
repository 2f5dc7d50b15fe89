/**
 * Group commit. Writes that come while a group is being synced wait and share the next one. After the first failed commit
 * the store is failed for good: Linux marks lost pages clean, so a second sync would report success for data that is gone.
 */
import type { Change } from '../engine.ts'
import { nextTurn } from '../edge.ts'
import { KVError } from '../errors.ts'
import type { Database } from './driver.ts'
import { decodeCounters, STATE_KEY, type StoreCounters } from './format.ts'
import { Group, type GroupLimits } from './group.ts'

/** Writes of one transaction: bounds how long the loop is busy inside it. */
const MAX_GROUP = 4096

interface Waiting {
  /** Looks at more than the keys it names: has to see the committed state, so nothing may go before it in its group. */
  readonly first: boolean
  run(group: Group): void
  /** Tells the caller, once the group is durable. */
  settle(): void
  fail(error: unknown): void
}

export interface WriteQueueOptions extends GroupLimits {
  readonly db: Database
}

export interface AddOptions {
  readonly signal?: AbortSignal | undefined
  readonly first?: boolean | undefined
}

export class WriteQueue {
  readonly #options: WriteQueueOptions
  readonly #onCommitted: (revisions: readonly (readonly Change[])[]) => void
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #failure: unknown
  #counters: StoreCounters

  constructor(options: WriteQueueOptions, onCommitted: (revisions: readonly (readonly Change[])[]) => void) {
    this.#options = options
    this.#onCommitted = onCommitted
    this.#counters = decodeCounters(options.db.meta.get(STATE_KEY))
  }

  /**
   * Runs `action` inside the next group. It may throw a KVError, or an abort reason, before its first write: then only this
   * call fails. Gives what `action` gave, once that is durable.
   */
  add<T>(action: (group: Group) => T, { signal, first = false }: AddOptions = {}): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise<T>((resolve, reject) => {
      let outcome: { readonly value: T } | { readonly error: unknown } | undefined
      this.#waiting.push({
        first,
        run(group) {
          try {
            signal?.throwIfAborted()
            outcome = { value: action(group) }
          } catch (error) {
            if (!(error instanceof KVError) && signal?.aborted !== true) throw error
            outcome = { error }
          }
        },
        settle() {
          if (outcome === undefined) return
          if ('error' in outcome) reject(outcome.error)
          else resolve(outcome.value)
        },
        fail: reject,
      })
      this.#running ??= this.#drain()
    })
  }

  /** Waits for what is under way. Nothing may be added any more. */
  async close(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      // Whoever writes in this turn joins.
      await nextTurn()
      await this.#commitGroup()
    }
    for (const waiting of this.#waiting.splice(0)) waiting.fail(this.#failure)
    this.#running = undefined
  }

  #take(): Waiting[] {
    const limit = Math.min(this.#waiting.length, MAX_GROUP)
    let count = 1
    while (count < limit && this.#waiting[count]?.first === false) count++
    return this.#waiting.splice(0, count)
  }

  async #commitGroup(): Promise<void> {
    const { db } = this.#options
    const taken = this.#take()
    let outcome: 'not-applied' | 'unknown' = 'not-applied'
    let group: Group
    try {
      group = new Group(db, this.#counters, this.#options)
      for (const waiting of taken) waiting.run(group)
      if (group.hasWrites) {
        outcome = 'unknown'
        if (!(await group.handOver((puts) => db.commit(puts)))) throw takenOver()
        this.#counters = group.counters
      }
    } catch (error) {
      this.#fail(error, taken, outcome)
      return
    }
    this.#onCommitted(group.revisions)
    for (const waiting of taken) waiting.settle()
  }

  #fail(error: unknown, taken: readonly Waiting[], outcome: 'not-applied' | 'unknown'): void {
    swallowCommitError(error)
    const failure = (of: 'not-applied' | 'unknown'): unknown => (error instanceof KVError ? error : storageFailed(error, of))
    this.#failure = failure('not-applied')
    for (const waiting of taken) waiting.fail(failure(outcome))
  }
}

function takenOver(): KVError {
  return new KVError('KV_LOCKED', 'another process has opened this store for writing', { outcome: 'not-applied' })
}

/** The driver hangs a second promise on the error, whose rejection would end the process. */
function swallowCommitError(error: unknown): void {
  if (typeof error !== 'object' || error === null || !('commitError' in error)) return
  Promise.resolve(error.commitError).catch(() => undefined)
}

function storageFailed(cause: unknown, outcome: 'not-applied' | 'unknown'): KVError {
  return new KVError('KV_STORAGE_FAILED', 'a write to the storage failed; close the store and open it again', { cause, outcome })
}
