/** Rows on their way into segments: by shard and partition, until there are enough of them. */
import { fillColumn } from '../codec/fill.ts'
import type { Column, RowBatch } from '../model/column.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { groupByBucket, hashPrimaryKeys, isPrimaryKeyColumn } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import { partitionRows } from '../proxy/partitioning.ts'
import { inTurns, joinSteps, type Pause, sortSegment, writeSegmentFile } from '../segment/index.ts'
import { columnBytes, gatherRows } from '../writer/dml-writer.ts'
import type { EncodedSegment } from './plan.ts'

interface Bucket {
  readonly partitionId: bigint
  readonly vchannel: string
  readonly batches: RowBatch[]
}

export class SegmentBuffers {
  readonly #collection: CollectionMeta
  readonly #partitionId: bigint
  readonly #buckets = new Map<string, Bucket>()
  #bytes = 0

  constructor(collection: CollectionMeta, partitionId: bigint) {
    this.#collection = collection
    this.#partitionId = partitionId
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @param batch whole rows, keys included */
  add(batch: RowBatch): void {
    for (const column of batch.columns.values()) this.#bytes += columnBytes(column)
    for (const { partitionId, rows } of partitionRows(this.#collection, batch, this.#partitionId)) {
      const mine = rows === undefined ? batch : gatherRows(batch, rows)
      this.#addToShards(partitionId, mine)
    }
  }

  /** Everything that was added, a segment for each shard and partition. The buffers are empty behind it. */
  async *seal(allocateIds: (count: number) => Promise<bigint>, pause: Pause): AsyncGenerator<EncodedSegment, void, undefined> {
    let id = await allocateIds(this.#buckets.size)
    for (const [name, bucket] of this.#buckets) {
      // Each bucket's rows go before the next is encoded.
      this.#buckets.delete(name)
      yield await this.#encode(bucket, id++, pause)
    }
    this.#bytes = 0
  }

  get isEmpty(): boolean {
    return this.#buckets.size === 0
  }

  #addToShards(partitionId: bigint, batch: RowBatch): void {
    const { shards, schema } = this.#collection
    const keys = batch.columns.get(primaryField(schema).id)
    if (!isPrimaryKeyColumn(keys)) throw new Error(`rows of ${schema.name} came without primary keys`)
    if (shards.length === 1) return this.#put(partitionId, shards[0]?.vchannel ?? '', batch)
    groupByBucket(hashPrimaryKeys(keys), shards.length).forEach((picked, shard) => {
      if (picked.length > 0) this.#put(partitionId, shards[shard]?.vchannel ?? '', gatherRows(batch, picked))
    })
  }

  #put(partitionId: bigint, vchannel: string, batch: RowBatch): void {
    const name = `${vchannel}/${partitionId}`
    const bucket = this.#buckets.get(name)
    if (bucket === undefined) this.#buckets.set(name, { partitionId, vchannel, batches: [batch] })
    else bucket.batches.push(batch)
  }

  async #encode({ partitionId, vchannel, batches }: Bucket, id: bigint, pause: Pause): Promise<EncodedSegment> {
    const { schema, id: collectionId } = this.#collection
    const length = batches.reduce((sum, batch) => sum + batch.length, 0)
    const columns = new Map<number, Column>()
    for (const field of schema.fields) {
      columns.set(field.id, await inTurns(joinSteps(batches.map((batch) => batch.columns.get(field.id) ?? fillColumn(field, batch.length))), pause))
    }
    // When they were written is not known before all of them are; the metadata will say it.
    const { batch, timestamps } = await sortSegment({ length, columns }, new BigUint64Array(length), primaryField(schema).id, pause)
    const file = await writeSegmentFile({ schema, collectionId, partitionId, segmentId: id, startTs: 0n, endTs: 0n, batch, timestamps, pause })
    const data = new Uint8Array(file.bytes)
    let at = 0
    for (const chunk of file.chunks) {
      data.set(chunk, at)
      at += chunk.length
    }
    return { id, partitionId, vchannel, rows: length, bytes: file.bytes, crc32: file.crc32, data }
  }
}
