/** A flushed segment in memory: columns are views into one shared buffer, rows ascend by primary key. */
import type { Engine } from '../engine/index.ts'
import type { Column } from '../model/column.ts'
import type { SegmentMeta } from '../model/meta.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { LocalFile } from '../storage/index.ts'
import { applyTruncation } from './apply-deletes.ts'
import { engineSet } from './engine-set.ts'
import { sortedKeyIndex, type KeyIndex } from './key-index.ts'
import { ScalarIndexes } from './scalar-indexes.ts'
import type { KeepableView } from './kept-views.ts'
import { Tombstones } from './tombstones.ts'
import type { VectorField } from './vector-field.ts'

export interface SealedRows {
  readonly length: number
  readonly columns: ReadonlyMap<number, Column>
  readonly timestamps: BigUint64Array
}

/** One that moments still look at, and that was opened anew meanwhile, has other names in the engine. */
let opened = 0

export class SealedSegment implements KeepableView {
  readonly sealed = true
  readonly sortedByKey = true
  readonly length: number
  readonly timestamps: BigUint64Array
  readonly keys: PrimaryKeys
  readonly keyIndex: KeyIndex
  readonly tombstones: Tombstones
  readonly scalarIndexes: ScalarIndexes
  readonly #meta: SegmentMeta
  readonly #columns: ReadonlyMap<number, Column>
  readonly #engine: Engine
  readonly #sets = new Map<number, string>()
  readonly #indexed = new Set<number>()
  /** Files of the indexes, kept in their place as long as workers map them. */
  readonly #files: LocalFile[] = []
  readonly #name: string

  constructor(meta: SegmentMeta, rows: SealedRows, keys: PrimaryKeys, vectorFields: Iterable<VectorField>, engine: Engine) {
    this.#meta = meta
    this.#name = `s${meta.id}.${(opened += 1)}`
    this.#columns = rows.columns
    this.#engine = engine
    this.length = rows.length
    this.timestamps = rows.timestamps
    this.keys = keys
    this.keyIndex = sortedKeyIndex(keys)
    this.tombstones = new Tombstones(rows.length)
    this.scalarIndexes = new ScalarIndexes(this)
    for (const field of vectorFields) this.#register(field)
  }

  get id(): bigint {
    return this.#meta.id
  }

  get bytes(): number {
    return this.#meta.bytes
  }

  get partitionId(): bigint {
    return this.#meta.partitionId
  }

  get rowsTs(): bigint | undefined {
    return this.#meta.rowsTs
  }

  column(fieldId: number): Column | undefined {
    return this.#columns.get(fieldId)
  }

  vectorSet(fieldId: number): string | undefined {
    return this.#sets.get(fieldId)
  }

  hasIndex(fieldId: number): boolean {
    return this.#indexed.has(fieldId)
  }

  /** The index of a field has been built: search through it from now on. */
  async attachIndex(fieldId: number, file: LocalFile, crc32: number): Promise<void> {
    const setId = this.#sets.get(fieldId)
    if (setId === undefined) return file.release()
    try {
      await this.#engine.attachIndex({ setId, path: file.path, crc32 })
    } catch (error) {
      file.release()
      throw error
    }
    this.#indexed.add(fieldId)
    this.#files.push(file)
    // It was let go meanwhile.
    if (this.#sets.size === 0) this.#releaseFiles()
  }

  truncate(ts: bigint): void {
    applyTruncation(this, this.#meta, ts)
  }

  release(): void {
    for (const setId of this.#sets.values()) this.#engine.dropSet(setId)
    this.#sets.clear()
    this.scalarIndexes.clear()
    this.#indexed.clear()
    this.#releaseFiles()
  }

  #releaseFiles(): void {
    for (const file of this.#files.splice(0)) file.release()
  }

  addVectorField(field: VectorField): void {
    if (!this.#sets.has(field.fieldId)) this.#register(field)
  }

  #register(field: VectorField): void {
    const { fieldId } = field
    const set = engineSet(this.#columns.get(fieldId), field, false)
    if (set === undefined) return
    const setId = `${this.#name}/${fieldId}`
    this.#engine.addSet({ id: setId, ...set })
    this.#sets.set(fieldId, setId)
  }
}
