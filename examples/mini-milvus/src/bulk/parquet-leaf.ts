/**
 * One leaf column of a Parquet row group as a stream: pages are fetched and decoded as rows are asked for, so that a row group of any
 * size needs the memory of its pages. Pages are decoded by hyparquet; how rows lie in them (the levels) is read here, because rows of
 * numbers shall stay typed arrays.
 */
import type { Compressors } from 'hyparquet-compressors'
import { parquetHeader } from 'hyparquet/src/column.js'
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js'
import { readPlain } from 'hyparquet/src/plain.js'
import type { ColumnDecoder, ColumnMetaData, DecodedArray, PageHeader, SchemaElement, SchemaTree } from 'hyparquet/src/types.js'
import { ImportError } from './errors.ts'
import type { BulkFile } from './source.ts'

export interface LeafColumn {
  readonly path: readonly SchemaTree[]
  readonly chunk: ColumnMetaData
}

/** Rows of a leaf. */
export interface LeafRows {
  /** Values of each row: -1 null, 0 an empty list. Undefined: one each. */
  readonly counts: Int32Array | undefined
  /** Of lists of lists: how long each inner one is; `counts` counts these. */
  readonly inner?: Int32Array | undefined
  /** Without nulls, those of lists one after the other. */
  readonly values: DecodedArray
}

const READ_BYTES = 2 * 1024 * 1024
/** A page that says it is larger is refused before anything is allocated. */
const MAX_PAGE_BYTES = 256 * 1024 * 1024
const MAX_RATIO = 1000

export class LeafStream {
  readonly #file: BulkFile
  readonly #decoder: ColumnDecoder
  readonly #levels: Levels
  readonly #end: number
  #at: number
  #window: Uint8Array = new Uint8Array(0)
  #windowAt = 0
  #dictionary: DecodedArray | undefined
  readonly #values = new ValueQueue()
  #counts: number[] = []
  #inner: number[] = []
  /** Rows of `counts` that were given. */
  #given = 0

  constructor(file: BulkFile, { path, chunk }: LeafColumn, compressors: Compressors) {
    this.#file = file
    const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset)
    // Some writers give a dictionary's place as 0 where there is none.
    this.#at = start === 0 ? Number(chunk.data_page_offset) : Math.min(start, Number(chunk.data_page_offset))
    this.#end = this.#at + Number(chunk.total_compressed_size)
    if (this.#at < 4 || this.#end > file.bytes) throw new ImportError('a column lies outside of the file')
    const { element } = path.at(-1) as SchemaTree
    const { type, codec, path_in_schema: pathInSchema } = chunk
    this.#decoder = { pathInSchema, type, element, schemaPath: [...path], codec, compressors, parsers: {} as ColumnDecoder['parsers'] }
    this.#levels = levelsOf(path.slice(1).map((node) => node.element))
  }

  /** The next rows; fewer only at the end of the column. */
  async take(rows: number): Promise<LeafRows> {
    // A row of a list is whole when the next one begins, or the column ends.
    const held = this.#levels.isList ? 1 : 0
    while (this.#counts.length - this.#given < rows + held && this.#at < this.#end) await this.#readPage()
    const end = Math.min(this.#counts.length, this.#given + rows)
    const counts = Int32Array.from(this.#counts.slice(this.#given, end))
    this.#given = end
    if (this.#given > 65_536) {
      this.#counts = this.#counts.slice(this.#given)
      this.#given = 0
    }
    let values = 0
    let plain = !this.#levels.isList
    for (const count of counts) {
      if (count > 0) values += count
      if (count !== 1) plain = false
    }
    if (!this.#levels.isNested) return { counts: plain ? undefined : counts, values: this.#values.take(values) }
    const inner = Int32Array.from(this.#inner.splice(0, values))
    return { counts, inner, values: this.#values.take(inner.reduce((sum, length) => sum + length, 0)) }
  }

  async #readPage(): Promise<void> {
    const header = await this.#header()
    const { compressed_page_size: size, uncompressed_page_size: unpacked } = header
    if (!isSize(size) || !isSize(unpacked) || this.#at + size > this.#end) throw new ImportError('a page does not lie within its column')
    if (unpacked > MAX_PAGE_BYTES || unpacked > Math.max(1024 * 1024, size * MAX_RATIO)) throw new ImportError(`a page of ${size} bytes says that it unpacks to ${unpacked}`)
    const bytes = await this.#bytes(size)
    this.#at += size
    if (header.type === 'DICTIONARY_PAGE') this.#readDictionary(header, bytes)
    else if (header.type === 'DATA_PAGE' || header.type === 'DATA_PAGE_V2') this.#readData(header, bytes)
  }

  /** Headers have no length of their own: try with what is there, and with more when that is too short. */
  async #header(): Promise<PageHeader> {
    for (let length = Math.min(512, this.#end - this.#at); ; length *= 8) {
      const bytes = await this.#bytes(Math.min(length, this.#end - this.#at))
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
      try {
        const header = parquetHeader(reader)
        this.#at += reader.offset
        return header
      } catch (error) {
        if (length >= Math.min(1024 * 1024, this.#end - this.#at)) throw new ImportError('cannot read the head of a page', { cause: error })
      }
    }
  }

  /** `length` bytes at the present place. */
  async #bytes(length: number): Promise<Uint8Array> {
    const from = this.#at - this.#windowAt
    if (from < 0 || from + length > this.#window.length) {
      this.#windowAt = this.#at
      this.#window = await this.#file.read(this.#at, Math.min(Math.max(length, READ_BYTES), this.#end - this.#at))
      return this.#window.subarray(0, length)
    }
    return this.#window.subarray(from, from + length)
  }

  #readDictionary(header: PageHeader, bytes: Uint8Array): void {
    const { type, codec, compressors, element } = this.#decoder
    const page = decompressPage(bytes, header.uncompressed_page_size, codec, compressors)
    const count = header.dictionary_page_header?.num_values ?? 0
    if (!isSize(count) || count > page.length * 8) throw new ImportError(`a dictionary of ${page.length} bytes says that it has ${count} values`)
    this.#dictionary = readPlain({ view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 }, type, count, element.type_length)
  }

  #readData(header: PageHeader, bytes: Uint8Array): void {
    const head = header.data_page_header ?? header.data_page_header_v2
    if (head === undefined || !isSize(head.num_values)) throw new ImportError('a page without a head')
    // Run lengths pack many rows into a byte, but no writer puts so many into a page.
    if (head.num_values > Math.max(4_000_000, header.uncompressed_page_size * 64)) throw new ImportError(`a page says that it has ${head.num_values} values`)
    const { codec, compressors } = this.#decoder
    const page = header.data_page_header === undefined ? readDataPageV2(bytes, header, this.#decoder) : readDataPage(decompressPage(bytes, header.uncompressed_page_size, codec, compressors), header.data_page_header, this.#decoder)
    const isIndexed = head.encoding === 'RLE_DICTIONARY' || head.encoding === 'PLAIN_DICTIONARY'
    this.#values.add(isIndexed ? lookedUp(page.dataPage as ArrayLike<number>, this.#dictionary) : page.dataPage)
    if (this.#levels.isNested) addNested(this.#counts, this.#inner, this.#levels, head.num_values, page.definitionLevels ?? [], page.repetitionLevels)
    else addCounts(this.#counts, this.#levels, head.num_values, page.definitionLevels ?? [], page.repetitionLevels)
  }
}

interface Levels {
  readonly isList: boolean
  /** A list of lists. */
  readonly isNested: boolean
  /** Of a value that is there. */
  readonly max: number
  /** Of an item of the list that is there, be it null. */
  readonly item: number
  /** Of an item of an inner list. */
  readonly innerItem: number
}

/** @param elements from the column down to the leaf */
function levelsOf(elements: readonly SchemaElement[]): Levels {
  let max = 0
  let item = 0
  let innerItem = 0
  let repeated = 0
  for (const { repetition_type: repetition } of elements) {
    if (repetition !== 'REQUIRED') max++
    if (repetition === 'REPEATED') {
      repeated++
      if (repeated === 1) item = max
      else innerItem = max
    }
  }
  if (repeated > 2) throw new ImportError('lists of lists of lists are not read')
  return { isList: repeated > 0, isNested: repeated === 2, max, item, innerItem }
}

function addCounts(counts: number[], { isList, max, item }: Levels, length: number, definitions: readonly number[], repetitions: readonly number[]): void {
  const hasLevels = definitions.length > 0
  if (!isList) {
    for (let at = 0; at < length; at++) counts.push(hasLevels && (definitions[at] as number) < max ? -1 : 1)
    return
  }
  for (let at = 0; at < length; at++) {
    const level = hasLevels ? (definitions[at] as number) : max
    if (level >= item && level < max) throw new ImportError(`an item of a list is null, row number: ${counts.length}`)
    if (repetitions[at] === 0) counts.push(level >= item ? 1 : level === item - 1 ? 0 : -1)
    else if (counts.length === 0) throw new ImportError('a column begins inside of a row')
    else counts[counts.length - 1] = (counts[counts.length - 1] as number) + 1
  }
}

/** Of vectors in structs: none of them is null, and none is empty. */
function addNested(counts: number[], inner: number[], { max, item, innerItem }: Levels, length: number, definitions: readonly number[], repetitions: readonly number[]): void {
  const hasLevels = definitions.length > 0
  for (let at = 0; at < length; at++) {
    const level = hasLevels ? (definitions[at] as number) : max
    const repetition = repetitions[at] as number
    if (level >= item && level < max) throw new ImportError(`an item of a list is ${level < innerItem ? 'null or empty' : 'null'}, row number: ${counts.length}`)
    if (repetition > 0 && counts.length === 0) throw new ImportError('a column begins inside of a row')
    if (repetition === 0) counts.push(level >= item ? 1 : level === item - 1 ? 0 : -1)
    else if (repetition === 1) counts[counts.length - 1] = (counts[counts.length - 1] as number) + 1
    if (level < item) continue
    if (repetition < 2) inner.push(1)
    else inner[inner.length - 1] = (inner[inner.length - 1] as number) + 1
  }
}

function lookedUp(indexes: ArrayLike<number>, dictionary: DecodedArray | undefined): DecodedArray {
  if (dictionary === undefined) throw new ImportError('a page refers to a dictionary that is not there')
  const check = (index: number): number => {
    if (index >= dictionary.length) throw new ImportError('a page refers to a value that its dictionary does not have')
    return index
  }
  if (Array.isArray(dictionary)) return Array.from(indexes, (index) => dictionary[check(index)] as unknown)
  const values = new (dictionary.constructor as new (length: number) => Float64Array)(indexes.length)
  for (let at = 0; at < indexes.length; at++) values[at] = (dictionary as Float64Array)[check(indexes[at] as number)] as number
  return values
}

/** Decoded values of pages, given in other pieces than they came. */
class ValueQueue {
  #pieces: DecodedArray[] = []

  add(values: DecodedArray): void {
    if (values.length > 0) this.#pieces.push(values)
  }

  take(count: number): DecodedArray {
    const parts: DecodedArray[] = []
    let missing = count
    while (missing > 0) {
      const piece = this.#pieces[0]
      if (piece === undefined) throw new ImportError('a column has fewer values than it says')
      if (piece.length <= missing) this.#pieces.shift()
      else this.#pieces[0] = cut(piece, missing, piece.length)
      parts.push(piece.length <= missing ? piece : cut(piece, 0, missing))
      missing -= Math.min(missing, piece.length)
    }
    return joined(parts, count)
  }
}

function cut(values: DecodedArray, start: number, end: number): DecodedArray {
  return Array.isArray(values) ? values.slice(start, end) : values.subarray(start, end)
}

function joined(parts: readonly DecodedArray[], length: number): DecodedArray {
  const [first] = parts
  if (first === undefined) return []
  if (parts.length === 1) return first
  if (parts.some((part) => Array.isArray(part) || part.constructor !== first.constructor)) return parts.flatMap((part) => Array.from(part as ArrayLike<unknown>))
  const all = new (first.constructor as new (length: number) => Float64Array)(length)
  let at = 0
  for (const part of parts) {
    all.set(part as Float64Array, at)
    at += part.length
  }
  return all
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}
