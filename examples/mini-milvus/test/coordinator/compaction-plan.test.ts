import { describe, expect, it } from 'vitest'
import { nextCompaction, spentDeltas, type CompactionPolicy } from '../../src/coordinator/compaction-plan.ts'
import type { SegmentMeta } from '../../src/model/meta.ts'

const policy: CompactionPolicy = { minSegments: 3, maxBytes: 1000, deleteShare: 0.5 }
const base = { collectionId: 1n, partitionId: 5n, vchannel: 'v0', path: '', crc32: 0, indexes: [] }

function rows(id: bigint, endTs: bigint, more: Partial<SegmentMeta> = {}): SegmentMeta {
  return { ...base, id, level: 'L1', rows: 100, bytes: 100, startTs: endTs - 10n, endTs, deletesTs: endTs, ...more }
}

function delta(id: bigint, endTs: bigint, count: number, more: Partial<SegmentMeta> = {}): SegmentMeta {
  return { ...rows(id, endTs), level: 'L0', rows: count, partitionId: 0n, ...more }
}

const flushedTs = (): bigint => 99n
const idsOf = (segments: readonly SegmentMeta[] | undefined): bigint[] | undefined => segments?.map(({ id }) => id)

describe('the plan of compaction', () => {
  it('leaves few small segments alone', () => {
    expect(nextCompaction([rows(1n, 10n), rows(2n, 20n)], flushedTs, policy)).toBeUndefined()
    expect(nextCompaction([], flushedTs, policy)).toBeUndefined()
  })

  it('merges small segments of one partition and shard, oldest first, up to the size of a large one', () => {
    const segments = [rows(3n, 30n), rows(1n, 10n), rows(2n, 20n), rows(4n, 40n, { vchannel: 'v1' }), rows(5n, 50n, { partitionId: 6n }), rows(6n, 60n, { bytes: 900 })]
    const job = nextCompaction(segments, flushedTs, policy)
    expect(idsOf(job?.segments)).toEqual([1n, 2n, 3n])
    expect(job?.deletesTs).toBe(99n)
    const heavy = [1n, 2n, 3n, 4n].map((id) => rows(id, id * 10n, { bytes: 400 }))
    expect(nextCompaction(heavy, flushedTs, policy)).toBeUndefined()
    expect(idsOf(nextCompaction(heavy, flushedTs, { ...policy, minSegments: 2 })?.segments)).toEqual([1n, 2n])
  })

  it('rewrites a segment for which many deletes wait, with the deltas that it does not know', () => {
    const segments = [rows(1n, 10n), delta(8n, 10n, 90), delta(9n, 20n, 51)]
    const job = nextCompaction(segments, flushedTs, policy)
    expect(idsOf(job?.segments)).toEqual([1n])
    expect(idsOf(job?.deltas)).toEqual([9n])
    expect(nextCompaction([rows(1n, 10n), delta(9n, 20n, 50)], flushedTs, policy)).toBeUndefined()
    expect(nextCompaction([rows(1n, 10n), delta(9n, 20n, 80, { vchannel: 'v1' })], flushedTs, policy)).toBeUndefined()
    expect(nextCompaction([rows(1n, 10n), delta(9n, 20n, 80, { partitionId: 6n })], flushedTs, policy)).toBeUndefined()
  })

  it('drops a delta once every segment that it can reach knows it', () => {
    expect(idsOf(spentDeltas([delta(9n, 20n, 5)]))).toEqual([9n])
    expect(idsOf(spentDeltas([rows(1n, 10n), delta(9n, 20n, 5)]))).toEqual([])
    expect(idsOf(spentDeltas([rows(1n, 10n, { deletesTs: 20n }), rows(2n, 30n), delta(9n, 20n, 5)]))).toEqual([9n])
    expect(idsOf(spentDeltas([rows(1n, 10n, { vchannel: 'v1' }), delta(9n, 20n, 5)]))).toEqual([9n])
  })
})
