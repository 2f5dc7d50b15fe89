/** What the node has, as rows of insight: 64 bit numbers are decimal text. */
import type { Row } from 'timetick-insight/embed'
import type { MetaReader } from '../coordinator/api.ts'
import type { AliasMeta, CollectionMeta, DatabaseMeta, IndexMeta, SegmentMeta } from '../model/meta.ts'
import { type Visibility, visibilityOf } from '../staging/visibility.ts'
import { ruleOf } from '../clients/rules.ts'
import { DataType, type FieldSchema } from '../model/schema.ts'

const CONSISTENCY = ['Strong', 'Session', 'Bounded', 'Eventually', 'Customized']

export const collectionKey = ({ dbName, id }: Pick<CollectionMeta, 'dbName' | 'id'>): string => `${dbName}/${id}`

export function databaseRow({ id, name, properties, createdTs }: DatabaseMeta, collectionCount: number, serverVisibility: Visibility): Row {
  return { id: String(id), name, properties: { ...properties }, visibility: visibilityOf({ properties }, undefined, undefined, serverVisibility), createdTs: String(createdTs), collectionCount }
}

export interface LoadSeen {
  readonly percent: number
  readonly failure: string | undefined
}

export interface CollectionRow extends Row {
  readonly load: { readonly state: string; readonly percent: number | null }
  readonly indexState: string
}

export function collectionRow(meta: MetaReader, collection: CollectionMeta, seen: LoadSeen | undefined, growing: number, serverVisibility: Visibility): CollectionRow {
  const { id, dbName, schema, shards, consistencyLevel, properties, createdTs, updateTs, truncatedTs } = collection
  const segments = meta.segments(id).filter(({ level }) => level === 'L1')
  const flushed = segments.reduce((sum, { rows }) => sum + rows, 0)
  return {
    id: String(id),
    db: dbName,
    name: schema.name,
    description: schema.description,
    shards: shards.length,
    consistency: CONSISTENCY[consistencyLevel] ?? String(consistencyLevel),
    dynamicField: schema.fields.some(({ isDynamic }) => isDynamic),
    fields: schema.fields.map(fieldRow),
    properties: { ...properties },
    visibility: ruleOf({ meta, serverDefault: serverVisibility }, collection, undefined),
    createdTs: String(createdTs),
    updatedTs: String(updateTs),
    truncatedTs: truncatedTs === 0n ? null : String(truncatedTs),
    load: loadRow(meta, id, seen),
    stats: { rows: String(flushed + growing), rowsExact: false, growingRows: String(growing), sealedRows: String(flushed), bytes: String(segments.reduce((sum, { bytes }) => sum + bytes, 0)), segments: segments.length },
    indexState: indexStateOf(meta.indexes(id), segments),
  }
}

function fieldRow({ id, name, type, dim, isPrimary, autoId, nullable, isPartitionKey }: FieldSchema): Row {
  const typeName = Object.entries(DataType).find(([, value]) => value === type)?.[0] ?? String(type)
  return { id: String(id), name, type: typeName, dim: dim === undefined ? null : String(dim), pk: isPrimary, autoId, nullable, partitionKey: isPartitionKey }
}

function loadRow(meta: MetaReader, id: bigint, seen: LoadSeen | undefined): { readonly state: string; readonly percent: number | null; readonly reason?: string | null } {
  if (meta.load(id) === undefined) return { state: 'notLoad', percent: null }
  const percent = Math.floor(seen?.percent ?? 0)
  return { state: percent >= 100 ? 'loaded' : 'loading', percent, reason: seen?.failure ?? null }
}

export function indexRow(index: IndexMeta, collection: CollectionMeta, segments: readonly SegmentMeta[]): Row {
  const field = collection.schema.fields.find(({ id }) => id === index.fieldId)
  const own = segments.filter(({ level }) => level === 'L1')
  const done = own.filter(({ indexes }) => indexes.some(({ indexId, state }) => indexId === index.id && state === 'finished'))
  const failed = own.flatMap(({ indexes }) => indexes.filter(({ indexId, state }) => indexId === index.id && state === 'failed'))
  const total = own.reduce((sum, { rows }) => sum + rows, 0)
  const indexed = done.reduce((sum, { rows }) => sum + rows, 0)
  return {
    id: String(index.id),
    db: collection.dbName,
    collId: String(collection.id),
    name: index.name,
    field: field?.name ?? '',
    indexType: index.indexType,
    metric: index.metricType,
    params: { ...index.params },
    progress: { state: failed.length > 0 ? 'failed' : indexed < total ? 'inProgress' : 'finished', indexedRows: String(indexed), totalRows: String(total), pendingRows: String(total - indexed), reason: failed[0]?.reason ?? null },
  }
}

function indexStateOf(indexes: readonly IndexMeta[], segments: readonly SegmentMeta[]): string {
  if (indexes.length === 0) return 'none'
  const states = segments.flatMap((segment) => segment.indexes.map(({ state }) => state))
  return states.includes('failed') ? 'failed' : states.includes('building') ? 'inProgress' : 'finished'
}

export function segmentRow({ id, collectionId, partitionId, vchannel, level, rows, bytes, startTs, endTs }: SegmentMeta, dbName: string): Row {
  return { id: String(id), name: String(id), db: dbName, collId: String(collectionId), partId: String(partitionId), channel: vchannel, level, state: 'flushed', rows: String(rows), bytes: String(bytes), startPos: String(startTs), dmlPos: String(endTs) }
}

export function aliasRow({ alias, dbName, collectionId }: AliasMeta): Row {
  return { id: alias, name: alias, alias, db: dbName, collId: String(collectionId) }
}
