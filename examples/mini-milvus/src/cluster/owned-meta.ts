/** Metadata with the segments of one log channel alone: what the workers of its owner look at. */
import type { MetaReader } from '../coordinator/api.ts'

export function metaOfChannel(meta: MetaReader, pchannel: string): MetaReader {
  const isMine = (collectionId: bigint, vchannel: string): boolean => meta.collectionById(collectionId)?.shards.some((shard) => shard.vchannel === vchannel && shard.pchannel === pchannel) === true
  return {
    databases: () => meta.databases(),
    database: (name) => meta.database(name),
    collection: (dbName, name) => meta.collection(dbName, name),
    findCollection: (dbName, name) => meta.findCollection(dbName, name),
    collectionById: (id) => meta.collectionById(id),
    collections: (dbName) => meta.collections(dbName).filter(({ shards }) => shards.some((shard) => shard.pchannel === pchannel)),
    partition: (collection, name) => meta.partition(collection, name),
    aliases: (id) => meta.aliases(id),
    indexes: (id) => meta.indexes(id),
    load: (id) => meta.load(id),
    segments: (id) => meta.segments(id).filter((segment) => isMine(id, segment.vchannel)),
    segment: (id) => meta.segment(id),
    flushedTs: (id, vchannel) => meta.flushedTs(id, vchannel),
    onChange: (listener) => meta.onChange(listener),
  }
}
