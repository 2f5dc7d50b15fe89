/** What the catalog's operations share: the mirror, ids and timestamps, limits, and the one way to change anything. */
import { MilvusError, Code } from '../server/status.ts'
import type { CatalogRecord } from './catalog-records.ts'
import type { CatalogState } from './catalog-state.ts'

/** Milvus's limits, by its configuration's names where it has them. */
export interface CatalogLimits {
  readonly maxDatabases: number
  /** Over all databases. */
  readonly maxCollections: number
  readonly maxPartitions: number
}

export const defaultCatalogLimits: CatalogLimits = { maxDatabases: 64, maxCollections: 65_536, maxPartitions: 1024 }

export interface CatalogContext {
  readonly state: CatalogState
  readonly limits: CatalogLimits
  /** Log channels that shards are spread over. */
  readonly pchannels: readonly string[]
  readonly nextId: () => Promise<bigint>
  readonly nextTs: () => Promise<bigint>
  /**
   * Runs `plan` alone (no other change runs beside it), writes its records in one transaction, applies and announces
   * them. An empty plan writes nothing.
   */
  readonly change: (plan: () => readonly CatalogRecord[] | Promise<readonly CatalogRecord[]>) => Promise<void>
}

/** A failure that Milvus reports as an unexpected error: its own code is 65535. */
export function refused(reason: string): MilvusError {
  return new MilvusError(Code.Unexpected, reason)
}

export function withoutKeys(record: Readonly<Record<string, string>>, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))
}

/** `set` over `before`, without `remove`. Own properties only: a key `__proto__` is a key. */
export function alterRecord(
  before: Readonly<Record<string, string>>,
  set: Readonly<Record<string, string>>,
  remove: readonly string[],
): Readonly<Record<string, string>> {
  const kept = Object.entries(before).filter(([key]) => !Object.hasOwn(set, key) && !remove.includes(key))
  return Object.fromEntries([...kept, ...Object.entries(set)])
}
