/** The sorted indexes of a sealed segment: named by the metadata, read when a filter first asks for one. */
import type { ColumnSource } from '../model/column.ts'
import type { IndexMeta, SegmentIndexMeta, SegmentMeta } from '../model/meta.ts'
import { isIndexedColumn, readSortedFile, SortedIndex } from '../scalar/index.ts'

export interface BuiltScalarIndex {
  readonly fieldId: number
  readonly built: SegmentIndexMeta
}

export interface ScalarIndexFiles {
  /** The file's bytes, checked. */
  read(built: SegmentIndexMeta): Promise<Uint8Array>
  /** A file that could not be used: filters read columns instead. */
  onBad(built: SegmentIndexMeta, error: unknown): void
}

/** Those of a segment that are finished and have a file. */
export function builtScalarIndexes(segment: SegmentMeta, indexes: readonly IndexMeta[], vectorFields: ReadonlyMap<number, unknown>): BuiltScalarIndex[] {
  return segment.indexes.flatMap((built) => {
    const index = indexes.find(({ id }) => id === built.indexId)
    const isScalar = index !== undefined && index.metricType === '' && !vectorFields.has(index.fieldId)
    return isScalar && built.state === 'finished' && built.path !== '' ? [{ fieldId: index.fieldId, built }] : []
  })
}

interface Entry {
  readonly built: SegmentIndexMeta
  readonly files: ScalarIndexFiles
  index: SortedIndex | undefined
  opening: Promise<void> | undefined
}

export class ScalarIndexes {
  readonly #source: ColumnSource
  readonly #entries = new Map<number, Entry>()

  constructor(source: ColumnSource) {
    this.#source = source
  }

  /** Those that there are now; what was read before stays, if its file is the same. */
  follow(wanted: readonly BuiltScalarIndex[], files: ScalarIndexFiles): void {
    const before = new Map(this.#entries)
    this.#entries.clear()
    for (const { fieldId, built } of wanted) {
      const known = before.get(fieldId)
      const isSame = known?.built.path === built.path && known.built.crc32 === built.crc32
      this.#entries.set(fieldId, isSame ? known : { built, files, index: undefined, opening: undefined })
    }
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Read already. */
  get(fieldId: number): SortedIndex | undefined {
    return this.#entries.get(fieldId)?.index
  }

  /** Undefined when all of these fields that have an index have it read. */
  open(fieldIds: readonly number[]): Promise<unknown> | undefined {
    const missing = [...new Set(fieldIds)].flatMap((fieldId) => {
      const entry = this.#entries.get(fieldId)
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
    const fieldId = [...this.#entries].find(([, known]) => known === entry)?.[0]
    const column = fieldId === undefined ? undefined : this.#source.column(fieldId)
    try {
      const bytes = await entry.files.read(entry.built)
      if (isIndexedColumn(column)) entry.index = new SortedIndex(readSortedFile(bytes, column, entry.built.path), column)
    } catch (error) {
      if (fieldId === undefined || this.#entries.get(fieldId) !== entry) return
      this.#entries.delete(fieldId)
      entry.files.onBad(entry.built, error)
    }
  }
}
