/** Small questions about loads and their failures. */
import type { LoadMeta } from '../model/meta.ts'
import type { LoadedCollection } from './loaded-collection.ts'

export function wantsMore(before: LoadMeta, after: LoadMeta): boolean {
  if (before.wholeCollection) return false
  return after.wholeCollection || after.partitionIds.some((id) => !before.partitionIds.includes(id))
}

export function channelsOf(loaded: LoadedCollection): Set<string> {
  return new Set([...loaded.shards.values()].map(({ shard }) => shard.pchannel))
}

export function shardKey(collectionId: bigint, vchannel: string): string {
  return `${collectionId}/${vchannel}`
}

/** Damage, not a store that was away for a moment: only other files or a person change it. */
export function isLasting(error: unknown): boolean {
  return error instanceof Error && 'retryable' in error && error.retryable === false
}
