/**
 * What the coordinator's side of a cluster costs as it grows, as docs/scale.md tells it. The numbers of that page:
 * `TIMETICK_SCALE=1 npx vitest run test/cluster/scale.test.ts`
 */
import { createMemoryKV } from '@timetick/kv/memory'
import { describe, expect, it } from 'vitest'
import { encodeAssignment, planChannels } from '../../src/cluster/channel-plan.ts'
import { CatalogMirror } from '../../src/cluster/catalog-mirror.ts'
import { recordKey, recordText } from '../../src/coordinator/catalog-records.ts'
import { systemClock } from '../../src/edge/system.ts'
import type { CollectionMeta, SegmentMeta } from '../../src/model/meta.ts'
import { NodeLoads } from '../../src/querycoord/loads.ts'
import { placeReplica } from '../../src/querycoord/place.ts'
import { contents } from '../querycoord/cluster.ts'

const isAsked = process.env['TIMETICK_SCALE'] === '1'
const sizes = isAsked ? { segments: [1_000, 10_000, 100_000], channels: [16, 100, 1_000, 10_000] } : { segments: [1_000], channels: [100] }
const FIRST = 450_000_000_000_000_000n

const collection: CollectionMeta = {
  id: FIRST, dbName: 'default', consistencyLevel: 2, properties: {}, createdTs: FIRST, updateTs: FIRST, truncatedTs: 0n, nextFieldId: 103,
  partitions: [{ id: FIRST + 1n, name: '_default', createdTs: FIRST }],
  shards: [0, 1].map((index) => ({ vchannel: `dml_${index}_${FIRST}v${index}`, pchannel: `dml_${index}` })),
  schema: { name: 'documents', description: '', enableDynamicField: false, fields: [], functions: [] },
}

function segment(i: number): SegmentMeta {
  const id = FIRST + BigInt(i * 37 + 100)
  const path = `segments/${FIRST}/${id}`
  return {
    id, collectionId: FIRST, partitionId: FIRST + 1n, vchannel: `dml_${i % 2}_${FIRST}v${i % 2}`, level: 'L1', rows: 200_000, bytes: 104_857_600, startTs: id, endTs: id + 9_000n, deletesTs: id + 9_000n,
    path: `${path}/rows.arrow`, crc32: 3_735_928_559, indexes: [{ indexId: FIRST + 50n, state: 'finished', path: `${path}/${FIRST + 50n}.hnsw`, bytes: 52_428_800, crc32: 3_735_928_559, reason: '' }],
  }
}

/** Processor time, which others on the machine do not lengthen. */
async function cpuMs(run: () => unknown): Promise<number> {
  const start = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1_000
}

function tell(what: string, values: Readonly<Record<string, string | number>>): void {
  if (isAsked) console.log(`${what}: ${Object.entries(values).map(([name, value]) => `${name} ${typeof value === 'number' ? Math.round(value * 100) / 100 : value}`).join(', ')}`)
}

describe('what grows with a cluster', () => {
  it('metadata: so many bytes a segment', () => {
    const record = { kind: 'segment', collectionId: FIRST, id: FIRST, value: segment(1) } as const
    const bytes = `meta/${recordKey(record)}`.length + (recordText(record) ?? '').length
    tell('a segment with one index', { bytes })
    // As docs/operations.md says.
    expect(bytes).toBeLessThan(1_000)
  })

  it.each(sizes.segments)('a process that starts reads the metadata of %i segments', async (count) => {
    const kv = createMemoryKV()
    await kv.save(`meta/collection/${FIRST}`, recordText({ kind: 'collection', id: FIRST, value: collection }) ?? '')
    for (let from = 0; from < count; from += 500) {
      const pairs = Array.from({ length: Math.min(500, count - from) }, (_, i) => {
        const record = { kind: 'segment', collectionId: FIRST, id: segment(from + i).id, value: segment(from + i) } as const
        return [`meta/${recordKey(record)}`, recordText(record) ?? ''] as const
      })
      await kv.multiSave(new Map(pairs))
    }
    let mirror: CatalogMirror | undefined
    const ms = await cpuMs(async () => {
      mirror = await CatalogMirror.open({ kv, clock: systemClock })
    })
    expect(mirror?.segments(FIRST)).toHaveLength(count)
    await mirror?.close()
    await kv.close()
    tell(`the mirror of ${count} segments`, { 'cpu ms': ms, 'us a segment': (ms * 1_000) / count })
    expect(ms / count).toBeLessThan(5)
  })

  it.each(sizes.channels)('a data node of ten dies, with %i channels', async (count) => {
    const pchannels = Array.from({ length: count }, (_, i) => `dml_${i}`)
    const members = Array.from({ length: 10 }, (_, i) => ({ id: `${i + 1}.1`, stopping: false }))
    const assignments = new Map(planChannels(pchannels, new Map(), members).map(({ pchannel, assignment }) => [pchannel, assignment]))
    let changes = 0
    const ms = await cpuMs(() => {
      changes = planChannels(pchannels, assignments, members.slice(1)).length
    })
    expect(changes).toBe([...assignments.values()].filter(({ owner }) => owner === '1.1').length)
    tell(`assigning the channels of a dead one of ten, ${count} in all`, { 'cpu ms': ms, changes, 'bytes each': encodeAssignment({ owner: '123.4', epoch: 12, leaving: false }).length })
    expect(ms).toBeLessThan(2_000)
  })

  it.each(sizes.segments)('a query node of twenty dies, with %i segments', async (count) => {
    const wanted = contents(Math.max(2, count / 100), count, () => 100)
    const nodeIds = Array.from({ length: 20 }, (_, i) => BigInt(i + 1))
    const loadsOf = (ids: readonly bigint[]): NodeLoads => new NodeLoads(ids.map((nodeId) => ({ nodeId, capacity: 1 })))
    const before = placeReplica({ wanted, nodeIds, before: [], version: 1, loads: loadsOf(nodeIds) })
    const loads = loadsOf(nodeIds.slice(1))
    loads.count(before, () => 100)
    let places = 0
    const ms = await cpuMs(() => {
      places = placeReplica({ wanted, nodeIds: nodeIds.slice(1), before: [before], version: 2, loads }).segments.length
    })
    expect(places).toBe(count)
    tell(`placing what a dead one of twenty held, ${count} segments in all`, { 'cpu ms': ms })
    expect(ms).toBeLessThan(2_000)
  })
})
