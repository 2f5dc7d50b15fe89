/**
 * An index of grams as a file: a head of eight little-endian words, where the rows of each bucket begin, and the rows: ascending, each
 * as its distance from the one before, seven bits a byte. Nulls have no grams.
 */
import { crc32 } from 'node:zlib'
import type { StringColumn } from '../model/column.ts'
import { SegmentError } from '../segment/errors.ts'
import { eachGram, type GramSizes } from './gram-keys.ts'
import { GramIndex } from './gram-index.ts'
import type { SortedFile } from './sorted-file.ts'

const MAGIC = 0x4749_4d4d
const VERSION = 1
const HEAD_WORDS = 8
const MIN_BUCKETS = 1 << 8
const MAX_BUCKETS = 1 << 18
const BYTES_PER_BUCKET = 64
/** Bytes of text between two looks at whether others wait: about a millisecond. */
const TURN_BYTES = 32_768
const SUM_BYTES = 4 << 20

/** @param pause called every millisecond or so */
export async function writeGramFile(column: StringColumn, sizes: GramSizes, pause: () => Promise<void>): Promise<SortedFile> {
  const buckets = bucketsFor(column, sizes)
  const offsets = new Uint32Array(buckets + 1)
  const total = await eachPosting(column, sizes, buckets, pause, (bucket, distance) => {
    offsets[bucket + 1] = (offsets[bucket + 1] as number) + lengthOf(distance)
  })
  if (total > 0xffff_ffff) throw new RangeError(`an index of grams would have ${total} bytes, at most ${0xffff_ffff} are possible`)
  for (let bucket = 0; bucket < buckets; bucket++) offsets[bucket + 1] = (offsets[bucket + 1] as number) + (offsets[bucket] as number)
  const bytes = new Uint8Array((HEAD_WORDS + offsets.length) * 4 + total)
  const words = new Uint32Array(bytes.buffer, 0, HEAD_WORDS + offsets.length)
  words.set([MAGIC, VERSION, column.length, sizes.min, sizes.max, buckets, total])
  words.set(offsets, HEAD_WORDS)
  const data = bytes.subarray(words.byteLength)
  const next = offsets.slice()
  await eachPosting(column, sizes, buckets, pause, (bucket, distance) => {
    next[bucket] = put(data, next[bucket] as number, distance)
  })
  return { bytes, crc32: await sumOf(bytes, pause) }
}

function bucketsFor({ offsets, length }: StringColumn, { min, max }: GramSizes): number {
  const wanted = (((offsets[length] as number) - (offsets[0] as number)) * (max - min + 1)) / BYTES_PER_BUCKET
  let buckets = MIN_BUCKETS
  while (buckets < wanted && buckets < MAX_BUCKETS) buckets *= 2
  return buckets
}

/** Each row once in each bucket of its grams. @returns the bytes of all distances */
async function eachPosting({ offsets, data, valid, length }: StringColumn, sizes: GramSizes, buckets: number, pause: () => Promise<void>, visit: (bucket: number, distance: number) => void): Promise<number> {
  const last = new Int32Array(buckets).fill(-1)
  let total = 0
  let turn = offsets[0] as number
  for (let row = 0; row < length; row++) {
    const start = offsets[row] as number
    if (start - turn >= TURN_BYTES || row % TURN_BYTES === TURN_BYTES - 1) {
      await pause()
      turn = start
    }
    if (valid?.[row] === 0) continue
    eachGram(data, start, offsets[row + 1] as number, sizes, buckets - 1, (bucket) => {
      const distance = row - (last[bucket] as number)
      if (distance === 0) return
      last[bucket] = row
      total += lengthOf(distance)
      visit(bucket, distance)
    })
  }
  return total
}

function lengthOf(distance: number): number {
  return distance < 0x80 ? 1 : distance < 0x4000 ? 2 : distance < 0x20_0000 ? 3 : distance < 0x1000_0000 ? 4 : 5
}

function put(data: Uint8Array, at: number, distance: number): number {
  let rest = distance
  let to = at
  for (; rest >= 0x80; rest >>>= 7) data[to++] = (rest & 0x7f) | 0x80
  data[to++] = rest
  return to
}

async function sumOf(bytes: Uint8Array, pause: () => Promise<void>): Promise<number> {
  let sum = 0
  for (let at = 0; at < bytes.length; at += SUM_BYTES) {
    if (at > 0) await pause()
    sum = crc32(bytes.subarray(at, at + SUM_BYTES), sum)
  }
  return sum
}

/** Throws `SEGMENT_FORMAT` where the file is of another segment, or none of ours. */
export function readGramFile(given: Uint8Array, rows: number, file: string): GramIndex {
  const bytes = given.byteOffset % 4 === 0 ? given : given.slice()
  const head = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.min(HEAD_WORDS, bytes.byteLength >>> 2))
  const [magic, version, length, min = 0, max = 0, buckets = 0, total = 0] = head
  if (magic !== MAGIC || version !== VERSION) throw new SegmentError('SEGMENT_FORMAT', `${file}: no index of grams of a format that this release knows`)
  const isWhole = bytes.length === (HEAD_WORDS + buckets + 1) * 4 + total && buckets > 0 && (buckets & (buckets - 1)) === 0
  if (length !== rows || !isWhole) throw new SegmentError('SEGMENT_FORMAT', `${file}: an index of ${length} rows and ${bytes.length} bytes, expected ${rows} rows`)
  const offsets = new Uint32Array(bytes.buffer, bytes.byteOffset + HEAD_WORDS * 4, buckets + 1)
  return new GramIndex({ min, max }, offsets, bytes.subarray((HEAD_WORDS + buckets + 1) * 4), rows)
}
