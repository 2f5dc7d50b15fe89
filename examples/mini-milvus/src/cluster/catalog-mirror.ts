/** The catalog as every process but its writer knows it: a mirror that follows the store. The same reader as the coordinator's own. */
import type { MetaChange, MetaReader } from '../coordinator/api.ts'
import { parseRecord } from '../coordinator/catalog-records.ts'
import { CatalogState } from '../coordinator/catalog-state.ts'
import type { NodeClock } from '../edge/system.ts'
import { FollowedPrefix, REVISION_KEY, type FollowedStore, type PrefixEvent } from './followed-prefix.ts'

export interface CatalogMirrorOptions {
  readonly kv: FollowedStore
  readonly clock: Pick<NodeClock, 'setTimer'>
  readonly onProblem?: ((error: unknown) => void) | undefined
}

export const META_ROOT = 'meta/'

export class CatalogMirror extends CatalogState implements MetaReader {
  readonly #listeners = new Set<(change: MetaChange) => void>()
  readonly #onProblem: ((error: unknown) => void) | undefined
  #followed: FollowedPrefix | undefined

  private constructor(onProblem: ((error: unknown) => void) | undefined) {
    super()
    this.#onProblem = onProblem
  }

  static async open({ kv, clock, onProblem }: CatalogMirrorOptions): Promise<CatalogMirror> {
    const mirror = new CatalogMirror(onProblem)
    mirror.#followed = await FollowedPrefix.open({ kv, prefix: META_ROOT, clock, onProblem, onEvents: (events) => mirror.#applyAll(events) })
    return mirror
  }

  /** Of the last change that is seen here: others who wait for it see all that is seen here. */
  get revision(): bigint {
    return this.#followed?.revisionOf(REVISION_KEY) ?? 0n
  }

  /** Of the last change of a collection's own record: whoever reads its rows must know it at least as of then. 0n when it is not known. */
  collectionRevision(id: bigint): bigint {
    return this.#followed?.revisionOf(`collection/${id}`) ?? 0n
  }

  onChange(listener: (change: MetaChange) => void): () => void {
    const entry = (change: MetaChange): void => listener(change)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  /** @param revision of a change of the catalog */
  async waitFor(revision: bigint, signal?: AbortSignal, timeoutMs?: number): Promise<void> {
    await this.#followed?.waitFor(revision, signal, timeoutMs)
  }

  /** Resolves when everything is seen here that was stored before the call. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    await this.#followed?.catchUp(signal)
  }

  async close(): Promise<void> {
    await this.#followed?.close()
  }

  /** All records are in the mirror before the first listener hears of any. */
  #applyAll(events: readonly PrefixEvent[]): void {
    const changes: MetaChange[] = []
    for (const { key, value } of events) {
      if (key === REVISION_KEY) continue
      const record = parseRecord(key, value)
      const change = record === undefined ? undefined : this.apply(record)
      if (change !== undefined) changes.push(change)
    }
    const listeners = Array.from(this.#listeners)
    for (const change of changes) for (const listener of listeners) this.#announce(listener, change)
  }

  #announce(listener: (change: MetaChange) => void, change: MetaChange): void {
    try {
      listener(change)
    } catch (error) {
      this.#onProblem?.(error)
    }
  }
}
