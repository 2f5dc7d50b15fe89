import { describe, expect, it } from 'vitest'
import { primaryKeyColumn } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
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

  it('finds growing rows in the order they came', () => {
    const index = new GrowingKeyIndex()
    index.add(primaryKeyColumn(DataType.Int64, [5n, 6n]), 0)
    index.add(primaryKeyColumn(DataType.Int64, [5n]), 2)
    expect(index.rows(5n)).toEqual([0, 2])
    expect(index.rows(9n)).toEqual([])
  })
})
