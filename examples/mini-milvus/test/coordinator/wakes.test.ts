/** Workers that are woken while a run ends: what has changed is not left lying until something else changes. */
import { describe, expect, it } from 'vitest'
import type { MetaReader, SegmentWriter } from '../../src/coordinator/api.ts'
import { Compactor, type CompactorOptions } from '../../src/coordinator/compactor.ts'
import { IndexBuilder, type IndexBuilderOptions } from '../../src/coordinator/index-builder.ts'
import { systemClock } from '../../src/edge/system.ts'
import type { CollectionMeta, IndexMeta, SegmentMeta } from '../../src/model/meta.ts'
import { LoadedShard, type LoadedShardOptions } from '../../src/querynode/loaded-shard.ts'

/** More than a run that finds nothing takes. */
const TURNS = 12
const TURN_COUNTS = Array.from({ length: TURNS }, (_, turns) => turns)

const segment = (id: bigint): SegmentMeta => ({ id, collectionId: 1n, partitionId: 5n, vchannel: 'v0', level: 'L1', rows: 100, bytes: 100, startTs: id, endTs: id, deletesTs: id, path: '', crc32: 0, indexes: [] })
const collection = { id: 1n, schema: { name: 'c', fields: [{ id: 100n, name: 'v', type: 101, params: {} }] }, shards: [], properties: {} } as unknown as CollectionMeta
const index = { id: 7n, fieldId: 100n, name: 'v', indexType: 'HNSW', metricType: 'L2', params: {} } as unknown as IndexMeta

/** Metadata to which segments come at once, and everybody is told. */
function createMeta() {
  const listeners = new Set<(change: object) => void>()
  let segments: SegmentMeta[] = []
  const meta = {
    collections: () => [collection], collectionById: () => collection, indexes: () => [index], flushedTs: () => 99n,
    segments: () => segments, segment: (id: bigint) => segments.find((one) => one.id === id),
    onChange: (listener: (change: object) => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return {
    meta: meta as unknown as MetaReader,
    put(...next: SegmentMeta[]): void {
      segments = next
      for (const after of next) for (const listener of listeners) listener({ kind: 'segment', before: undefined, after })
    },
  }
}

async function pass(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

describe.each(TURN_COUNTS)('%d turns after a run began', (turns) => {
  it('an index is built of a segment that comes then', async () => {
    const { meta, put } = createMeta()
    const built: bigint[] = []
    const segments = { saveSegmentIndex: async (id: bigint, one: SegmentMeta['indexes'][number]) => { built.push(id); put({ ...segment(id), indexes: [one] }) } } as unknown as SegmentWriter
    const builder = new IndexBuilder({ meta, segments, minRows: 1_000, clock: systemClock, onWarning: () => undefined } as unknown as IndexBuilderOptions)
    await pass(turns)
    put(segment(1n))
    await expect.poll(() => built, { timeout: 5_000, interval: 1 }).toEqual([1n])
    await builder.close()
  })

  it('a compaction is begun that is asked for then', async () => {
    const { meta, put } = createMeta()
    put(segment(1n), segment(2n))
    const loader = { rows: () => Promise.reject(new Error('no file')) }
    const compactor = new Compactor({ meta, loader, clock: systemClock, minSegments: 10, maxBytes: 1_000, deleteShare: 0.5, onWarning: () => undefined } as unknown as CompactorOptions)
    await pass(turns)
    expect(compactor.request(3n, 1n)).toBe(true)
    await expect.poll(() => compactor.requested(3n)?.state, { timeout: 5_000, interval: 1 }).toBe('failed')
    await compactor.close()
  })

  it('a query node that is told of a change looks at the metadata once more', async () => {
    let looks = 0
    const gone = { collectionById: () => { looks++ }, flushedTs: () => 0n } as unknown as MetaReader
    const shard = new LoadedShard({ meta: gone, collectionId: 1n, shard: { vchannel: 'v0', pchannel: 'p0' }, serviceTime: { ts: 0n, entered: 0n }, vectorFields: [], signal: new AbortController().signal } as unknown as LoadedShardOptions)
    const first = shard.reconcile()
    await pass(turns)
    const before = looks
    await shard.reconcile()
    expect(looks).toBeGreaterThan(before)
    await first
  })
})
