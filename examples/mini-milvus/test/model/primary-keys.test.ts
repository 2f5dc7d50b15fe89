import { describe, expect, it } from 'vitest'
import { groupByBucket, hashPrimaryKeys, murmur3Of8Bytes, primaryKeyAt, primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'

describe('primary keys', () => {
  it('hash as MurmurHash3 x86 32 of the eight bytes', () => {
    // Reference values of MurmurHash3_x86_32(key, 8, 0).
    expect(murmur3Of8Bytes(0, 0)).toBe(0x63852afc)
    expect(murmur3Of8Bytes(1, 0)).toBe(murmur3Of8Bytes(1, 0))
    expect(murmur3Of8Bytes(1, 0)).not.toBe(murmur3Of8Bytes(0, 1))
  })

  it('are never negative when hashed, and spread over buckets', () => {
    const keys = primaryKeyColumn(DataType.Int64, Array.from({ length: 10_000 }, (_, i) => BigInt(i) - 5000n))
    const hashes = hashPrimaryKeys(keys)
    expect(Math.min(...hashes)).toBeGreaterThanOrEqual(0)
    const sizes = groupByBucket(hashes, 4).map((rows) => rows.length)
    expect(sizes.reduce((a, b) => a + b)).toBe(10_000)
    for (const size of sizes) expect(size).toBeGreaterThan(2000)
  })

  it('keep text with characters of every length', () => {
    const texts = ['', 'a', 'é', '～', '😀', 'z'.repeat(300)]
    const keys = primaryKeyColumn(DataType.VarChar, texts)
    expect(primaryKeyList(keys)).toEqual(texts)
    expect(primaryKeyAt(keys, 4)).toBe('😀')
    expect(hashPrimaryKeys(keys)).toHaveLength(6)
  })
})
