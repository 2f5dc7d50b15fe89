/** Gives the segments of a shard the indexes that have been built for them. */
import type { MetaReader } from '../coordinator/api.ts'
import type { SegmentIndexMeta, SegmentMeta } from '../model/meta.ts'
import type { BadIndexes } from './bad-indexes.ts'
import { builtScalarIndexes } from './scalar-indexes.ts'
import type { SealedSegment } from './sealed-segment.ts'
import type { SegmentLoader } from './segment-loader.ts'
import type { VectorField } from './vector-field.ts'

export interface AttachOptions {
  readonly collectionId: bigint
  readonly meta: MetaReader
  readonly loader: SegmentLoader
  readonly vectorFields: ReadonlyMap<number, VectorField>
}

export async function attachIndexes(here: ReadonlyMap<bigint, SealedSegment>, segments: readonly SegmentMeta[], { vectorFields, meta, collectionId, loader }: AttachOptions, bad: BadIndexes): Promise<void> {
  const indexes = meta.indexes(collectionId)
  const schema = meta.collectionById(collectionId)?.schema
  for (const segment of segments) {
    const sealed = here.get(segment.id)
    if (sealed === undefined) continue
    sealed.scalarIndexes.follow(builtScalarIndexes(segment, indexes, vectorFields, schema), {
      read: (built) => loader.index(built),
      onBad: (built, error) => bad.tell(sealed.id, built, error),
    })
    for (const { fieldId, index } of vectorFields.values()) {
      const built = segment.indexes.find((candidate) => candidate.indexId === index.id)
      if (built?.state !== 'finished' || built.path === '' || sealed.hasIndex(fieldId)) continue
      await attach(sealed, fieldId, built, loader, bad)
    }
  }
}

/** An index that cannot be opened costs speed, not rows: the segment is scanned until there is another. */
async function attach(sealed: SealedSegment, fieldId: number, built: SegmentIndexMeta, loader: SegmentLoader, bad: BadIndexes): Promise<void> {
  try {
    await sealed.attachIndex(fieldId, await loader.openIndex(built), built.crc32)
  } catch (error) {
    bad.tell(sealed.id, built, error)
  }
}
