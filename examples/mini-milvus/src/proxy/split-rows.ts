/** Rows of a write by partition, with their keys. */
import type { RowBatch } from '../model/column.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { isPrimaryKeyColumn } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import { gatherRows, type PartitionRows } from '../writer/dml-writer.ts'
import { partitionRows } from './partitioning.ts'

/** @param named where rows go that have no partition key */
export function splitRows(collection: CollectionMeta, batch: RowBatch, named: bigint): PartitionRows[] {
  const primary = primaryField(collection.schema).id
  return partitionRows(collection, batch, named).map(({ partitionId, rows }) => {
    const mine = rows === undefined ? batch : gatherRows(batch, rows)
    const keys = mine.columns.get(primary)
    if (!isPrimaryKeyColumn(keys)) throw new Error(`rows of ${collection.schema.name} came without primary keys`)
    return { partitionId, rows: mine, keys }
  })
}
