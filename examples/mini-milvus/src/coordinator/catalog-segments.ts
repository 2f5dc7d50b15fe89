/** What data nodes and index builders report. */
import type { SegmentIndexMeta, SegmentMeta } from '../model/meta.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { SegmentWriter } from './api.ts'
import type { CatalogContext } from './catalog-context.ts'
import type { CatalogRecord } from './catalog-records.ts'

type Flush = Parameters<SegmentWriter['saveFlush']>[0]

function segmentRecord(collectionId: bigint, id: bigint, value: SegmentMeta | undefined): CatalogRecord {
  return { kind: 'segment', collectionId, id, value }
}

/** Segments of what was dropped, or truncated whole, while the flush was under way are not taken up. */
function isWanted({ state }: CatalogContext, segment: SegmentMeta): boolean {
  const collection = state.collectionById(segment.collectionId)
  if (collection === undefined || segment.endTs <= collection.truncatedTs) return false
  // A delta may cover all partitions: it then names partition 0.
  return segment.partitionId <= 0n || collection.partitions.some((partition) => partition.id === segment.partitionId)
}

export async function saveFlush(context: CatalogContext, { collectionId, vchannel, flushedTs, segments }: Flush): Promise<void> {
  const { state, change } = context
  await change(() => {
    // At or below: an attempt whose answer was lost had been saved.
    if (state.collectionById(collectionId) === undefined || flushedTs <= state.flushedTs(collectionId, vchannel)) return []
    const records = segments
      .filter((segment) => isWanted(context, segment))
      .map((segment) => segmentRecord(segment.collectionId, segment.id, segment))
    return [...records, { kind: 'flushed' as const, collectionId, vchannel, value: flushedTs }]
  })
}

export async function saveSegmentIndex({ state, change }: CatalogContext, segmentId: bigint, index: SegmentIndexMeta): Promise<void> {
  await change(() => {
    const segment = state.segment(segmentId)
    if (segment === undefined) return []
    if (!state.indexes(segment.collectionId).some((known) => known.id === index.indexId)) return []
    const others = segment.indexes.filter((known) => known.indexId !== index.indexId)
    return [segmentRecord(segment.collectionId, segmentId, { ...segment, indexes: [...others, index] })]
  })
}

export async function replaceSegments(context: CatalogContext, remove: readonly bigint[], add: readonly SegmentMeta[]): Promise<void> {
  const { state, change } = context
  await change(() => {
    const isDone = add.every(({ id }) => state.segment(id) !== undefined) && remove.every((id) => state.segment(id) === undefined)
    // What replaces a segment that went meanwhile, by other hands, would bring its rows back.
    if (!isDone && add.length > 0 && remove.some((id) => state.segment(id) === undefined)) throw new MilvusError(Code.SegmentNotFound, 'segments to be replaced are gone')
    const gone = remove.flatMap((id) => {
      const segment = state.segment(id)
      return segment === undefined || add.some((added) => added.id === id) ? [] : [segmentRecord(segment.collectionId, id, undefined)]
    })
    const added = add.filter((segment) => isWanted(context, segment))
    return [...gone, ...added.map((segment) => segmentRecord(segment.collectionId, segment.id, segment))]
  })
}
