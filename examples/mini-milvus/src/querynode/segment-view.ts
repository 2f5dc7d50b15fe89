/** What search and query see of a segment, growing or sealed: columns, row timestamps, keys, who is alive. */
import type { ColumnSource } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { KeyIndex } from './key-index.ts'
import type { ScalarIndexes } from './scalar-indexes.ts'
import type { Tombstones } from './tombstones.ts'

export interface SegmentView extends ColumnSource {
  readonly partitionId: bigint
  readonly sealed: boolean
  /** Of an import: when all its rows were written, in this segment and in others. */
  readonly rowsTs?: bigint | undefined
  /** Write timestamp per row. */
  readonly timestamps: BigUint64Array
  readonly keys: PrimaryKeys
  /** True: rows ascend by primary key. */
  readonly sortedByKey: boolean
  readonly keyIndex: KeyIndex
  readonly tombstones: Tombstones
  /** Of scalar fields; growing rows have none. */
  readonly scalarIndexes?: ScalarIndexes | undefined
  /** Name of this segment's vectors of a field in the engine; registers what came since the last call. */
  vectorSet(fieldId: number): string | undefined
  /** An index stands behind the vectors of this field. */
  hasIndex(fieldId: number): boolean
}

/** A delete of keys at a time: it kills rows written before it, so that an upsert's own rows survive. */
export interface DeleteRecord {
  /** 0n: in all partitions. */
  readonly partitionId: bigint
  readonly keys: PrimaryKeys
  readonly ts: bigint
}
