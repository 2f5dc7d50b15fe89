/** What a run of an import needs to know, as plain data: it goes to a worker thread. */
import type { ImportPosition } from '../model/import-job.ts'
import type { CollectionMeta } from '../model/meta.ts'

export interface ImportPlan {
  readonly collection: CollectionMeta
  /** Where rows go without a partition key. */
  readonly partitionId: bigint
  /** Files that are rows together, by name and size. */
  readonly files: readonly (readonly PlannedFile[])[]
  /** Rows before it are done. */
  readonly from: ImportPosition
  readonly separator: string
  readonly nullText: string
  /** Rows of so many bytes become segments. */
  readonly sealBytes: number
}

export interface PlannedFile {
  readonly path: string
  readonly bytes: number
}

/** A segment file that is encoded; whoever takes it stores it. */
export interface EncodedSegment {
  readonly id: bigint
  readonly partitionId: bigint
  readonly vchannel: string
  readonly rows: number
  readonly bytes: number
  readonly crc32: number
  readonly data: Uint8Array
}

/** Rows before `next` are in segments that were handed over. `rows`: so many of each file since the last one. */
export interface ImportCheckpoint {
  readonly next: ImportPosition
  readonly rows: readonly { readonly file: number; readonly rows: number; readonly isWhole: boolean }[]
}

/** The world outside of a run. */
export interface ImportWorld {
  /** @param file and, of several that are rows together, which */
  read(file: number, part: number, offset: number, length: number): Promise<Uint8Array>
  /** The first of `count` ids in a row. */
  allocateIds(count: number): Promise<bigint>
  /** Durable when it resolves. */
  store(segment: EncodedSegment): Promise<void>
  /** Remembered when it resolves, with the segments that were stored since the last one. */
  checkpoint(checkpoint: ImportCheckpoint): Promise<void>
  /** What a file was found to be, and how far it is read (0 to 1). */
  progress(progress: ImportProgress): void
}

export interface ImportProgress {
  readonly file: number
  readonly totalRows: number | undefined
  readonly read: number
}
