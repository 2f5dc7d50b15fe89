import { SeededRandom } from '@timetick/tso/testing'
import { describe, expect, it } from 'vitest'
import type { ReplicaRecord } from '../../src/model/target.ts'
import { NodeLoads } from '../../src/querycoord/loads.ts'
import { placeReplica } from '../../src/querycoord/place.ts'
import { wantedReplicas, withNodes } from '../../src/querycoord/replicas.ts'
import { loadedPercent, stepReplica } from '../../src/querycoord/step.ts'
import { decodeReplica, encodeReplica } from '../../src/querycoord/target-records.ts'
import { ascending, contents, emptyReplica, settle, stepOptions } from './cluster.ts'

const bytesOn = (record: ReplicaRecord, bytes: (id: bigint) => number): number[] =>
  record.nodeIds.map((id) => (record.current?.segments ?? []).filter(({ nodeId }) => nodeId === id).reduce((sum, { segmentId }) => sum + bytes(segmentId), 0))

describe('a target', () => {
  it('becomes current only when all of it is loaded, and the former is kept until its grace is over', () => {
    const wanted = contents(2, 4)
    const planned = stepReplica(stepOptions(emptyReplica([1n, 2n]), wanted))
    expect(planned.current).toBeUndefined()
    const { segments = [], shards = [] } = planned.next ?? {}
    const all = { growingFrom: new Map(shards.map(({ vchannel }) => [vchannel, 10n])), segmentIds: new Set(segments.map(({ segmentId }) => segmentId)) }
    const but = (missing: bigint) => () => ({ ...all, segmentIds: new Set([...all.segmentIds].filter((id) => id !== missing)) })
    for (const { segmentId } of segments) expect(stepReplica(stepOptions(planned, wanted, { holdings: but(segmentId) })).current).toBeUndefined()
    const behind = () => ({ ...all, growingFrom: new Map([['v0', 10n], ['v1', 11n]]) })
    expect(stepReplica(stepOptions(planned, wanted, { holdings: behind })).current).toBeUndefined()
    const current = stepReplica(stepOptions(planned, wanted, { holdings: () => all }))
    expect(current.current).toBe(planned.next)
    const more = { ...wanted, segments: [...wanted.segments, { segmentId: 9n, partitionId: 1n, vchannel: 'v0', bytes: 1 }] }
    const next = stepReplica(stepOptions(current, more))
    expect(next.current).toBe(current.current)
    const handedOver = stepReplica(stepOptions(next, more, { isOver: () => false }))
    expect([handedOver.current?.version, handedOver.retired.map(({ version }) => version)]).toEqual([2, [1]])
    expect(stepReplica(stepOptions(handedOver, more, { isOver: () => false })).retired).toHaveLength(1)
    expect(stepReplica(stepOptions(handedOver, more)).retired).toHaveLength(0)
  })

  it('is planned anew when its node dies, a file goes before it was read, or a leader has its rows only from a later flush on', () => {
    const wanted = contents(1, 3)
    const planned = stepReplica(stepOptions(emptyReplica([1n, 2n]), wanted))
    const dead = { ...planned, nodeIds: [2n] }
    const again = stepReplica(stepOptions(dead, wanted))
    expect(again.next?.version).toBe(2)
    expect(new Set(again.next?.segments.map(({ nodeId }) => nodeId))).toEqual(new Set([2n]))
    const nothing = () => ({ segmentIds: new Set<bigint>(), growingFrom: new Map<string, bigint>() })
    const compacted = { ...wanted, segments: wanted.segments.slice(1) }
    expect(stepReplica(stepOptions(planned, compacted, { holdings: nothing })).next?.segments).toHaveLength(2)
    const later = { ...wanted, shards: [{ vchannel: 'v0', flushedTs: 30n }] }
    const late = () => ({ segmentIds: new Set<bigint>(), growingFrom: new Map([['v0', 20n]]) })
    expect(stepReplica(stepOptions(planned, later, { holdings: late })).next?.shards[0]?.flushedTs).toBe(30n)
    expect(stepReplica(stepOptions(planned, wanted, { holdings: late }))).toBe(planned)
  })

  it('says how much of it is there', () => {
    const planned = stepReplica(stepOptions(emptyReplica([1n]), contents(1, 3)))
    expect(loadedPercent(emptyReplica([1n]), () => undefined)).toBe(0)
    expect(loadedPercent(planned, () => ({ segmentIds: new Set([1n]), growingFrom: new Map([['v0', 10n]]) }))).toBe(50)
    expect(loadedPercent({ ...planned, current: planned.next }, () => undefined)).toBe(100)
  })

  it('is the same after being stored', () => {
    const settled = settle(emptyReplica([1n, 2n, 3n]), { ...contents(3, 100), segments: contents(3, 100).segments.map((segment) => ({ ...segment, segmentId: 450_000_000_000_000_000n + segment.segmentId * 7_919n })) })
    const { head, chunks } = encodeReplica(settled)
    const back = decodeReplica(head, { collectionId: settled.collectionId, replicaId: settled.replicaId, chunk: () => undefined })
    const sorted = (record: ReplicaRecord | undefined) => [...(record?.current?.segments ?? [])].sort((a, b) => (a.segmentId < b.segmentId ? -1 : 1))
    expect(sorted(back)).toEqual(sorted(settled))
    expect({ ...back, current: undefined }).toEqual({ ...settled, current: undefined })
    expect(back === undefined ? '' : encodeReplica(back).head).toBe(head)
    expect(head.length).toBeLessThan(100 * 16 + 600)
    expect(chunks.size).toBe(0)
  })
})

describe('placement', () => {
  it('covers every segment once, spreads bytes and leaders, and moves nothing without need, over random lives of a cluster', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed)
      const sizes = Array.from({ length: 400 }, () => random.integer(1, 1000))
      let wanted = contents(random.integer(1, 8), random.integer(1, 60), (i) => sizes[i] as number)
      let record = emptyReplica(Array.from({ length: random.integer(1, 5) }, (_, i) => BigInt(i + 1)))
      for (let round = 0; round < 6; round++) {
        record = settle(record, wanted, (after) => {
          for (const target of [after.current, after.next]) if (target !== undefined) expect(new Set(target.segments.map(({ segmentId }) => segmentId)).size, `seed ${seed}`).toBe(target.segments.length)
        })
        expect([...(record.current?.segments ?? [])].map(({ segmentId }) => segmentId).sort(ascending), `seed ${seed}`).toEqual(wanted.segments.map(({ segmentId }) => segmentId).sort(ascending))
        const held = bytesOn(record, (id) => wanted.segments.find(({ segmentId }) => segmentId === id)?.bytes ?? 0)
        const largest = Math.max(...wanted.segments.map(({ bytes }) => bytes))
        const mean = held.reduce((a, b) => a + b, 0) / held.length
        expect(Math.max(...held) - Math.min(...held), `seed ${seed}`).toBeLessThanOrEqual(Math.max(mean * 0.1, largest))
        const leads = record.nodeIds.map((id) => record.current?.shards.filter(({ leader }) => leader === id).length ?? 0)
        expect(Math.max(...leads) - Math.min(...leads), `seed ${seed}`).toBeLessThanOrEqual(1)
        expect(stepReplica(stepOptions(record, wanted))).toBe(record)
        if (random.chance(0.5)) wanted = { ...wanted, segments: contents(wanted.shards.length, random.integer(1, 60), (i) => sizes[i] as number).segments }
        else record = { ...record, nodeIds: Array.from({ length: random.integer(1, 5) }, (_, i) => BigInt(random.integer(1, 3) * 10 + i)) }
      }
    }
  })

  it('of what a dead node held moves only that, at once, of 100,000 segments on 1,000 channels', () => {
    const wanted = contents(1_000, 100_000, (i) => 1_000 + (i % 97))
    const nodeIds = Array.from({ length: 20 }, (_, i) => BigInt(i + 1))
    const place = (ids: readonly bigint[], before: Parameters<typeof placeReplica>[0]['before'], version: number) => {
      const loads = new NodeLoads(ids.map((nodeId) => ({ nodeId, capacity: 1 })))
      for (const target of before) loads.count(target, (id) => 1_000 + (Number(id - 1n) % 97))
      return placeReplica({ wanted, nodeIds: ids, before, version, loads })
    }
    const before = place(nodeIds, [], 1)
    const start = process.cpuUsage()
    const after = place(nodeIds.slice(1), [before], 2)
    const { user, system } = process.cpuUsage(start)
    const moved = after.segments.filter(({ nodeId }, i) => nodeId !== before.segments[i]?.nodeId)
    expect(moved).toHaveLength(before.segments.filter(({ nodeId }) => nodeId === 1n).length)
    expect(after.shards.filter(({ leader }, i) => leader !== before.shards[i]?.leader)).toHaveLength(50)
    const perNode = nodeIds.slice(1).map((id) => after.segments.filter(({ nodeId }) => nodeId === id).length)
    expect(Math.max(...perNode) - Math.min(...perNode)).toBeLessThan(300)
    // Processor time, not wall time: others on the machine do not count. It takes about a tenth of this.
    expect((user + system) / 1_000).toBeLessThan(2_000)
  })
})

describe('replicas', () => {
  it('share the nodes of their group without overlap, keep what they have, and none is left without one where there are enough', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new SeededRandom(seed)
      let next = 0n
      let records: ReplicaRecord[] = []
      for (let round = 0; round < 10; round++) {
        const count = random.integer(1, 3)
        const alive = Array.from({ length: 8 }, (_, i) => BigInt(i + 1)).filter(() => random.chance(0.6))
        const before = new Map(records.map((record) => [record.replicaId, record]))
        records = withNodes(wantedReplicas(records, Array.from({ length: count }, () => 'g'), 1n, () => ++next), () => alive)
        const used = records.flatMap(({ nodeIds }) => nodeIds)
        expect(used.length, `seed ${seed}`).toBe(new Set(used).size)
        expect([...used].sort(ascending), `seed ${seed}`).toEqual([...alive].sort(ascending))
        const sizes = records.map(({ nodeIds }) => nodeIds.length)
        expect(Math.max(...sizes) - Math.min(...sizes), `seed ${seed}`).toBeLessThanOrEqual(1)
        expect(withNodes(records, () => alive).every((record, i) => record === records[i]), `seed ${seed}`).toBe(true)
        for (const record of records) expect(before.get(record.replicaId)?.collectionId ?? 1n).toBe(1n)
      }
    }
  })
})
