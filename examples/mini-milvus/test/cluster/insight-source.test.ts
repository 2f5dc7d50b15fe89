/** What insight tells of a cluster whose processes come, go, fall silent and hand channels on: each round from what they say. */
import { composeTimestamp } from '@timetick/tso'
import type { Row, Sink } from 'timetick-insight/embed'
import { expect, it } from 'vitest'
import type { MemberState, OwnedState } from '../../src/cluster/apis.ts'
import type { Member } from '../../src/cluster/membership.ts'
import { ChannelStates } from '../../src/insight/channel-states.ts'
import { askAll, ownedStates, ownerRow, readerLags, tellClusterGauges, tellLogChannels, tellMembersOfCluster, type Told } from '../../src/insight/cluster-rows.ts'

class Rows implements Sink {
  readonly rows = new Map<string, Row>()
  readonly gauges = new Map<string, number>()
  upsert(kind: string, key: string, row: Row): void {
    this.rows.set(`${kind} ${key}`, row)
  }
  drop(kind: string, key: string): void {
    this.rows.delete(`${kind} ${key}`)
  }
  full(kind: string, scope: string, keys: ReadonlySet<string>): void {
    for (const id of this.rows.keys()) if (id.startsWith(`${kind} ${scope}`) && !keys.has(id.slice(kind.length + 1))) this.rows.delete(id)
  }
  gauge(key: string, value: number): void {
    this.gauges.set(key, value)
  }
}

const NOW = 1_700_000_000_000
const tsAgo = (ms: number): bigint => composeTimestamp(NOW - ms)
const member = (nodeId: bigint, roles: Member['roles'], more: Partial<Member> = {}): Member => ({ id: `${nodeId}.1`, nodeId, address: `127.0.0.1:${nodeId}`, roles, version: '1', stopping: false, ...more })
const says = (more: Partial<MemberState> = {}): MemberState => ({ startedAt: NOW - 5000, isLeading: false, usage: { processors: 2, memoryBytes: 100, usedMemoryBytes: 40 }, ...more })
const owns = (pchannel: string, epoch: number, more: Partial<OwnedState> = {}): OwnedState => ({ pchannel, epoch, lastTick: tsAgo(10), readTs: tsAgo(20), bufferedBytes: 7, unflushed: new Map(), ...more })

it('shows every role of a process, who leads, who stops, and why one says nothing', async () => {
  const states: Record<string, MemberState | Error> = { '127.0.0.1:1': says({ isLeading: true }), '127.0.0.1:2': says(), '127.0.0.1:3': new Error('14 UNAVAILABLE'), '127.0.0.1:4': says() }
  const members = [member(1n, ['coordinator', 'proxy']), member(2n, ['coordinator']), member(3n, ['data']), member(4n, ['query'], { stopping: true })]
  const describe = async (address: string): Promise<MemberState> => {
    const state = states[address]
    if (state === undefined || state instanceof Error) throw state ?? new Error('nobody')
    return state
  }
  const directory = { members: () => members } as unknown as Parameters<typeof askAll>[0]['directory']
  const sink = new Rows()
  tellMembersOfCluster(sink, await askAll({ directory, describe }), [])
  expect(Object.fromEntries([...sink.rows].map(([key, { state, reason }]) => [key, [state, reason]]))).toEqual({
    'node coordinator-1': ['healthy', null],
    'node proxy-1': ['healthy', null],
    'node coordinator-2': ['standby', null],
    'node datanode-3': ['abnormal', '14 UNAVAILABLE'],
    'node querynode-4': ['stopping', null],
  })
  members.splice(2, 1)
  tellMembersOfCluster(sink, await askAll({ directory, describe }), [])
  expect([...sink.rows.keys()]).not.toContain('node datanode-3')
})

it('believes the later owner where two tell of a channel, counts each reader, and shows a channel that nobody owns', () => {
  const told: Told = new Map<Member, MemberState | Error>([
    [member(1n, ['data']), says({ owned: [owns('dml_0', 3, { readTs: tsAgo(9_000) })] })],
    [member(2n, ['data']), says({ owned: [owns('dml_0', 4)] })],
    [member(3n, ['query']), says({ applied: new Map([['dml_0', tsAgo(300)], ['dml_1', tsAgo(8_000)], ['dml_9', tsAgo(1)]]) })],
    [member(4n, ['query']), new Error('silent')],
    // Of a version that tells less.
    [member(5n, ['query', 'data']), says()],
  ])
  const owned = ownedStates(told)
  expect([...owned].map(([channel, { epoch }]) => [channel, epoch])).toEqual([['dml_0', 4]])
  const lags = readerLags(told, owned, ['dml_0', 'dml_1'], NOW)
  expect([...lags].map(([channel, readers]) => [channel, Object.fromEntries(readers)])).toEqual([
    ['dml_0', { 'datanode-2': 20, 'querynode-3': 300 }],
    ['dml_1', { 'querynode-3': 8_000 }],
  ])
  const sink = new Rows()
  const states = new ChannelStates()
  states.see(lags, { laggingMs: 5_000, stuckMs: 60_000 })
  tellLogChannels(sink, lags, { assignments: new Map([['dml_0', { owner: '2.1', epoch: 4, leaving: true }]]), states, checkpoint: (channel) => (channel === 'dml_0' ? '{"timestamp":"12"}' : undefined) })
  expect(sink.rows.get('stream dml_0')).toMatchObject({ state: 'ok', owner: '2', epoch: 4, leaving: true, readers: ['datanode-2', 'querynode-3'], checkpoint: { ts: '12' } })
  expect(sink.rows.get('stream dml_1')).toMatchObject({ state: 'lagging', lagMs: 8_000, owner: null, epoch: null, checkpoint: null })
  expect(ownerRow({ owner: '', epoch: 5, leaving: false })).toEqual({ owner: null, epoch: 5, leaving: false })
  tellClusterGauges(sink, told, owned, lags, NOW)
  expect(Object.fromEntries(sink.gauges)).toMatchObject({ 'timetick.lag{dml_0}': 10, 'stream.lag{dml_1/querynode-3}': 8_000, 'datanode.buffered{1}': 7, 'node.memory{process 3}': 40 })
  expect([...sink.gauges.keys()].filter((key) => key.includes('4}'))).toEqual([])
})
