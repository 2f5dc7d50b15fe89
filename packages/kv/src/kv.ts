/// <reference lib="esnext.disposable" />
/**
 * The contract of `@timetick/kv`: what every store behind {@link KVBase} promises (appendix A.7 of the project's
 * design, with Milvus's known defects mended).
 *
 * Each sentence that starts with "Must" is a test of the same meaning in the kit (`@timetick/kv/testing`).
 *
 * **Keys** are non-empty well-formed strings of at most 1,024 UTF-8 bytes. They are relative to the store's `rootPath`
 * and come back relative to it. Must order keys by their UTF-8 bytes, not by UTF-16 units. Must refuse a lone
 * surrogate (`TypeError`): it could not round-trip. A prefix is a string prefix, not a folder: `a` matches `ab`; the
 * empty prefix matches everything below the root and nothing beside it.
 *
 * **Values** are well-formed strings; the empty string is a value. {@link KVBase.bytes} is the same store with bytes.
 *
 * **Revisions.** Every write that changes the store makes one new revision of the whole store, a `bigint` that only
 * grows; all operations of one transaction share it. Must not reuse a revision after a removal, so a comparison on
 * revisions has no ABA. Removing what is not there changes nothing and gives the current revision.
 *
 * **Strict serialisability.** Must behave as if each call took effect at one instant between its start and its end.
 */
import type { KVFeatures } from './features.ts'

/** A number that grows with every change of a store; 0n is "before the first change". */
export type Revision = bigint

/** The argument that ends every call: an abort rejects it with `signal.reason`, unwrapped. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** A key with its value and the revision of its last change. */
export interface KVEntry<V = string> {
  readonly key: string
  readonly value: V
  /** Revision of the last change of this key: the token for {@link KVBase.compareAndSave}. */
  readonly modRevision: Revision
}

export interface ReadPrefixOptions extends CallOptions {
  /** At most so many pairs, a positive integer. Without it: all. */
  readonly limit?: number | undefined
  /** Continue behind this key (exclusive). Need not exist. */
  readonly startAfter?: string | undefined
}

/** What lies under a prefix. `keys[i]` belongs to `values[i]` and `modRevisions[i]`; keys ascend by UTF-8 bytes. */
export interface PrefixPage<V = string> {
  readonly keys: readonly string[]
  readonly values: readonly V[]
  readonly modRevisions: readonly Revision[]
  /** The store's revision at which the page was read; `watchWithPrefix(prefix, { from: revision + 1n })` misses nothing. */
  readonly revision: Revision
  /** True when `limit` cut the page: go on with `startAfter: keys.at(-1)`. */
  readonly more: boolean
}

export interface SaveOptions extends CallOptions {
  /** The key goes when this lease ends. Without it a save takes the key from its former lease. */
  readonly lease?: Lease | undefined
}

/** A condition of a transaction. `modRevision: 0n` means "does not exist". */
export type KVCondition =
  | { readonly key: string; readonly modRevision: Revision }
  | { readonly key: string; readonly exists: boolean }

export interface TransactionOptions extends SaveOptions {
  /** All must hold, else nothing is written and the call gives `{ applied: false }`. */
  readonly when?: readonly KVCondition[] | undefined
}

export interface TransactionResult {
  readonly applied: boolean
  /** The revision of the write, or, when not applied, the revision at which the conditions were read. */
  readonly revision: Revision
}

/** Pairs to save: a `Map`, an array of pairs, or a plain object's own enumerable properties. */
export type Pairs<V = string> = ReadonlyMap<string, V> | readonly (readonly [string, V])[] | Readonly<Record<string, V>>

export type KVEvent<V = string> =
  | { readonly type: 'put'; readonly key: string; readonly value: V; readonly revision: Revision; readonly created: boolean }
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision }

/** All events of one or more whole revisions, in order. Must never split a revision over two batches. */
export interface WatchBatch<V = string> {
  readonly events: readonly KVEvent<V>[]
  /** Every change up to this revision has been delivered: resume with `from: revision + 1n`. */
  readonly revision: Revision
}

export interface WatchOptions extends CallOptions {
  /** First revision to deliver. Without it: what happens after `ready`. */
  readonly from?: Revision | undefined
}

/**
 * A subscription: one consumer, `for await (const batch of watch)`.
 * Must deliver every event once, in revision order, and nothing below `from`.
 * Must end with `KV_COMPACTED` when `from` is older than what the store kept, and with `KV_WATCH_LAGGED` (resumable at
 * `details.revision + 1`) when the consumer let more than the backend's bound wait. `return()`, an abort and `close()` end it.
 */
export interface Watch<V = string> extends AsyncIterableIterator<WatchBatch<V>>, AsyncDisposable {
  /** Resolves when the store surely records for this watch: a save after it is seen. Rejects as the iteration would. */
  readonly ready: Promise<void>
}

/** Keys that live as long as somebody asks for them. A lease is not a lock: guard writes by a revision. */
export interface Lease extends AsyncDisposable {
  readonly id: string
  /** The time to live that the store granted, in ms; at least what was asked. */
  readonly ttlMs: number
  /** Ask for the full `ttlMs` again. Rejects with `KV_LEASE_NOT_FOUND` when it has ended. */
  keepAlive(options?: CallOptions): Promise<void>
  /** End it now; its keys go in one revision. Idempotent. */
  revoke(options?: CallOptions): Promise<void>
}

/**
 * A store of strings under strings.
 *
 * @example
 * const kv = createMemoryKV()
 * const revision = await kv.save('config/a', '1')
 * await kv.compareAndSave('config/a', revision, '2') // => true
 */
export interface KVBase<V = string> extends AsyncDisposable {
  /** What this backend can do and what its promises mean. */
  readonly features: KVFeatures
  /** The same store with `Uint8Array` values. Text that is not UTF-8 cannot be read as a string: `KV_CORRUPT`. */
  readonly bytes: KVBase<Uint8Array>

  /** The value, or `undefined` where there is none. */
  load(key: string, options?: CallOptions): Promise<V | undefined>
  /** The value with its revision, or `undefined`. */
  loadEntry(key: string, options?: CallOptions): Promise<KVEntry<V> | undefined>
  /** Values of one snapshot, in the order of `keys`; `undefined` where there is none. An empty list gives an empty list. */
  multiLoad(keys: readonly string[], options?: CallOptions): Promise<(V | undefined)[]>
  loadWithPrefix(prefix: string, options?: ReadPrefixOptions): Promise<PrefixPage<V>>
  has(key: string, options?: CallOptions): Promise<boolean>

  /** Each save makes a revision and an event, also with an unchanged value. */
  save(key: string, value: V, options?: SaveOptions): Promise<Revision>
  /** All or nothing. Duplicate keys in an array of pairs are refused (`TypeError`). */
  multiSave(pairs: Pairs<V>, options?: SaveOptions): Promise<Revision>
  remove(key: string, options?: CallOptions): Promise<Revision>
  /** All or nothing; duplicates count once. */
  multiRemove(keys: readonly string[], options?: CallOptions): Promise<Revision>
  /** Removes every key with this prefix, in one revision. */
  removeWithPrefix(prefix: string, options?: CallOptions): Promise<Revision>
  /**
   * One atomic step: conditions, then removals, then saves; a key in both lists is saved (Milvus #43407).
   * Must write nothing when a condition fails.
   */
  multiSaveAndRemove(saves: Pairs<V>, removals: readonly string[], options?: TransactionOptions): Promise<TransactionResult>
  /**
   * Save if the key's `modRevision` is still `expected` (0n: it must not exist). Losing gives `false` and writes nothing.
   * After an error with `outcome: 'unknown'`, read before you decide.
   */
  compareAndSave(key: string, expected: Revision, value: V, options?: SaveOptions): Promise<boolean>

  /** Changes of exactly this key. */
  watch(key: string, options?: WatchOptions): Watch<V>
  watchWithPrefix(prefix: string, options?: WatchOptions): Watch<V>

  /** @param ttlMs whole milliseconds, 1 to 2^31 - 1; the store may grant more. */
  grantLease(ttlMs: number, options?: CallOptions): Promise<Lease>

  /** Ends watches, settles what is under way, frees everything. Idempotent. Later calls reject with `KV_CLOSED`. */
  close(): Promise<void>
}
