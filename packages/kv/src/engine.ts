/**
 * What stands behind the contract: an engine does, the facade (`engine-kv.ts`) checks. Keys here are checked and physical
 * (root included); values are text or bytes as they were written. Answers may be immediate or promised.
 */
import type { Columns } from './columns.ts'
import type { KVFeatures } from './features.ts'
import type { KVCondition, Revision } from './kv.ts'
import type { WatchFeed, WatchTarget } from './watch-hub.ts'

/** Text as written by the string view, bytes as written by the byte view. Never handed out without a copy. */
export type Stored = string | Uint8Array
export type Awaitable<T> = T | Promise<T>

export interface StoredEntry {
  readonly key: string
  readonly value: Stored
  readonly revision: Revision
}

/** One key's part of a revision; `value: undefined` is a removal. */
export interface Change {
  readonly key: string
  readonly value: Stored | undefined
  readonly revision: Revision
  readonly created: boolean
}

export interface EnginePage {
  /** Made for this page; the facade may change them. */
  readonly pairs: Columns
  readonly revision: Revision
  readonly more: boolean
}

/** One atomic step: conditions, removals, saves; a key in both lists is saved. */
export interface Txn {
  readonly when: readonly KVCondition[]
  readonly removals: readonly string[]
  readonly removePrefix: string | undefined
  readonly saves: readonly (readonly [string, Stored])[]
  readonly leaseId: string | undefined
}

export interface TxnResult {
  readonly applied: boolean
  readonly revision: Revision
}

export interface EngineLease {
  readonly id: string
  readonly ttlMs: number
}

export interface Engine {
  readonly features: KVFeatures
  get(key: string): Awaitable<StoredEntry | undefined>
  /** One snapshot. */
  getMany(keys: readonly string[]): Awaitable<readonly (StoredEntry | undefined)[]>
  /** Ascending keys with this prefix, behind `startAfter`, at most `limit`. */
  range(prefix: string, startAfter: string | undefined, limit: number): Awaitable<EnginePage>
  write(txn: Txn, signal: AbortSignal | undefined): Awaitable<TxnResult>
  watch(target: WatchTarget, from: Revision | undefined): WatchFeed
  grantLease(ttlMs: number): Awaitable<EngineLease>
  keepAlive(leaseId: string): Awaitable<void>
  revokeLease(leaseId: string): Awaitable<void>
  /** Ends feeds, settles what is under way. Called once. */
  close(): Promise<void>
}
