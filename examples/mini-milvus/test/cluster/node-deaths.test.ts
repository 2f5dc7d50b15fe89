/** Clusters far larger than a test runs: what a node's death costs whoever leads, in processor time. */
import { createMemoryKV } from '@timetick/kv/memory'
import { describe, expect, it } from 'vitest'
import { CHANNEL_ROOT, ChannelAssigner } from '../../src/cluster/channel-assigner.ts'
import { decodeAssignment } from '../../src/cluster/channel-plan.ts'
import { openGuardedStore } from '../../src/cluster/guarded-store.ts'
import { Membership } from '../../src/cluster/membership.ts'
import { systemClock } from '../../src/edge/system.ts'
import type { ReplicaRecord } from '../../src/model/target.ts'
import { NodeLoads } from '../../src/querycoord/loads.ts'
import { withNodes } from '../../src/querycoord/replicas.ts'
import { type Holdings, stepReplica, type StepOptions } from '../../src/querycoord/step.ts'
import { contents, emptyReplica, obedient, stepOptions } from '../querycoord/cluster.ts'

const NODES = 10
const CHANNELS = 1_000
/** A tenth by default: most of the time goes into making them up. */
const SEGMENTS = process.env['TIMETICK_RING'] === undefined ? 10_000 : 100_000
const MOST_MS = 2_000

/** As those that obey, asked once each. */
function known(record: ReplicaRecord): StepOptions['holdings'] {
  const ask = obedient(record)
  const answers = new Map<bigint, Holdings | undefined>()
  return (nodeId) => {
    if (!answers.has(nodeId)) answers.set(nodeId, ask(nodeId))
    return answers.get(nodeId)
  }
}

/** Of this process; what else runs on the machine does not count. */
async function processorMs(run: () => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

describe('a node that dies', () => {
  it(`has its part of ${CHANNELS} channels given to others`, { timeout: 120_000 }, async () => {
    const kv = createMemoryKV()
    const pchannels = Array.from({ length: CHANNELS }, (_, index) => `dml_${index}`)
    const failures: unknown[] = []
    const onProblem = (_message: string, error: unknown): void => void failures.push(error)
    const open = (index: number): Promise<Membership> =>
      Membership.open({ kv, clock: systemClock, ttlMs: 60_000, address: `node-${index}`, roles: ['data'], version: '0', catchUp: async () => undefined, onChange: () => undefined, onProblem })
    const nodes = await Promise.all(Array.from({ length: NODES }, (_, index) => open(index)))
    const token = await kv.save('leader', 'me')
    const store = await openGuardedStore(kv, { key: 'leader', token, onFenced: () => failures.push(new Error('fenced')) })
    const assigner = await ChannelAssigner.start({ kv, clock: systemClock, pchannels, store, isLive: () => true, onProblem })
    const owners = (): string[] => pchannels.map((pchannel) => assigner.assignment(pchannel).owner)
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await until(() => !owners().includes(''))
    const [victim, ...others] = nodes
    const died = victim?.id ?? ''
    expect(owners().filter((owner) => owner === died)).toHaveLength(CHANNELS / NODES)
    const spent = await processorMs(async () => {
      await victim?.close()
      await until(() => !owners().includes(died))
    })
    expect(new Set(owners())).toEqual(new Set(others.map(({ id }) => id)))
    const counts = others.map(({ id }) => owners().filter((owner) => owner === id).length)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    const stored = await kv.loadWithPrefix(CHANNEL_ROOT)
    expect(stored.values.map((text) => decodeAssignment(text).owner)).not.toContain(died)
    expect(failures).toEqual([])
    expect(spent).toBeLessThan(MOST_MS)
    await assigner.close()
    for (const node of others) await node.close()
    await kv.close()
  })

  it.each([
    [1, SEGMENTS],
    [CHANNELS, SEGMENTS / CHANNELS],
  ])('has its segments planned on others, of %d collections of %d', { timeout: 120_000 }, async (collections, segments) => {
    const wanted = contents(1, segments)
    const nodeIds = Array.from({ length: NODES }, (_, index) => BigInt(index + 1))
    const bytesOf = (): number => 100
    const plan = (records: readonly ReplicaRecord[], present: readonly bigint[]): ReplicaRecord[] => {
      const loads = new NodeLoads(present.map((nodeId) => ({ nodeId, capacity: 1 })))
      for (const { next, current } of records) {
        const target = next ?? current
        if (target !== undefined) loads.count(target, bytesOf)
      }
      return records.flatMap((record) => withNodes([record], () => present)).map((record) => stepReplica({ ...stepOptions(record, wanted), loads, holdings: known(record) }))
    }
    const first = plan(Array.from({ length: collections }, (_, index) => ({ ...emptyReplica(nodeIds), replicaId: BigInt(index), collectionId: BigInt(index) })), nodeIds)
    const served = plan(first, nodeIds)
    expect(served.every(({ current }) => current?.segments.length === segments)).toBe(true)
    let after: readonly ReplicaRecord[] = []
    const spent = await processorMs(() => {
      after = plan(served, nodeIds.slice(1))
    })
    const places = after.flatMap(({ next }) => next?.segments ?? [])
    const moved = after.filter(({ next }) => next !== undefined)
    expect([moved.length > 0, places.some(({ nodeId }) => nodeId === nodeIds[0])]).toEqual([true, false])
    const counts = nodeIds.slice(1).map((id) => after.flatMap(({ next, current }) => (next ?? current)?.segments ?? []).filter(({ nodeId }) => nodeId === id).length)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(SEGMENTS)
    expect(Math.max(...counts)).toBeLessThan((1.1 * SEGMENTS) / (NODES - 1))
    expect(spent).toBeLessThan(MOST_MS)
  })
})
