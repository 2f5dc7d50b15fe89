/** What Search and Query share. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { GuaranteeOptions } from './guarantee.ts'
import { partitionKeyPartitions } from './partitioning.ts'

export interface DqlOptions extends GuaranteeOptions {
  readonly meta: MetaReader
  readonly queryNode: QueryNodeApi
  /** How long the moment of an iterator is kept after a page. */
  readonly iteratorKeepMs?: number | undefined
  /** Between slices of long work. */
  readonly pause: () => Promise<void>
}

/** Where nothing is said. */
export const ITERATOR_KEEP_MS = 60_000

/** @param legacy the older error code of a refusal, where Milvus has another than usual */
export function partitionIds(meta: MetaReader, collection: CollectionMeta, names: readonly string[], legacy?: number): bigint[] | undefined {
  if (names.length === 0) return undefined
  partitionKeyPartitions(collection, legacy)
  return names.map((name) => meta.partition(collection, name).id)
}
