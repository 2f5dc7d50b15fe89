/** What is used of lmdb, as a structure: no type of the driver leaves this package. */
import type { Revision } from '../kv.ts'

export type Bytes = Uint8Array

/** Bytes that the driver overwrites with the next read: look at them at once, to `length` and no further. */
export interface Table<K, V> {
  get(key: K): V | undefined
  getBinaryFast(key: K): Bytes | undefined
  /** Inside a commit only. */
  put(key: K, value: V | Bytes): unknown
  remove(key: K): unknown
  getRange(options: { start: K; end?: K; exclusiveStart?: boolean; limit?: number; reverse?: boolean }): Iterable<{ key: K; value: V }>
  getKeys(options: { start: K }): Iterable<K>
}

/** A data row as the decoder gives it. */
export interface Row {
  readonly value: string | Uint8Array
  readonly revision: Revision
}

export interface Environment {
  /** The next read sees the newest commit. */
  resetReadTxn(): void
  /** Frees what readers hold that are dead. */
  readerCheck(): number
  close(): Promise<void>
}

export interface Database {
  readonly root: Environment
  /** User keys. */
  readonly data: Table<string, Row>
  /** Groups of changes by their first revision. */
  readonly log: Table<Bytes, Bytes>
  /** Leases and which keys hang on them. */
  readonly leases: Table<Bytes, Bytes>
  /** The state record. */
  readonly meta: Table<Bytes, Bytes>
  /** All puts and removals of `puts` in one transaction, `false` when another process has taken the store over. */
  commit(puts: () => void): Promise<boolean>
}
