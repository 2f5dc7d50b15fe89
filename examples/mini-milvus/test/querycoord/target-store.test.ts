/** Replicas as they are stored and followed: whole or not at all, in values that every store takes, by one writer. */
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, describe, expect, it } from 'vitest'
import { TargetMirror } from '../../src/cluster/target-mirror.ts'
import { systemClock } from '../../src/edge/system.ts'
import type { ReplicaRecord } from '../../src/model/target.ts'
import { encodeReplica } from '../../src/querycoord/target-records.ts'
import { openTargetStore, TARGET_ROOT, type TargetStore } from '../../src/querycoord/target-store.ts'
import { stepReplica } from '../../src/querycoord/step.ts'
import { contents, emptyReplica, stepOptions } from './cluster.ts'

/** As etcd is configured by default, less what a request has around a value. */
const MAX_VALUE_BYTES = 1_000_000
const NODES = [1n, 2n, 3n]
const FIRST = 450_000_000_000_000_000n

const kv = createMemoryKV({ maxValueBytes: MAX_VALUE_BYTES, maxTransactionOps: 128 })
const mirrors: TargetMirror[] = []
afterEach(async () => {
  for (const mirror of mirrors.splice(0)) await mirror.close()
  await kv.removeWithPrefix('')
})

async function openMirror(): Promise<TargetMirror> {
  const mirror = await TargetMirror.open({ kv, clock: systemClock })
  mirrors.push(mirror)
  return mirror
}

function many(count: number, shards = 100): ReturnType<typeof contents> {
  const plain = contents(shards, count)
  return { ...plain, segments: plain.segments.map((segment) => ({ ...segment, segmentId: FIRST + segment.segmentId * 7_919n })) }
}

const save = (store: TargetStore, after: ReplicaRecord | undefined): Promise<void> => store.save([{ collectionId: 1n, replicaId: 1n, after }])

/** A replica whose first target is there. */
function loaded(wanted: ReturnType<typeof contents>): ReplicaRecord {
  const { next, ...record } = stepReplica(stepOptions(emptyReplica(NODES), wanted))
  return { ...record, current: next, next: undefined }
}

/** The same for the same replica, whatever the order of its segments. */
const textOf = (record: ReplicaRecord | undefined): string | undefined => record && encodeReplica(record).head

async function keys(): Promise<{ readonly key: string; readonly bytes: number }[]> {
  const { keys: names, values } = await kv.loadWithPrefix(TARGET_ROOT, { limit: 10_000 })
  return names.map((key, i) => ({ key, bytes: values[i]?.length ?? 0 }))
}

describe('stored targets', () => {
  it('of 100,000 segments are in values far below what etcd takes, and are the same in a mirror and for the next leader', async () => {
    const store = await openTargetStore({ kv })
    const mirror = await openMirror()
    const record = loaded(many(100_000))
    await save(store, record)
    expect(Math.max(...(await keys()).map(({ bytes }) => bytes))).toBeLessThan(100_000)
    await mirror.catchUp()
    expect(textOf(mirror.replicas(1n)[0])).toEqual(textOf(record))
    expect(textOf((await openTargetStore({ kv })).replicas(1n)[0])).toEqual(textOf(record))
  })

  it('share what they have in common: one more segment writes one chunk, and what nothing names goes', async () => {
    const store = await openTargetStore({ kv })
    const mirror = await openMirror()
    const record = loaded(many(5_000))
    await save(store, record)
    const before = await keys()
    const { current, lastVersion } = loaded(many(5_001))
    const next = { ...record, lastVersion: 2, next: current && { ...current, version: lastVersion + 1 } }
    await save(store, next)
    const during = (await keys()).filter(({ key }) => !before.some((known) => known.key === key))
    expect(during).toHaveLength(1)
    const after: ReplicaRecord = { ...next, current: next.next, next: undefined, retired: [] }
    await save(store, after)
    expect(await keys()).toHaveLength(before.length)
    await mirror.catchUp()
    expect(textOf(mirror.replicas(1n)[0])).toEqual(textOf(after))
    await save(store, undefined)
    expect((await keys()).map(({ key }) => key)).toEqual([`${TARGET_ROOT}revision`])
    await mirror.catchUp()
    expect([mirror.replicas(1n), mirror.collectionIds(), store.collectionIds()]).toEqual([[], [], []])
  })

  it('of a writer who has been replaced are refused, and what he left half written is removed by his successor', async () => {
    const first = await openTargetStore({ kv })
    const second = await openTargetStore({ kv })
    await kv.save(`${TARGET_ROOT}1/1/left-behind`, '[]')
    const third = await openTargetStore({ kv })
    await save(second, emptyReplica([1n]))
    await expect(save(first, emptyReplica([2n]))).rejects.toThrow('by another coordinator')
    await expect(save(first, emptyReplica([2n]))).rejects.toThrow('decide again')
    await expect(save(third, emptyReplica([3n]))).rejects.toThrow('by another coordinator')
    await save(first, emptyReplica([2n]))
    expect((await keys()).map(({ key }) => key)).toEqual([`${TARGET_ROOT}1/1`, `${TARGET_ROOT}revision`])
    expect(first.replicas(1n)[0]?.nodeIds).toEqual([2n])
  })

  it('are shown by a mirror when all of their chunks are there, in whatever order they come', async () => {
    const store = await openTargetStore({ kv })
    await save(store, loaded(many(3_000)))
    const { keys: names, values } = await kv.loadWithPrefix(TARGET_ROOT, { limit: 100 })
    await kv.removeWithPrefix('')
    const mirror = await openMirror()
    const seen: number[] = []
    mirror.onChange(() => seen.push(mirror.replicas(1n)[0]?.current?.segments.length ?? 0))
    const head = names.indexOf(`${TARGET_ROOT}1/1`)
    const rest = names.map((_, i) => i).filter((i) => i !== head)
    for (const i of [head, ...rest]) await kv.save(names[i] ?? '', values[i] ?? '')
    await kv.save(`${TARGET_ROOT}revision`, '2')
    await mirror.catchUp()
    expect(seen).toEqual([3_000])
  })
})
