/** The growing rows of one shard: chunks per partition, which a flush takes away from the old end. */
import { gatherColumn } from '../codec/gather.ts'
import type { Engine } from '../engine/index.ts'
import type { Column, RowBatch } from '../model/column.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { isPrimaryKeyColumn, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import { CHUNK_ROWS, GrowingChunk } from './growing-chunk.ts'
import type { VectorField } from './vector-field.ts'

export interface GrowingRowsOptions {
  readonly name: string
  readonly engine: Engine
  readonly vectorFields: ReadonlyMap<number, VectorField>
  /** A chunk is not needed here any more. Without it, it is released. */
  readonly letGo?: ((chunk: GrowingChunk) => void) | undefined
}

export class GrowingRows {
  readonly #options: GrowingRowsOptions
  readonly #partitions = new Map<bigint, GrowingChunk[]>()
  #chunkCount = 0

  constructor(options: GrowingRowsOptions) {
    this.#options = options
  }

  chunks(): GrowingChunk[] {
    return [...this.#partitions.values()].flat()
  }

  get rowCount(): number {
    return this.chunks().reduce((sum, chunk) => sum + chunk.length, 0)
  }

  append(partitionId: bigint, schema: CollectionSchema, batch: RowBatch, ts: bigint): void {
    const keys = batch.columns.get(primaryField(schema).id)
    if (!isPrimaryKeyColumn(keys)) throw new Error(`rows of ${schema.name} came without primary keys`)
    this.#openChunk(partitionId, schema).append(batch, keys, ts)
  }

  /** Rows at or below `ts` are in segments now (or were truncated): drop them. */
  dropThrough(ts: bigint): void {
    for (const [partitionId, chunks] of this.#partitions) {
      const kept = chunks.flatMap((chunk) => this.#keepAfter(chunk, ts))
      if (kept.length === 0) this.#partitions.delete(partitionId)
      else this.#partitions.set(partitionId, kept)
    }
  }

  dropPartition(partitionId: bigint): void {
    for (const chunk of this.#partitions.get(partitionId) ?? []) this.#letGo(chunk)
    this.#partitions.delete(partitionId)
  }

  release(): void {
    for (const partitionId of this.#partitions.keys()) this.dropPartition(partitionId)
  }

  #openChunk(partitionId: bigint, schema: CollectionSchema): GrowingChunk {
    let chunks = this.#partitions.get(partitionId)
    if (chunks === undefined) {
      chunks = []
      this.#partitions.set(partitionId, chunks)
    }
    const last = chunks.at(-1)
    if (last !== undefined && last.schema === schema && last.length < CHUNK_ROWS) return last
    const chunk = this.#newChunk(partitionId, schema)
    chunks.push(chunk)
    return chunk
  }

  #newChunk(partitionId: bigint, schema: CollectionSchema): GrowingChunk {
    const { name, engine, vectorFields } = this.#options
    return new GrowingChunk({ id: `g${name}/${++this.#chunkCount}`, partitionId, schema, vectorFields, engine })
  }

  #keepAfter(chunk: GrowingChunk, ts: bigint): GrowingChunk[] {
    if (chunk.minTs > ts) return [chunk]
    const rest = chunk.maxTs > ts ? this.#copyAfter(chunk, ts) : undefined
    this.#letGo(chunk)
    return rest === undefined ? [] : [rest]
  }

  #letGo(chunk: GrowingChunk): void {
    if (this.#options.letGo === undefined) chunk.release()
    else this.#options.letGo(chunk)
  }

  #copyAfter(chunk: GrowingChunk, ts: bigint): GrowingChunk {
    const copy = this.#newChunk(chunk.partitionId, chunk.schema)
    const timestamps = chunk.timestamps
    for (let start = 0; start < chunk.length; ) {
      const rowTs = timestamps[start] as bigint
      let end = start + 1
      while (end < chunk.length && timestamps[end] === rowTs) end++
      if (rowTs > ts) copyRows(chunk, copy, start, end, rowTs)
      start = end
    }
    return copy
  }
}

function copyRows(from: GrowingChunk, to: GrowingChunk, start: number, end: number, ts: bigint): void {
  const rows = Uint32Array.from({ length: end - start }, (_, index) => start + index)
  const columns = new Map<number, Column>()
  for (const field of from.schema.fields) {
    const column = from.column(field.id)
    if (column !== undefined) columns.set(field.id, gatherColumn(column, rows))
  }
  const first = to.length
  to.append({ length: rows.length, columns }, gatherColumn<PrimaryKeys>(from.keys, rows), ts)
  for (let index = 0; index < rows.length; index++) {
    if (!from.tombstones.isAlive(start + index)) to.tombstones.kill(first + index, from.tombstones.diedAt(start + index))
  }
}
