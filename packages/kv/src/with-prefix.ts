/** A part of a store as a store of its own. */
import { checkPrefix, expected } from './check.ts'
import { KVError } from './errors.ts'
import type { KVFeatures } from './features.ts'
import type {
  CallOptions, KVBase, KVCondition, KVEntry, Lease, Pairs, PrefixPage, ReadPrefixOptions, Revision, SaveOptions, TransactionOptions,
  TransactionResult, Watch, WatchOptions,
} from './kv.ts'
import { addToConditions, addToPairs, type KeyMap, keyMap, PrefixedWatch } from './prefixed.ts'

/**
 * A view of the keys of `kv` that start with `prefix`; within the view they come without it. Revisions, leases and events are
 * the store's own. Closing a view ends the view and its watches, not the store.
 *
 * `prefix` is taken as it is: give it its separator (`'tenants/7/'`), or `a` will hold what belongs to `ab`.
 *
 * @throws TypeError, RangeError when `prefix` is not well-formed text that leaves room for a key.
 */
export function withPrefix<V>(kv: KVBase<V>, prefix: string): KVBase<V> {
  if (typeof kv !== 'object' || kv === null) throw expected('kv', 'a KVBase', kv)
  checkPrefix(prefix, { ...kv.features, maxKeyBytes: kv.features.maxKeyBytes - 1 })
  return new PrefixedKV(kv, keyMap(prefix, kv.features), { closed: false, watches: new Set() })
}

interface ViewState {
  closed: boolean
  readonly watches: Set<AsyncDisposable>
}

class PrefixedKV<V> implements KVBase<V> {
  readonly features: KVFeatures
  readonly #kv: KVBase<V>
  readonly #map: KeyMap
  readonly #state: ViewState
  #bytes: KVBase<Uint8Array> | undefined

  constructor(kv: KVBase<V>, map: KeyMap, state: ViewState) {
    this.#kv = kv
    this.#map = map
    this.#state = state
    this.features = map.features
  }

  get bytes(): KVBase<Uint8Array> {
    this.#bytes ??= new PrefixedKV(this.#kv.bytes, this.#map, this.#state)
    return this.#bytes
  }

  async load(key: string, options?: CallOptions): Promise<V | undefined> {
    return this.#open(options).load(this.#map.key(key), options)
  }

  async loadEntry(key: string, options?: CallOptions): Promise<KVEntry<V> | undefined> {
    const entry = await this.#open(options).loadEntry(this.#map.key(key), options)
    return entry === undefined ? undefined : { ...entry, key }
  }

  async multiLoad(keys: readonly string[], options?: CallOptions): Promise<(V | undefined)[]> {
    return this.#open(options).multiLoad(this.#map.keys(keys), options)
  }

  async loadWithPrefix(prefix: string, options?: ReadPrefixOptions): Promise<PrefixPage<V>> {
    const startAfter = options?.startAfter
    const inner = startAfter === undefined ? options : { ...options, startAfter: this.#map.key(startAfter, 'startAfter') }
    const page = await this.#open(options).loadWithPrefix(this.#map.prefix(prefix), inner)
    return { ...page, keys: page.keys.map((key) => this.#map.strip(key)) }
  }

  async has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#open(options).has(this.#map.key(key), options)
  }

  async save(key: string, value: V, options?: SaveOptions): Promise<Revision> {
    return this.#open(options).save(this.#map.key(key), value, options)
  }

  async multiSave(pairs: Pairs<V>, options?: SaveOptions): Promise<Revision> {
    return this.#open(options).multiSave(addToPairs(pairs, this.#map), options)
  }

  async remove(key: string, options?: CallOptions): Promise<Revision> {
    return this.#open(options).remove(this.#map.key(key), options)
  }

  async multiRemove(keys: readonly string[], options?: CallOptions): Promise<Revision> {
    return this.#open(options).multiRemove(this.#map.keys(keys), options)
  }

  async removeWithPrefix(prefix: string, options?: CallOptions): Promise<Revision> {
    return this.#open(options).removeWithPrefix(this.#map.prefix(prefix), options)
  }

  async multiSaveAndRemove(saves: Pairs<V>, removals: readonly string[], options?: TransactionOptions): Promise<TransactionResult> {
    const when: readonly KVCondition[] | undefined = options?.when
    const inner = when === undefined ? options : { ...options, when: addToConditions(when, this.#map) }
    return this.#open(options).multiSaveAndRemove(addToPairs(saves, this.#map), this.#map.keys(removals), inner)
  }

  async compareAndSave(key: string, expectedRevision: Revision, value: V, options?: SaveOptions): Promise<boolean> {
    return this.#open(options).compareAndSave(this.#map.key(key), expectedRevision, value, options)
  }

  watch(key: string, options?: WatchOptions): Watch<V> {
    const inner = this.#map.key(key)
    return this.#watch((kv, opened) => kv.watch(inner, opened), options)
  }

  watchWithPrefix(prefix: string, options?: WatchOptions): Watch<V> {
    const inner = this.#map.prefix(prefix)
    return this.#watch((kv, opened) => kv.watchWithPrefix(inner, opened), options)
  }

  async grantLease(ttlMs: number, options?: CallOptions): Promise<Lease> {
    return this.#open(options).grantLease(ttlMs, options)
  }

  async close(): Promise<void> {
    this.#state.closed = true
    await Promise.all([...this.#state.watches].map((watch) => watch[Symbol.asyncDispose]()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #watch(open: (kv: KVBase<V>, options: WatchOptions | undefined) => Watch<V>, options: WatchOptions | undefined): Watch<V> {
    const failure = this.#state.closed ? closedError() : undefined
    // A closed view still checks the arguments; the inner watch ends at once.
    const inner = open(this.#kv, options)
    const watch = new PrefixedWatch(inner, this.#map, failure, () => this.#state.watches.delete(watch))
    if (failure === undefined) this.#state.watches.add(watch)
    return watch
  }

  #open(options: CallOptions | undefined): KVBase<V> {
    if (this.#state.closed) {
      if (options?.signal?.aborted === true) throw options.signal.reason
      throw closedError()
    }
    return this.#kv
  }
}

function closedError(): KVError {
  return new KVError('KV_CLOSED', 'this view of the store was closed', { outcome: 'not-applied' })
}
