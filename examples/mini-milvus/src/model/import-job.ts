/** Jobs of bulk import, as the coordinator keeps them: what to read, how far it is, and how it ended. */
import type { SegmentMeta } from './meta.ts'

/**
 * Milvus's words. What is written becomes visible with the step from `Importing` to `IndexBuilding`, at the job's timestamp;
 * before it nothing is seen, after it the job can only complete.
 */
export type ImportJobState = 'Pending' | 'PreImporting' | 'Importing' | 'IndexBuilding' | 'Completed' | 'Failed'

/** Files that are rows together: one of JSON, CSV or Parquet, or one `.npy` a field. */
export interface ImportFileMeta {
  readonly paths: readonly string[]
  readonly bytes: number
  /** Says when a file was replaced while it was read; '' before it was looked at. */
  readonly version: string
  readonly importedRows: number
  /** Where the format tells it before it is read. */
  readonly totalRows?: number | undefined
}

export interface ImportPosition {
  readonly file: number
  readonly row: number
}

export interface ImportJobMeta {
  readonly id: bigint
  readonly dbName: string
  readonly collectionId: bigint
  readonly collectionName: string
  /** 0n: by partition key. */
  readonly partitionId: bigint
  readonly partitionName: string
  readonly files: readonly ImportFileMeta[]
  readonly options: Readonly<Record<string, string>>
  readonly state: ImportJobState
  readonly reason: string
  readonly createdMs: number
  /** Wall time by which it must be committed. */
  readonly deadlineMs?: number | undefined
  readonly endedMs?: number | undefined
  /** Rows before this are in segments that wait for the commit. */
  readonly next: ImportPosition
  /** Number of parts that were saved. */
  readonly parts: number
  /** When its rows were written, as everybody sees it; 0n before. */
  readonly ts: bigint
  readonly segmentIds: readonly bigint[]
}

/** Segments that are written and durable, and seen by nobody yet. */
export interface ImportPartMeta {
  readonly jobId: bigint
  readonly number: number
  readonly segments: readonly SegmentMeta[]
}

export function isEnded({ state }: ImportJobMeta): boolean {
  return state === 'Completed' || state === 'Failed'
}

export function importedRows({ files }: ImportJobMeta): number {
  return files.reduce((sum, file) => sum + file.importedRows, 0)
}
