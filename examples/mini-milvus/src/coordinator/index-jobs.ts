/** What there is to build, as the metadata tells it: scalar indexes first, for each takes a moment where a graph takes minutes. */
import type { CollectionMeta, IndexMeta, SegmentMeta } from '../model/meta.ts'
import { hasStructure } from '../model/scalar-index.ts'
import { type FieldSchema, isSearchable } from '../model/schema.ts'
import type { MetaReader } from './api.ts'

export interface IndexJob {
  readonly segment: SegmentMeta
  readonly collection: CollectionMeta
  readonly index: IndexMeta
  readonly field: FieldSchema
}

export function nextIndexJob(meta: MetaReader): IndexJob | undefined {
  const collections = meta.collections()
  return findJob(meta, collections, hasStructure) ?? findJob(meta, collections, isSearchable)
}

/** Segment after segment, so that what one needs is read once. */
function findJob(meta: MetaReader, collections: readonly CollectionMeta[], isWanted: (field: FieldSchema, index: IndexMeta) => boolean): IndexJob | undefined {
  for (const collection of collections) {
    const wanted = meta.indexes(collection.id).flatMap((index) => {
      const field = collection.schema.fields.find(({ id }) => id === index.fieldId)
      return field !== undefined && isWanted(field, index) ? [{ index, field }] : []
    })
    if (wanted.length === 0) continue
    for (const segment of meta.segments(collection.id)) {
      const job = segment.level === 'L1' ? wanted.find(({ index }) => !isDone(segment, index)) : undefined
      if (job !== undefined) return { segment, collection, ...job }
    }
  }
  return undefined
}

function isDone(segment: SegmentMeta, index: IndexMeta): boolean {
  return segment.indexes.some(({ indexId, state }) => indexId === index.id && state !== 'building')
}
