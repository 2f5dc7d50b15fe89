/** Rows that were written but not flushed yet, of one partition and shard: appended in the order of the log. */
import { createGrowableColumns, type GrowableColumns } from '../codec/growable.ts'
import type { Engine } from '../engine/index.ts'
import type { Column, RowBatch } from '../model/column.ts'
import { isPrimaryKeyColumn, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField, type CollectionSchema } from '../model/schema.ts'
import { engineSet } from './engine-set.ts'
import { GrowingKeyIndex } from './key-index.ts'
import type { KeepableView } from './kept-views.ts'
import { columnBytes } from '../writer/dml-writer.ts'
import { Tombstones } from './tombstones.ts'
import type { VectorField } from './vector-field.ts'

/** A chunk that has so many rows takes no more: what a flush leaves of it is cheap to copy. */
export const CHUNK_ROWS = 32_768

export class GrowingChunk implements KeepableView {
  readonly sealed = false
  readonly sortedByKey = false
  readonly keyIndex = new GrowingKeyIndex()
  readonly tombstones = new Tombstones(0)
  readonly partitionId: bigint
  readonly schema: CollectionSchema
  readonly #id: string
  readonly #columns: GrowableColumns
  readonly #vectorFields: ReadonlyMap<number, VectorField>
  readonly #engine: Engine
  /** The memory of each field that the engine knows of. */
  readonly #registered = new Map<number, { readonly data: ArrayBufferLike; readonly offsets: ArrayBufferLike | undefined }>()
  #timestamps = new BigUint64Array(256)
  #minTs = 0n
  #maxTs = 0n

  constructor(options: {
    readonly id: string
    readonly partitionId: bigint
    readonly schema: CollectionSchema
    readonly vectorFields: ReadonlyMap<number, VectorField>
    readonly engine: Engine
  }) {
    this.#id = options.id
    this.partitionId = options.partitionId
    this.schema = options.schema
    this.#vectorFields = options.vectorFields
    this.#engine = options.engine
    this.#columns = createGrowableColumns(options.schema, { shared: true })
  }

  get length(): number {
    return this.#columns.length
  }

  get bytes(): number {
    let bytes = this.length * 8
    for (const field of this.schema.fields) {
      const column = this.column(field.id)
      if (column !== undefined) bytes += columnBytes(column)
    }
    return bytes
  }

  get minTs(): bigint {
    return this.#minTs
  }

  get maxTs(): bigint {
    return this.#maxTs
  }

  get timestamps(): BigUint64Array {
    return this.#timestamps.subarray(0, this.length)
  }

  get keys(): PrimaryKeys {
    const column = this.column(primaryField(this.schema).id)
    if (!isPrimaryKeyColumn(column)) throw new Error('a growing chunk has no primary keys')
    return column
  }

  column(fieldId: number): Column | undefined {
    return this.#columns.column(fieldId)
  }

  append(batch: RowBatch, keys: PrimaryKeys, ts: bigint): void {
    const first = this.length
    this.#columns.append(batch)
    this.#growTimestamps(this.length)
    this.#timestamps.fill(ts, first, this.length)
    this.keyIndex.add(keys, first)
    this.tombstones.grow(this.length)
    if (first === 0 || ts < this.#minTs) this.#minTs = ts
    if (ts > this.#maxTs) this.#maxTs = ts
  }

  vectorSet(fieldId: number): string | undefined {
    const field = this.#vectorFields.get(fieldId)
    if (field === undefined) return undefined
    // Registered with all the room it has: appends within it tell the engine nothing, searches say how many rows count.
    const set = engineSet(this.column(fieldId), field, true)
    if (set === undefined) return undefined
    const setId = `${this.#id}/${fieldId}`
    const data = set.vectors.buffer
    const offsets = (set.offsets ?? set.lists)?.buffer
    const known = this.#registered.get(fieldId)
    if (known?.data !== data || known.offsets !== offsets) {
      this.#engine.addSet({ id: setId, ...set })
      this.#registered.set(fieldId, { data, offsets })
    }
    return setId
  }

  hasIndex(): boolean {
    return false
  }

  release(): void {
    for (const fieldId of this.#registered.keys()) this.#engine.dropSet(`${this.#id}/${fieldId}`)
    this.#registered.clear()
  }

  #growTimestamps(length: number): void {
    if (length <= this.#timestamps.length) return
    const larger = new BigUint64Array(Math.max(length, this.#timestamps.length * 2))
    larger.set(this.#timestamps)
    this.#timestamps = larger
  }
}
