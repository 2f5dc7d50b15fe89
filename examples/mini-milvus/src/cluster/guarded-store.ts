/**
 * The metadata store as a leader writes it: every transaction holds only while the leader's record is the one of its term, so that one who
 * was replaced, and does not know it yet, changes nothing.
 */
import type { KVBase, Pairs, TransactionOptions, TransactionResult } from '@timetick/kv'
import { RpcError } from '../internal/errors.ts'
import { META_ROOT } from './catalog-mirror.ts'
import { REVISION_KEY } from './followed-prefix.ts'

export interface Fence {
  /** The key under which leaders are elected, and its revision since this term began. */
  readonly key: string
  readonly token: bigint
  /** Somebody else wrote, or a write came late whose outcome was unknown: what the term knows is not what is stored. */
  readonly onFenced: () => void
}

export type CatalogStore = Pick<KVBase, 'loadWithPrefix' | 'multiLoad' | 'multiSaveAndRemove'>

export interface GuardedStore extends CatalogStore {
  /** Of the last transaction of this term; before the first, of the last one of all. */
  readonly lastRevision: bigint
}

/**
 * Its transactions form one chain: each holds only directly behind the one before, so that one whose answer was lost, and that is still
 * under way, cannot come behind a later one.
 */
export async function openGuardedStore(kv: KVBase, fence: Fence): Promise<GuardedStore> {
  const entry = await kv.loadEntry(REVISION)
  return new Chain(kv, fence, entry?.modRevision ?? 0n)
}

const REVISION = META_ROOT + REVISION_KEY

class Chain implements GuardedStore {
  readonly #kv: KVBase
  readonly #fence: Fence
  #lastRevision: bigint
  #isDoubtful = false
  #tail: Promise<unknown> = Promise.resolve()

  constructor(kv: KVBase, fence: Fence, lastRevision: bigint) {
    this.#kv = kv
    this.#fence = fence
    this.#lastRevision = lastRevision
  }

  get lastRevision(): bigint {
    return this.#lastRevision
  }

  loadWithPrefix: CatalogStore['loadWithPrefix'] = (prefix, options) => this.#kv.loadWithPrefix(prefix, options)
  multiLoad: CatalogStore['multiLoad'] = (keys, options) => this.#alone(async () => {
    await this.#settle()
    return this.#kv.multiLoad(keys, options)
  })

  multiSaveAndRemove: CatalogStore['multiSaveAndRemove'] = (saves, removals, options) => this.#alone(() => this.#write(saves, removals, options))

  async #write(saves: Pairs, removals: readonly string[], options: TransactionOptions = {}): Promise<TransactionResult> {
    const { key, token, onFenced } = this.#fence
    await this.#settle()
    const pairs = new Map<string, string>(saves instanceof Map ? (saves as ReadonlyMap<string, string>) : Array.isArray(saves) ? (saves as readonly (readonly [string, string])[]) : Object.entries(saves))
    pairs.set(REVISION, token.toString())
    const when = [...(options.when ?? []), { key, modRevision: token }, { key: REVISION, modRevision: this.#lastRevision }]
    let result: TransactionResult
    try {
      result = await this.#kv.multiSaveAndRemove(pairs, removals, { ...options, when })
    } catch (error) {
      this.#isDoubtful = (error as { readonly outcome?: unknown }).outcome !== 'not-applied'
      throw error
    }
    if (!result.applied) {
      onFenced()
      throw new RpcError('RPC_NOT_LEADER', 'another coordinator leads: nothing was changed', { outcome: 'not-applied' })
    }
    this.#lastRevision = result.revision
    return result
  }

  /** After a write whose outcome is unknown: where the chain ends now. */
  async #settle(): Promise<void> {
    if (!this.#isDoubtful) return
    const entry = await this.#kv.loadEntry(REVISION)
    this.#lastRevision = entry?.modRevision ?? 0n
    this.#isDoubtful = false
  }

  #alone<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(run)
    this.#tail = done.catch(() => undefined)
    return done
  }
}
