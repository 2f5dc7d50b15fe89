/** Databases, and collections with all that belongs to them, as rows: of a node alone and of a cluster. */
import type { Row, Sink } from 'timetick-insight/embed'
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { Visibility } from '../staging/visibility.ts'
import { aliasRow, collectionKey, collectionRow, databaseRow, indexRow, segmentRow, type LoadSeen } from './rows.ts'

export interface CollectionView {
  readonly meta: MetaReader
  /** What a collection has that says nothing of its own. */
  readonly visibility: Visibility
  readonly progress: (id: bigint) => LoadSeen | undefined
  /** Rows that no segment holds. */
  readonly growing: (id: bigint) => number
  /** What is known of a log channel. */
  readonly channel: (pchannel: string) => Row
}

/** Whether its row moves without a change of metadata. */
export function tellCollectionRows(sink: Sink, { meta, visibility, progress, growing, channel }: CollectionView, collection: CollectionMeta): boolean {
  const key = collectionKey(collection)
  const { dbName: db, id } = collection
  const segments = meta.segments(id)
  const row = collectionRow(meta, collection, progress(id), growing(id), visibility)
  sink.upsert('collection', key, row)
  const tell = (kind: 'partition' | 'index' | 'alias' | 'segment' | 'channel', rows: readonly (readonly [string, Row])[]): void => {
    for (const [name, row] of rows) sink.upsert(kind, `${key}/${name}`, row)
    sink.full(kind, `${key}/`, new Set(rows.map(([name]) => `${key}/${name}`)))
  }
  const own = { db, collId: String(id) }
  tell('partition', collection.partitions.map((partition) => [String(partition.id), { ...own, id: String(partition.id), name: partition.name, createdTs: String(partition.createdTs) }]))
  tell('index', meta.indexes(id).map((index) => [index.name, indexRow(index, collection, segments)]))
  tell('alias', meta.aliases(id).map((alias) => [alias.alias, aliasRow(alias)]))
  tell('segment', segments.map((segment) => [String(segment.id), segmentRow(segment, db)]))
  tell('channel', collection.shards.map(({ vchannel, pchannel }) => [vchannel, { ...own, id: vchannel, name: vchannel, pchannel, ...channel(pchannel), checkpoint: { ts: String(meta.flushedTs(id, vchannel)) } }]))
  return row.load.state === 'loading' || row.indexState === 'inProgress'
}

export function countByDatabase(collections: readonly CollectionMeta[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { dbName } of collections) counts.set(dbName, (counts.get(dbName) ?? 0) + 1)
  return counts
}

export function tellDatabases(sink: Sink, meta: Pick<MetaReader, 'databases'>, counts: ReadonlyMap<string, number>, visibility: Visibility): void {
  const databases = meta.databases()
  for (const database of databases) sink.upsert('database', database.name, databaseRow(database, counts.get(database.name) ?? 0, visibility))
  sink.full('database', '', new Set(databases.map(({ name }) => name)))
}
