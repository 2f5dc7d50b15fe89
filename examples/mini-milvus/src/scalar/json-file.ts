/**
 * An index of a JSON path as a file. The values are not in the segment as such, so that the file has them: six little-endian words, the
 * values of all rows as a column of one type, which of them are there, and the sorted file of that column.
 */
import { crc32 } from 'node:zlib'
import type { ArrayColumn } from '../model/column.ts'
import type { JsonCast, JsonIndex } from '../model/json-index.ts'
import { DataType } from '../model/schema.ts'
import { SegmentError } from '../segment/errors.ts'
import type { IndexedColumn, OrderedColumn } from './column.ts'
import { readSortedFile, type SortedFile } from './sorted-file.ts'
import { SortedIndex } from './sorted-index.ts'

const MAGIC = 0x494a_4d4d
const VERSION = 1
const HEAD_BYTES = 24
/** Of lists: their beginnings and which are there, and the file of their elements. */
const LIST_MAGIC = 0x4c4a_4d4d

/** @param sorted the sorted file of the values */
export function writeJsonFile(values: IndexedColumn, sorted: Uint8Array): SortedFile {
  const { length } = values
  if (values.kind === 'array') return writeListFile(values, sorted)
  const data = values.kind === 'string' ? values.data : new Uint8Array(0)
  const head = Uint32Array.of(MAGIC, VERSION, values.type, length, data.length, sorted.length)
  const main = values.kind === 'string' ? values.offsets : values.values
  return joined([bytesOf(head), bytesOf(main), data, values.valid ?? new Uint8Array(length).fill(1), sorted])
}

function writeListFile({ length, offsets, valid, elements }: ArrayColumn, sorted: Uint8Array): SortedFile {
  const inner = writeJsonFile(elements, sorted).bytes
  const head = Uint32Array.of(LIST_MAGIC, VERSION, elements.type, length, elements.length, inner.length)
  return joined([bytesOf(head), bytesOf(offsets), valid ?? new Uint8Array(length).fill(1), inner])
}

function joined(parts: readonly Uint8Array[]): SortedFile {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + padded(part.length), 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += padded(part.length)
  }
  return { bytes, crc32: crc32(bytes) }
}

/** Throws `SEGMENT_FORMAT` where the file is of another path or segment, or none of ours. */
export function readJsonFile(given: Uint8Array, { cast, isList }: JsonIndex, rows: number, file: string): SortedIndex {
  const bytes = given.byteOffset % 8 === 0 ? given : given.slice()
  const { values, sorted } = isList ? readLists(bytes, cast, rows, file) : readValues(bytes, cast, rows, file)
  return new SortedIndex(readSortedFile(sorted, values, file), values)
}

interface Read<C> {
  readonly values: C
  readonly sorted: Uint8Array
}

function headOf(bytes: Uint8Array, expected: number, cast: JsonCast, rows: number, file: string): { readonly inner: number; readonly last: number } {
  const [magic, version, type, length, inner = 0, last = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.min(6, bytes.byteLength >>> 2))
  if (magic !== expected || version !== VERSION) throw new SegmentError('SEGMENT_FORMAT', `${file}: no index of a JSON path of a format that this release knows`)
  if (type !== cast || length !== rows) throw new SegmentError('SEGMENT_FORMAT', `${file}: an index of ${length} rows, expected ${rows} of type ${cast}`)
  return { inner, last }
}

/** Where each of the parts begins in the buffer. */
function placesOf(bytes: Uint8Array, sizes: readonly number[], file: string): number[] {
  const places: number[] = []
  let at = bytes.byteOffset + HEAD_BYTES
  for (const size of sizes) {
    places.push(at)
    at += padded(size)
  }
  if (at !== bytes.byteOffset + bytes.length) throw new SegmentError('SEGMENT_FORMAT', `${file}: ${bytes.length} bytes, expected ${at - bytes.byteOffset}`)
  return places
}

function readValues(bytes: Uint8Array, cast: JsonCast, rows: number, file: string): Read<OrderedColumn> {
  const { inner: dataBytes, last: sortedBytes } = headOf(bytes, MAGIC, cast, rows, file)
  const mainBytes = cast === DataType.VarChar ? (rows + 1) * 4 : cast === DataType.Double ? rows * 8 : rows
  const [main = 0, dataAt = 0, validAt = 0, sortedAt = 0] = placesOf(bytes, [mainBytes, dataBytes, rows, sortedBytes], file)
  const { buffer } = bytes
  const valid = new Uint8Array(buffer, validAt, rows)
  const values: OrderedColumn =
    cast === DataType.VarChar
      ? { kind: 'string', type: cast, length: rows, valid, offsets: new Uint32Array(buffer, main, rows + 1), data: new Uint8Array(buffer, dataAt, dataBytes) }
      : cast === DataType.Double
        ? { kind: 'number', type: cast, length: rows, valid, values: new Float64Array(buffer, main, rows) }
        : { kind: 'bool', type: cast, length: rows, valid, values: new Uint8Array(buffer, main, rows) }
  return { values, sorted: new Uint8Array(buffer, sortedAt, sortedBytes) }
}

function readLists(bytes: Uint8Array, cast: JsonCast, rows: number, file: string): Read<ArrayColumn> {
  const { inner: count, last: innerBytes } = headOf(bytes, LIST_MAGIC, cast, rows, file)
  const [offsetsAt = 0, validAt = 0, innerAt = 0] = placesOf(bytes, [(rows + 1) * 4, rows, innerBytes], file)
  const { buffer } = bytes
  const { values: elements, sorted } = readValues(new Uint8Array(buffer, innerAt, innerBytes), cast, count, file)
  const values: ArrayColumn = { kind: 'array', type: DataType.Array, elementType: cast, length: rows, valid: new Uint8Array(buffer, validAt, rows), offsets: new Uint32Array(buffer, offsetsAt, rows + 1), elements }
  return { values, sorted }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** Sections begin where doubles may. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}
