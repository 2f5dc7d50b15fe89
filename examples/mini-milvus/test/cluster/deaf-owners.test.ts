/** Data nodes that renew their lease and cannot be called: their channels go to others, and nothing does when it is the leader who is cut off. */
import { afterEach, describe, expect, it } from 'vitest'
import { CHANNEL_ROOT } from '../../src/cluster/channel-assigner.ts'
import { decodeAssignment } from '../../src/cluster/channel-plan.ts'
import { RELEASE_ROOT } from '../../src/cluster/channel-releases.ts'
import type { ClusterMember } from '../../src/cluster/member.ts'
import { SmallCluster } from './small-cluster.ts'

const LEASE_MS = 3_000
const CHANNELS = 4
const SETTINGS = { 'cluster.leaseTtl': `${LEASE_MS}ms`, 'rootCoord.dmlChannelNum': String(CHANNELS), 'cluster.callTimeout': '5s' }

let cluster: SmallCluster
afterEach(async () => {
  await cluster.close()
})

async function open(...others: (readonly [name: string, ...roles: ('data' | 'proxy' | 'coordinator')[]])[]): Promise<Map<string, ClusterMember>> {
  cluster = new SmallCluster(SETTINGS)
  const members = new Map<string, ClusterMember>()
  for (const [name, ...roles] of others) members.set(name, await cluster.open(name, roles))
  await cluster.until('channels with all', () => [...members.values()].every(({ own: { host } }) => host === undefined || host.channels.length === CHANNELS / 2))
  return members
}

const counts = (...members: (ClusterMember | undefined)[]): (number | undefined)[] => members.map((member) => member?.own.host?.channels.length)

async function assignments(): Promise<readonly { readonly owner: string; readonly epoch: number }[]> {
  const { values } = await cluster.run(cluster.kv.loadWithPrefix(CHANNEL_ROOT))
  return values.map((text) => decodeAssignment(text))
}

/** Nobody else has a channel while it has: the ends of what each may do, in order. */
async function append({ channels, coordinator }: ClusterMember, pchannel: string): Promise<bigint> {
  await cluster.run(coordinator.timestamps.allocOne())
  const { timestamp } = await cluster.run(channels.write(() => [{ channel: pchannel, msgs: [] }], [pchannel]))
  return timestamp
}

describe('a data node that cannot be called', () => {
  it.each([
    ['by others', false],
    ['by others, and cannot call them', true],
  ])('%s loses its channels after a lease, and has some again when it answers', async (_what, isMute) => {
    const members = await open(['leader', 'coordinator'], ['a', 'data'], ['b', 'data'], ['p', 'proxy'])
    const [a, b, p] = ['a', 'b', 'p'].map((name) => members.get(name))
    cluster.deaf.add('b')
    if (isMute) cluster.mute.add('b')
    await cluster.pass(LEASE_MS - 500)
    expect(counts(a, b)).toEqual([CHANNELS / 2, CHANNELS / 2])
    await cluster.until('all channels with the other', () => a?.own.host?.channels.length === CHANNELS)
    expect(counts(b)).toEqual([0])
    expect([b?.membership.isLive, cluster.warnings.filter((line) => line.includes('is registered but does not answer: others get its channels')).length]).toEqual([true, 1])
    for (const pchannel of p?.pchannels ?? []) expect(await append(p as ClusterMember, pchannel)).toBeGreaterThan(0n)
    const epochs = (await assignments()).map(({ epoch }) => epoch)
    expect(epochs.filter((epoch) => epoch > 1)).toHaveLength(CHANNELS / 2)
    cluster.deaf.clear()
    cluster.mute.clear()
    await cluster.until('channels with both', () => counts(a, b).every((count) => count === CHANNELS / 2))
    // Notes of what was given back go with the next assignment.
    expect((await cluster.run(cluster.kv.loadWithPrefix(RELEASE_ROOT))).keys).toEqual([])
  })

  it('keeps them as long as nobody else can take them', async () => {
    cluster = new SmallCluster(SETTINGS)
    await cluster.open('leader', ['coordinator'])
    const only = await cluster.open('a', ['data'])
    await cluster.open('p', ['proxy'])
    await cluster.until('all channels', () => only.own.host?.channels.length === CHANNELS)
    cluster.deaf.add('a')
    await cluster.pass(5 * LEASE_MS)
    expect([counts(only), (await assignments()).every(({ epoch }) => epoch === 1)]).toEqual([[CHANNELS], true])
  })

  it.each([
    ['is alone', [['leader', 'coordinator'], ['a', 'data'], ['b', 'data'], ['p', 'proxy']]],
    ['has channels itself, which it always reaches', [['leader', 'coordinator', 'data'], ['b', 'data'], ['p', 'proxy']]],
    ['has one other process only, which may be well', [['leader', 'coordinator', 'data', 'proxy'], ['b', 'data', 'proxy']]],
  ] as const)('keeps them when the leader can call nobody and %s', async (_what, layout) => {
    const members = await open(...layout.map(([name, ...roles]) => [name, ...roles] as const))
    cluster.mute.add('leader')
    const before = await assignments()
    await cluster.pass(5 * LEASE_MS)
    expect(await assignments()).toEqual(before)
    cluster.mute.clear()
    // What was silent while the leader was cut off has not been silent for a lease.
    if (members.size > 2) cluster.deaf.add('b')
    await cluster.pass(LEASE_MS - 1_000)
    expect(await assignments()).toEqual(before)
  })

  it('is found again by the next leader', async () => {
    const members = await open(['leader', 'coordinator'], ['next', 'coordinator'], ['a', 'data'], ['b', 'data'])
    const [leader, a, b] = ['leader', 'a', 'b'].map((name) => members.get(name))
    cluster.deaf.add('b')
    cluster.mute.add('b')
    await cluster.until('all channels with the other', () => a?.own.host?.channels.length === CHANNELS)
    await cluster.run(leader?.drain() ?? Promise.resolve())
    await cluster.pass(4 * LEASE_MS + 10_000)
    await cluster.until('all channels with the other', () => a?.own.host?.channels.length === CHANNELS)
    expect(counts(b)).toEqual([0])
  })
})
