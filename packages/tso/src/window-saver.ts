/**
 * Saves the end of the window by compareAndSave on the stored revision, so that of two oracles on one store only the one that
 * saved last goes on. Every save reads first: what an earlier save with an unknown outcome did is seen then, and the owner's
 * name in the record tells ours from others'.
 */
import { TsoError } from './errors.ts'
import { callStore, decodeWindow, encodeWindow } from './store.ts'
import type { StoreCallContext, TsoStore, WindowRecord } from './store.ts'
import { traced } from './tracing.ts'

/** So often one save reads and tries before it gives up; the next save starts over. */
const MAX_ATTEMPTS = 3

export interface WindowSaverOptions extends StoreCallContext {
  readonly kv: TsoStore
  readonly key: string
  readonly owner: string
  /** The record was gone although this oracle had saved it (deleted by hand); it is made again. */
  readonly onRecreate: () => void
}

export class WindowSaver {
  readonly #options: WindowSaverOptions

  constructor(options: WindowSaverOptions) {
    this.#options = options
  }

  /** The appendix's `loadTimestamp`. `undefined` for a fresh store and for nothing else. */
  async loadTimestamp(): Promise<WindowRecord | undefined> {
    const { kv, key } = this.#options
    const entry = await callStore(this.#options, 'load', (signal) => kv.loadEntry(key, { signal }))
    return entry === undefined ? undefined : decodeWindow(key, entry.value, entry.modRevision)
  }

  /** Take the record over as it was read. False: somebody saved since, or nobody knows. */
  async takeOver(endMs: number, read: WindowRecord | undefined): Promise<boolean> {
    if (await this.#attempt(endMs, read?.revision ?? 0n)) return true
    const record = await this.loadTimestamp()
    return record !== undefined && record.owner === this.#options.owner && record.endMs >= endMs
  }

  /**
   * The appendix's `saveTimestamp`, after {@link takeOver}: when it resolves, the store held `endMs` or more under our name,
   * and whoever takes over later goes on from there.
   * @throws {TsoError} `TSO_FENCED` when another oracle owns the record.
   */
  async saveTimestamp(endMs: number): Promise<void> {
    await traced('save', () => ({}), () => this.#save(endMs))
  }

  async #save(endMs: number): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const record = await this.loadTimestamp()
      if (record === undefined) this.#options.onRecreate()
      else if (record.owner !== this.#options.owner) throw this.#fenced(record.owner)
      else if (record.endMs >= endMs) return
      if (await this.#attempt(endMs, record?.revision ?? 0n)) return
    }
    throw new TsoError('TSO_UNAVAILABLE', `the window could not be saved in ${MAX_ATTEMPTS} attempts`, { outcome: 'unknown' })
  }

  #fenced(owner: string): TsoError {
    const details = { key: this.#options.key, owner }
    return new TsoError('TSO_FENCED', `the oracle "${owner}" took over \`${details.key}\``, { outcome: 'not-applied', details })
  }

  /** One compareAndSave. False also when the outcome is unknown: read again. A timeout is thrown: the store needs a rest. */
  async #attempt(endMs: number, revision: bigint): Promise<boolean> {
    const { kv, key, owner } = this.#options
    const value = encodeWindow(endMs, owner)
    try {
      return await callStore(this.#options, 'save', (signal) => kv.compareAndSave(key, revision, value, { signal }))
    } catch (error) {
      if (error instanceof TsoError && error.outcome === 'unknown' && error.code !== 'TSO_TIMEOUT') return false
      throw error
    }
  }
}
