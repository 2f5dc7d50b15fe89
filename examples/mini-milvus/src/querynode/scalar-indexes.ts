/** The scalar indexes of a sealed segment: named by the metadata, read when a filter first asks for one. */
import type { Column, ColumnSource } from '../model/column.ts'
import { type IndexKey, type JsonIndex, jsonIndexKey, jsonIndexOf } from '../model/json-index.ts'
import type { IndexMeta, SegmentIndexMeta, SegmentMeta } from '../model/meta.ts'
import { scalarStructure, type ScalarStructure } from '../model/scalar-index.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { type BoxIndex, type GramIndex, isIndexedColumn, readBoxFile, readGramFile, readJsonFile, readSortedFile, SortedIndex } from '../scalar/index.ts'

/** What answers for a field, or for a path of one. */
export type ScalarIndex = SortedIndex | GramIndex | BoxIndex

export interface BuiltScalarIndex {
  readonly fieldId: number
  readonly kind: ScalarStructure['kind']
  /** Of a path of a JSON field. */
  readonly json?: JsonIndex | undefined
  readonly built: SegmentIndexMeta
}

export interface ScalarIndexFiles {
  /** The file's bytes, checked. */
  read(built: SegmentIndexMeta): Promise<Uint8Array>
  /** A file that could not be used: filters read columns instead. */
  onBad(built: SegmentIndexMeta, error: unknown): void
}

/** Those of a segment that are finished and have a file. */
export function builtScalarIndexes(segment: SegmentMeta, indexes: readonly IndexMeta[], vectorFields: ReadonlyMap<number, unknown>, schema: Pick<CollectionSchema, 'fields'> | undefined): BuiltScalarIndex[] {
  return segment.indexes.flatMap((built) => {
    const index = indexes.find(({ id }) => id === built.indexId)
    const isScalar = index !== undefined && index.metricType === '' && !vectorFields.has(index.fieldId)
    if (!isScalar || built.state !== 'finished' || built.path === '') return []
    const field = schema?.fields.find(({ id }) => id === index.fieldId)
    const structure = field && scalarStructure(field, index)
    return field === undefined || structure === undefined ? [] : [{ fieldId: index.fieldId, kind: structure.kind, built, json: jsonIndexOf(field, index) }]
  })
}

interface Entry {
  readonly fieldId: number
  readonly kind: ScalarStructure['kind']
  readonly json: JsonIndex | undefined
  readonly built: SegmentIndexMeta
  readonly files: ScalarIndexFiles
  index: ScalarIndex | undefined
  opening: Promise<void> | undefined
}

export class ScalarIndexes {
  readonly #source: ColumnSource
  readonly #entries = new Map<IndexKey, Entry>()

  constructor(source: ColumnSource) {
    this.#source = source
  }

  /** Those that there are now; what was read before stays, if its file is the same. */
  follow(wanted: readonly BuiltScalarIndex[], files: ScalarIndexFiles): void {
    const before = new Map(this.#entries)
    this.#entries.clear()
    for (const { fieldId, kind, json, built } of wanted) {
      const key = json === undefined ? fieldId : jsonIndexKey(fieldId, json)
      const known = before.get(key)
      const isSame = known?.built.path === built.path && known.built.crc32 === built.crc32
      this.#entries.set(key, isSame ? known : { fieldId, kind, json, built, files, index: undefined, opening: undefined })
    }
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Read already. */
  get(key: IndexKey): ScalarIndex | undefined {
    return this.#entries.get(key)?.index
  }

  /** Undefined when all of these fields that have an index have it read. */
  open(keys: readonly IndexKey[]): Promise<unknown> | undefined {
    const missing = [...new Set(keys)].flatMap((key) => {
      const entry = this.#entries.get(key)
      return entry === undefined || entry.index !== undefined ? [] : [entry]
    })
    if (missing.length === 0) return undefined
    return Promise.all(missing.map((entry) => this.#opening(entry)))
  }

  #opening(entry: Entry): Promise<void> {
    entry.opening ??= this.#read(entry)
    return entry.opening
  }

  async #read(entry: Entry): Promise<void> {
    const key = [...this.#entries].find(([, known]) => known === entry)?.[0]
    const column = key === undefined ? undefined : this.#source.column(entry.fieldId)
    try {
      const bytes = await entry.files.read(entry.built)
      if (column !== undefined) entry.index = openIndex(entry, column, bytes)
    } catch (error) {
      if (key === undefined || this.#entries.get(key) !== entry) return
      this.#entries.delete(key)
      entry.files.onBad(entry.built, error)
    }
  }
}

function openIndex({ kind, json, built: { path } }: Entry, column: Column, bytes: Uint8Array): ScalarIndex | undefined {
  if (kind === 'grams') return readGramFile(bytes, column.length, path)
  if (kind === 'boxes') return readBoxFile(bytes, column.length, path)
  if (json !== undefined) return readJsonFile(bytes, json, column.length, path)
  return isIndexedColumn(column) ? new SortedIndex(readSortedFile(bytes, column, path), column) : undefined
}
