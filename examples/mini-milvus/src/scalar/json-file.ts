/**
 * An index of a JSON path as a file. The values are not in the segment as such, so that the file has them: six little-endian words, the
 * values of all rows as a column of one type, which of them are there, and the sorted file of that column.
 */
import { crc32 } from 'node:zlib'
import { findJson, preparePath, scalarAt } from '../filter/json-scan.ts'
import type { JsonColumn } from '../model/column.ts'
import type { JsonCast, JsonIndex } from '../model/json-index.ts'
import { DataType } from '../model/schema.ts'
import { SegmentError } from '../segment/errors.ts'
import type { OrderedColumn } from './column.ts'
import { readSortedFile, type SortedFile } from './sorted-file.ts'
import { SortedIndex } from './sorted-index.ts'

const MAGIC = 0x494a_4d4d
const VERSION = 1
const HEAD_BYTES = 24
const TURN_ROWS = 4096

const encoder = new TextEncoder()

/** The values at the path that are of the type; all others are null. Numbers are rounded to doubles. */
export async function jsonValues({ offsets, data, valid, length }: JsonColumn, { path, cast }: JsonIndex, pause: () => Promise<void>): Promise<OrderedColumn> {
  const prepared = preparePath(path)
  const found = new Uint8Array(length)
  const values = builderOf(cast, length)
  for (let row = 0; row < length; row++) {
    if (row % TURN_ROWS === TURN_ROWS - 1) await pause()
    const end = offsets[row + 1] as number
    const at = valid?.[row] === 0 ? -1 : findJson(data, offsets[row] as number, end, prepared)
    if (values.add(row, at < 0 ? undefined : scalarAt(data, at, end))) found[row] = 1
  }
  return values.column(found)
}

interface Builder {
  /** In the order of rows, each once. False: not of the type. */
  add(row: number, value: boolean | number | bigint | string | undefined): boolean
  column(valid: Uint8Array): OrderedColumn
}

function builderOf(cast: JsonCast, length: number): Builder {
  if (cast === DataType.VarChar) return textBuilder(length)
  if (cast === DataType.Double) {
    const values = new Float64Array(length)
    const add: Builder['add'] = (row, value) => {
      if (typeof value !== 'number' && typeof value !== 'bigint') return false
      values[row] = Number(value)
      return true
    }
    return { add, column: (valid) => ({ kind: 'number', type: cast, length, valid, values }) }
  }
  const values = new Uint8Array(length)
  const add: Builder['add'] = (row, value) => {
    if (typeof value !== 'boolean') return false
    values[row] = Number(value)
    return true
  }
  return { add, column: (valid) => ({ kind: 'bool', type: cast, length, valid, values }) }
}

function textBuilder(length: number): Builder {
  const offsets = new Uint32Array(length + 1)
  const parts: Uint8Array[] = []
  const add: Builder['add'] = (row, value) => {
    const isText = typeof value === 'string'
    const bytes = encoder.encode(isText ? value : '')
    offsets[row + 1] = (offsets[row] as number) + bytes.length
    parts.push(bytes)
    return isText
  }
  const column: Builder['column'] = (valid) => {
    const data = new Uint8Array(offsets[length] as number)
    parts.forEach((part, row) => data.set(part, offsets[row]))
    return { kind: 'string', type: DataType.VarChar, length, valid, offsets, data }
  }
  return { add, column }
}

/** @param sorted the sorted file of the values */
export function writeJsonFile(values: OrderedColumn, sorted: Uint8Array): SortedFile {
  const { length } = values
  const data = values.kind === 'string' ? values.data : new Uint8Array(0)
  const head = Uint32Array.of(MAGIC, VERSION, values.type, length, data.length, sorted.length)
  const main = values.kind === 'string' ? values.offsets : values.values
  const parts = [bytesOf(head), bytesOf(main), data, values.valid ?? new Uint8Array(length).fill(1), sorted]
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + padded(part.length), 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += padded(part.length)
  }
  return { bytes, crc32: crc32(bytes) }
}

/** Throws `SEGMENT_FORMAT` where the file is of another path or segment, or none of ours. */
export function readJsonFile(given: Uint8Array, { cast }: JsonIndex, rows: number, file: string): SortedIndex {
  const bytes = given.byteOffset % 8 === 0 ? given : given.slice()
  const [magic, version, type, length, dataBytes = 0, sortedBytes = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.min(6, bytes.byteLength >>> 2))
  if (magic !== MAGIC || version !== VERSION) throw new SegmentError('SEGMENT_FORMAT', `${file}: no index of a JSON path of a format that this release knows`)
  const mainBytes = cast === DataType.VarChar ? (rows + 1) * 4 : cast === DataType.Double ? rows * 8 : rows
  const size = [HEAD_BYTES, mainBytes, dataBytes, rows, sortedBytes].reduce((sum, part) => sum + padded(part), 0)
  if (type !== cast || length !== rows || bytes.length !== size) throw new SegmentError('SEGMENT_FORMAT', `${file}: an index of ${length} rows, expected ${rows} of type ${cast}`)
  let at = bytes.byteOffset + HEAD_BYTES
  const next = (part: number): number => {
    const start = at
    at += padded(part)
    return start
  }
  const main = next(mainBytes)
  const data = new Uint8Array(bytes.buffer, next(dataBytes), dataBytes)
  const valid = new Uint8Array(bytes.buffer, next(rows), rows)
  const sorted = new Uint8Array(bytes.buffer, next(sortedBytes), sortedBytes)
  const values: OrderedColumn =
    cast === DataType.VarChar
      ? { kind: 'string', type: cast, length: rows, valid, offsets: new Uint32Array(bytes.buffer, main, rows + 1), data }
      : cast === DataType.Double
        ? { kind: 'number', type: cast, length: rows, valid, values: new Float64Array(bytes.buffer, main, rows) }
        : { kind: 'bool', type: cast, length: rows, valid, values: new Uint8Array(bytes.buffer, main, rows) }
  return new SortedIndex(readSortedFile(sorted, values, file), values)
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** Sections begin where doubles may. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}
