/** Which partition a row belongs to: the one named, or by hash of the partition key. */
import type { CollectionMeta } from '../model/meta.ts'
import type { RowBatch } from '../model/column.ts'
import { groupByBucket, hashPrimaryKeys, isPrimaryKeyColumn } from '../model/primary-keys.ts'
import type { FieldSchema } from '../model/schema.ts'
import { MilvusError } from '../server/status.ts'

export function partitionKeyField(collection: CollectionMeta): FieldSchema | undefined {
  return collection.schema.fields.find((field) => field.isPartitionKey)
}

/** Throws where partitions are chosen by key and a request names them. */
export function partitionKeyPartitions(collection: CollectionMeta, legacy?: number): void {
  if (partitionKeyField(collection) !== undefined) {
    throw new MilvusError(1100, 'not support manually specifying the partition names if partition key mode is used', legacy)
  }
}

/** Rows of each partition; `rows` undefined: all of the batch. */
export function partitionRows(collection: CollectionMeta, batch: RowBatch, named: bigint): { readonly partitionId: bigint; readonly rows: Uint32Array | undefined }[] {
  const key = partitionKeyField(collection)
  if (key === undefined) return [{ partitionId: named, rows: undefined }]
  const column = batch.columns.get(key.id)
  if (!isPrimaryKeyColumn(column)) throw new Error(`partition key ${key.name} is neither Int64 nor VarChar`)
  return groupByBucket(hashPrimaryKeys(column), collection.partitions.length)
    .map((rows, index) => ({ partitionId: collection.partitions[index]?.id ?? named, rows }))
    .filter(({ rows }) => rows.length > 0)
}
