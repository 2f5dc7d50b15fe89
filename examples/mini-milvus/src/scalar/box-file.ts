/**
 * An index of geometries as a file: a head of four little-endian words, the rows that have a box, and a tree of the boxes
 * (flatbush's own format). Nulls and empty geometries have no box.
 */
import { crc32 } from 'node:zlib'
import Flatbush from 'flatbush'
import { type Box, boxOf } from '../geometry/box.ts'
import { isNull, type StringColumn, textAt } from '../model/column.ts'
import { SegmentError } from '../segment/errors.ts'
import type { SortedFile } from './sorted-file.ts'

const MAGIC = 0x5242_4d4d
const VERSION = 1
const HEAD_BYTES = 16

/** Takes seconds for a million rows: call it in a thread of its own. */
export function writeBoxFile(column: StringColumn): SortedFile {
  const rows = new Uint32Array(column.length)
  const boxes: Box[] = []
  for (let row = 0; row < column.length; row++) {
    const box = isNull(column, row) ? undefined : boxOf(textAt(column, row))
    if (box === undefined) continue
    rows[boxes.length] = row
    boxes.push(box)
  }
  const tree = treeOf(boxes)
  const treeAt = treePlace(boxes.length)
  const bytes = new Uint8Array(new SharedArrayBuffer(treeAt + tree.byteLength))
  new Uint32Array(bytes.buffer, 0, 4).set([MAGIC, VERSION, column.length, boxes.length])
  bytes.set(new Uint8Array(rows.buffer, 0, boxes.length * 4), HEAD_BYTES)
  bytes.set(tree, treeAt)
  return { bytes, crc32: crc32(bytes) }
}

/** Trees begin where doubles may. */
function treePlace(boxes: number): number {
  return Math.ceil((HEAD_BYTES + boxes * 4) / 8) * 8
}

function treeOf(boxes: readonly Box[]): Uint8Array {
  if (boxes.length === 0) return new Uint8Array(0)
  const tree = new Flatbush(boxes.length)
  for (const { minX, minY, maxX, maxY } of boxes) tree.add(minX, minY, maxX, maxY)
  tree.finish()
  return new Uint8Array(tree.data)
}

export class BoxIndex {
  readonly kind = 'boxes'
  readonly #tree: Flatbush | undefined
  readonly #rows: Uint32Array

  constructor(tree: Flatbush | undefined, rows: Uint32Array) {
    this.#tree = tree
    this.#rows = rows
  }

  /** Ascending: the rows whose box meets this one. */
  find({ minX, minY, maxX, maxY }: Box): Uint32Array {
    const found = this.#tree?.search(minX, minY, maxX, maxY) ?? []
    return Uint32Array.from(found, (item) => this.#rows[item] as number).sort()
  }
}

/** Throws `SEGMENT_FORMAT` where the file is of another segment, or none of ours. */
export function readBoxFile(given: Uint8Array, rows: number, file: string): BoxIndex {
  const bytes = given.byteOffset % 8 === 0 ? given : given.slice()
  const [magic, version, length, count = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.min(4, bytes.byteLength >>> 2))
  if (magic !== MAGIC || version !== VERSION) throw new SegmentError('SEGMENT_FORMAT', `${file}: no index of geometries of a format that this release knows`)
  const treeAt = treePlace(count)
  if (length !== rows || count > rows || bytes.byteLength < treeAt) throw new SegmentError('SEGMENT_FORMAT', `${file}: an index of ${length} rows, expected ${rows}`)
  const list = new Uint32Array(bytes.buffer, bytes.byteOffset + HEAD_BYTES, count)
  return new BoxIndex(count === 0 ? undefined : openTree(bytes, treeAt, count, file), list)
}

function openTree(bytes: Uint8Array, treeAt: number, count: number, file: string): Flatbush {
  try {
    const tree = Flatbush.from(bytes.buffer, bytes.byteOffset + treeAt)
    if (tree.numItems === count) return tree
  } catch (cause) {
    throw new SegmentError('SEGMENT_FORMAT', `${file}: no tree of boxes`, { cause })
  }
  throw new SegmentError('SEGMENT_FORMAT', `${file}: a tree of other boxes`)
}
