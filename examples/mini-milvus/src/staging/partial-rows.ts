/** Rows of a partial upsert as they are staged: whole rows are made of them when their place in the client's order has come. */
import type { RowBatch } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { FieldOps } from '../proxy/partial-upsert.ts'

export interface PartialRows {
  /** The given columns only; each key once. */
  readonly rows: RowBatch
  readonly keys: PrimaryKeys
  /** Where new rows go; with a partition key they find their own. */
  readonly partitionId: bigint
  readonly ops: FieldOps
}
