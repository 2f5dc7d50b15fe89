/**
 * A sorted index as a file: a head of six little-endian words, and the places of a column's values that are not null, ascending by
 * value, as words. A place is a row, or of an array column an element; the values themselves stay in the segment.
 */
import { crc32 } from 'node:zlib'
import { SegmentError } from '../segment/errors.ts'
import type { IndexedColumn } from './column.ts'
import { sortPlaces } from './order.ts'

const MAGIC = 0x5349_4d4d
const VERSION = 1
const HEAD_WORDS = 6

export interface SortedFile {
  /** On shared memory. */
  readonly bytes: Uint8Array
  readonly crc32: number
}

/** Takes a second for a million rows: call it in a thread of its own. */
export function writeSortedFile(column: IndexedColumn): SortedFile {
  const values = column.kind === 'array' ? column.elements : column
  const order = sortPlaces(values, placesOf(column))
  const words = new Uint32Array(new SharedArrayBuffer((HEAD_WORDS + order.length) * 4))
  words.set([MAGIC, VERSION, column.length, order.length, column.type, values.type])
  words.set(order, HEAD_WORDS)
  const bytes = new Uint8Array(words.buffer)
  return { bytes, crc32: crc32(bytes) }
}

function placesOf(column: IndexedColumn): Uint32Array {
  const { valid, length } = column
  const offsets = column.kind === 'array' ? column.offsets : undefined
  const places = new Uint32Array(offsets === undefined ? length : (offsets[length] as number) - (offsets[0] as number))
  let at = 0
  for (let row = 0; row < length; row++) {
    if (valid?.[row] === 0) continue
    if (offsets === undefined) places[at++] = row
    else for (let element = offsets[row] as number; element < (offsets[row + 1] as number); element++) places[at++] = element
  }
  return places.subarray(0, at)
}

/** The places. Throws `SEGMENT_FORMAT` where the file is of another column, or none of ours. */
export function readSortedFile(bytes: Uint8Array, column: IndexedColumn, file: string): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >>> 2)
  const [magic, version, rows, places] = words
  if (magic !== MAGIC || version !== VERSION) throw new SegmentError('SEGMENT_FORMAT', `${file}: no sorted index of a format that this release knows`)
  const values = column.kind === 'array' ? column.elements : column
  if (rows !== column.length || words.length !== HEAD_WORDS + (places ?? 0) || words[4] !== column.type || words[5] !== values.type) {
    throw new SegmentError('SEGMENT_FORMAT', `${file}: an index of ${rows} rows, expected ${column.length} of type ${column.type}`)
  }
  return words.subarray(HEAD_WORDS)
}
