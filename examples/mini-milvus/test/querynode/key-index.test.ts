import { describe, expect, it } from 'vitest'
import { primaryKeyColumn } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { Dice } from '../filter/random.ts'
import { GrowingKeyIndex, sortedKeyIndex } from '../../src/querynode/key-index.ts'

describe('the index of keys', () => {
  it('finds rows of sorted Int64 keys, repeated ones too', () => {
    const index = sortedKeyIndex(primaryKeyColumn(DataType.Int64, [-3n, 1n, 1n, 7n]))
    expect(index.rows(1n)).toEqual([1, 2])
    expect(index.rows(-3n)).toEqual([0])
    expect(index.rows(8n)).toEqual([])
    expect(index.rows(0n)).toEqual([])
  })

  it('finds VarChar keys that are sorted by UTF-8 bytes, where UTF-16 would order otherwise', () => {
    const keys = ['z', 'é', '～', '😀']
    const index = sortedKeyIndex(primaryKeyColumn(DataType.VarChar, keys))
    keys.forEach((key, row) => expect(index.rows(key)).toEqual([row]))
  })

  it('finds the rows of many keys as of each', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const d = new Dice(seed)
      const spread = d.pick([3n, 100n, 1n << 33n])
      const random = (): bigint => (BigInt(d.below(200)) - 100n) * spread
      const rows = Array.from({ length: d.below(80) }, random).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      const wanted = Array.from({ length: d.below(60) }, () => (d.chance(0.5) && rows.length > 0 ? d.pick(rows) : random()))
      if (d.chance(0.6)) wanted.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      const sorted = sortedKeyIndex(primaryKeyColumn(DataType.Int64, rows))
      const growing = new GrowingKeyIndex()
      growing.add(primaryKeyColumn(DataType.Int64, rows), 0)
      for (const index of [sorted, growing]) {
        const found: number[] = []
        index.forEach(primaryKeyColumn(DataType.Int64, wanted), (row) => found.push(row))
        expect({ seed, found }).toEqual({ seed, found: wanted.flatMap((key) => index.rows(key)) })
      }
    }
  })

  it('finds the rows of many texts', () => {
    const index = sortedKeyIndex(primaryKeyColumn(DataType.VarChar, ['a', 'b', 'b', 'c']))
    const found: number[] = []
    index.forEach(primaryKeyColumn(DataType.VarChar, ['c', 'b', 'x']), (row) => found.push(row))
    expect(found).toEqual([3, 1, 2])
  })

  it('finds growing rows in the order they came', () => {
    const index = new GrowingKeyIndex()
    index.add(primaryKeyColumn(DataType.Int64, [5n, 6n]), 0)
    index.add(primaryKeyColumn(DataType.Int64, [5n]), 2)
    expect(index.rows(5n)).toEqual([0, 2])
    expect(index.rows(9n)).toEqual([])
  })
})
