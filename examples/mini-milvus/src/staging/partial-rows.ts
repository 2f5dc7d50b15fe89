/** Rows of a partial upsert as they are staged: whole rows are made of them when their place in the client's order has come. */
import type { RowBatch } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { FieldOps } from '../proxy/partial-upsert.ts'

export interface PartialRows {
  /** The given columns only. */
  readonly rows: RowBatch
  /** Of the rows that are completed, each once. */
  readonly keys: PrimaryKeys
  /** Where the rows are looked for; 0n: in all partitions. */
  readonly scopeId: bigint
  /** Where the whole rows go; with a partition key they find their own. */
  readonly partitionId: bigint
  readonly ops: FieldOps
  /** The keys of the whole rows, where an upsert gives new ones. */
  readonly newKeys: PrimaryKeys | undefined
}
