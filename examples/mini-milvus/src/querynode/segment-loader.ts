import type { CollectionSchema } from '../model/schema.ts'
import type { SegmentIndexMeta, SegmentMeta } from '../model/meta.ts'
import type { LocalFile } from '../storage/index.ts'
import type { SealedRows } from './sealed-segment.ts'
import type { DeleteRecord } from './segment-view.ts'

/** Reads flushed segments from object storage. A bad file rejects with a typed error that names it. */
export interface SegmentLoader {
  rows(segment: SegmentMeta, schema: CollectionSchema): Promise<SealedRows>
  /** As `rows`, on memory that nobody else has, which a thread can take over. */
  ownRows(segment: SegmentMeta, schema: CollectionSchema): Promise<SealedRows>
  /** Deletes of a delta segment, ascending by timestamp. */
  deletes(segment: SegmentMeta, schema: CollectionSchema): Promise<readonly DeleteRecord[]>
  /** A file that workers can map, until it is released. */
  openIndex(index: Pick<SegmentIndexMeta, 'path' | 'bytes' | 'crc32'>): Promise<LocalFile>
  /** The bytes of an index file, checked against its sum. */
  index(built: SegmentIndexMeta): Promise<Uint8Array>
}
