import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta, LoadMeta } from '../model/meta.ts'
import type { WantedContents } from './place.ts'

/** What a collection is to be served from, after the metadata as it is now. */
export function wantedContents(meta: MetaReader, collection: CollectionMeta, load: LoadMeta): WantedContents {
  const existing = collection.partitions.map(({ id }) => id)
  const partitionIds = load.wholeCollection ? existing : existing.filter((id) => load.partitionIds.includes(id))
  const isLoaded = new Set(partitionIds)
  return {
    // Those of a whole collection change without anything to be loaded for it.
    partitionIds: load.wholeCollection ? [] : partitionIds,
    wholeCollection: load.wholeCollection,
    shards: collection.shards.map(({ vchannel }) => ({ vchannel, flushedTs: meta.flushedTs(collection.id, vchannel) })),
    segments: meta.segments(collection.id).flatMap(({ id, level, partitionId, vchannel, bytes }) => (level === 'L1' && isLoaded.has(partitionId) ? [{ segmentId: id, partitionId, vchannel, bytes }] : [])),
  }
}
