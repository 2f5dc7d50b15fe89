/** Primary keys: lists of them, and where they hash to (Milvus's rule, so that a key keeps its shard across both). */
import { crc32 } from 'node:zlib'
import type { Column, Int64Column, StringColumn } from './column.ts'
import { DataType } from './schema.ts'

/** Primary keys of one batch, in row order: Int64 or VarChar. */
export type PrimaryKeys = Int64Column | StringColumn
export type PrimaryKey = bigint | string

const decoder = new TextDecoder()

export function isPrimaryKeyColumn(column: Column | undefined): column is PrimaryKeys {
  return column !== undefined && (column.kind === 'int64' || column.kind === 'string')
}

export function primaryKeyAt(keys: PrimaryKeys, row: number): PrimaryKey {
  if (keys.kind === 'int64') return keys.values[row] as bigint
  return decoder.decode(keys.data.subarray(keys.offsets[row], keys.offsets[row + 1]))
}

export function primaryKeyList(keys: PrimaryKeys): PrimaryKey[] {
  return Array.from({ length: keys.length }, (_, row) => primaryKeyAt(keys, row))
}

/** MurmurHash3 x86 32 of eight bytes, seed 0: what Milvus does to Int64 keys. */
export function murmur3Of8Bytes(low: number, high: number): number {
  let hash = mix(mix(0, low), high)
  hash ^= 8
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  k = Math.imul(k, 0x1b873593)
  const mixed = hash ^ k
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

/** A non-negative 31-bit hash per row; VarChar keys hash their first 100 bytes by CRC32, as Milvus does. */
export function hashPrimaryKeys(keys: PrimaryKeys): Int32Array {
  const hashes = new Int32Array(keys.length)
  if (keys.kind === 'int64') {
    const words = new Int32Array(keys.values.buffer, keys.values.byteOffset, keys.length * 2)
    for (let row = 0; row < keys.length; row++) {
      hashes[row] = murmur3Of8Bytes(words[row * 2] as number, words[row * 2 + 1] as number) & 0x7fffffff
    }
    return hashes
  }
  for (let row = 0; row < keys.length; row++) {
    const start = keys.offsets[row] as number
    const end = Math.min(keys.offsets[row + 1] as number, start + 100)
    hashes[row] = crc32(keys.data.subarray(start, end)) & 0x7fffffff
  }
  return hashes
}

/** Row numbers per bucket, each ascending. One bucket is all rows. */
export function groupByBucket(hashes: Int32Array, buckets: number): Uint32Array[] {
  const counts = new Uint32Array(buckets)
  for (const hash of hashes) counts[hash % buckets] = (counts[hash % buckets] as number) + 1
  const groups = Array.from(counts, (count) => new Uint32Array(count))
  const next = new Uint32Array(buckets)
  for (let row = 0; row < hashes.length; row++) {
    const bucket = (hashes[row] as number) % buckets
    const group = groups[bucket] as Uint32Array
    group[next[bucket] as number] = row
    next[bucket] = (next[bucket] as number) + 1
  }
  return groups
}

const encoder = new TextEncoder()

/** A column of these keys: Int64 of bigints, VarChar of strings. */
export function primaryKeyColumn(type: DataType, keys: readonly PrimaryKey[]): PrimaryKeys {
  if (type === DataType.Int64) return { kind: 'int64', type, length: keys.length, valid: undefined, values: BigInt64Array.from(keys as readonly bigint[]) }
  const texts = keys.map((key) => encoder.encode(String(key)))
  const offsets = new Uint32Array(keys.length + 1)
  texts.forEach((text, row) => {
    offsets[row + 1] = (offsets[row] as number) + text.length
  })
  const data = new Uint8Array(offsets[keys.length] as number)
  texts.forEach((text, row) => data.set(text, offsets[row]))
  return { kind: 'string', type, length: keys.length, valid: undefined, offsets, data }
}
