import { describe, expect, it } from 'vitest'
import { primaryKeyColumn } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { mergeHits, type SegmentHits } from '../../src/querynode/merge-hits.ts'
import type { SegmentView } from '../../src/querynode/segment-view.ts'

function hits(keys: bigint[], counts: number[], scores: number[]): SegmentHits {
  const view = { keys: primaryKeyColumn(DataType.Int64, keys) } as Pick<SegmentView, 'keys'> as SegmentView
  return { view, counts: Uint32Array.from(counts), rows: Uint32Array.from(keys, (_, row) => row), scores: Float32Array.from(scores) }
}

function keysOf(merged: ReturnType<typeof mergeHits>): bigint[] {
  const { views, viewIndexes, rows } = merged.picked
  return Array.from(rows, (row, at) => {
    const keys = views[viewIndexes[at] as number]?.keys
    return keys?.kind === 'int64' ? (keys.values[row] as bigint) : -1n
  })
}

describe('merging hits of segments', () => {
  it('orders by score, then by key, and counts per query', () => {
    const merged = mergeHits([hits([10n, 11n, 12n], [2, 1], [1, 3, 5]), hits([20n, 1n], [1, 1], [2, 5])], 2, 2, 0, true)
    expect(Array.from(merged.counts)).toEqual([2, 2])
    expect(keysOf(merged)).toEqual([10n, 20n, 1n, 12n])
    expect(Array.from(merged.scores)).toEqual([1, 2, 5, 5])
  })

  it('puts the greatest first where similarity is measured', () => {
    expect(keysOf(mergeHits([hits([1n, 2n], [2], [0.1, 0.9])], 1, 2, 0, false))).toEqual([2n, 1n])
  })

  it('gives a key once, at its best score, before it counts the limit', () => {
    const merged = mergeHits([hits([7n, 8n], [2], [1, 4]), hits([7n, 9n], [2], [2, 3])], 1, 3, 0, true)
    expect(keysOf(merged)).toEqual([7n, 9n, 8n])
  })

  it('leaves out the offset', () => {
    expect(keysOf(mergeHits([hits([1n, 2n, 3n], [3], [1, 2, 3])], 1, 3, 2, true))).toEqual([3n])
    expect(keysOf(mergeHits([hits([1n], [1], [1])], 1, 3, 2, true))).toEqual([])
  })
})
