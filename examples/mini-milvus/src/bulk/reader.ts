/** What every format gives: rows of the collection, in order, in batches of bounded size. */
import type { RowBatch } from '../model/column.ts'
import type { CollectionSchema } from '../model/schema.ts'

export interface BatchOfFile {
  /** Checked and complete, but for an auto-id key that the file does not give and for fields that functions fill. */
  readonly batch: RowBatch
  /** Row of the file that the batch begins with. */
  readonly firstRow: number
  /** Share of the file that has been read with this batch, 0 to 1. */
  readonly read: number
}

export interface FileReader {
  /** Where the format tells it. */
  readonly totalRows: number | undefined
  /** @param firstRow rows before it are passed over */
  batches(firstRow: number): AsyncGenerator<BatchOfFile, void, undefined>
}

export interface ReadOptions {
  readonly schema: CollectionSchema
  /** The collection takes keys although it makes its own. */
  readonly allowInsertAutoId: boolean
  /** Of CSV: between fields. @default ',' */
  readonly separator: string
  /** Of CSV: the text that stands for null. @default '' */
  readonly nullText: string
}

/** Rows at once, and about so many bytes of them. */
export const BATCH_ROWS = 8192
export const BATCH_BYTES = 8 * 1024 * 1024
