/** The processes of a cluster, and what they do with its log, as rows: from what each says of itself. */
import { parseTimestamp } from '@timetick/tso'
import type { Row, Sink } from 'timetick-insight/embed'
import type { MemberState, OwnedState } from '../cluster/apis.ts'
import type { ChannelAssignment } from '../cluster/channel-plan.ts'
import type { ClusterMember } from '../cluster/member.ts'
import type { ClusterRole, Member } from '../cluster/membership.ts'
import type { ReplicaRecord } from '../model/target.ts'
import type { ChannelStates } from './channel-states.ts'
import { checkpointTs } from './node-rows.ts'

/** Everybody who is registered, with what it says of itself or why it does not. */
export type Told = ReadonlyMap<Member, MemberState | Error>

export type ReaderLags = ReadonlyMap<string, ReadonlyMap<string, number>>

const NAMES: { readonly [Role in ClusterRole]: string } = { proxy: 'proxy', coordinator: 'coordinator', data: 'datanode', query: 'querynode' }

export async function askAll({ directory, describe }: Pick<ClusterMember, 'directory' | 'describe'>): Promise<Told> {
  const ask = async (member: Member) => [member, await describe(member.address).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))] as const
  return new Map(await Promise.all(directory.members().map(ask)))
}

export const nodeKey = (role: ClusterRole, nodeId: bigint): string => `${NAMES[role]}-${nodeId}`

/** @param replicas of all loaded collections */
export function tellMembersOfCluster(sink: Sink, told: Told, replicas: readonly ReplicaRecord[]): void {
  const keys = new Set<string>()
  for (const [member, state] of told) {
    for (const role of member.roles) {
      const key = nodeKey(role, member.nodeId)
      keys.add(key)
      sink.upsert('node', key, { ...memberRow(member, role, state), ...(role === 'query' ? serving(member.nodeId, replicas) : {}) })
    }
  }
  sink.full('node', '', keys)
}

function memberRow({ nodeId, address, version, stopping }: Member, role: ClusterRole, state: MemberState | Error): Row {
  const name = NAMES[role]
  const own = { id: String(nodeId), name: `${name} ${nodeId}`, role: name, address, version }
  if (state instanceof Error) return { ...own, state: 'abnormal', reason: state.message }
  return { ...own, state: stopping ? 'stopping' : role === 'coordinator' && !state.isLeading ? 'standby' : 'healthy', reason: null, startedAt: state.startedAt }
}

function serving(nodeId: bigint, replicas: readonly ReplicaRecord[]): Row {
  const its = replicas.filter(({ nodeIds }) => nodeIds.includes(nodeId))
  return { replicas: its.length, resourceGroup: its[0]?.resourceGroup ?? null }
}

/** What the owners say of their channels. Where two say it, as one has not heard yet that it is none, the later one is right. */
export function ownedStates(told: Told): ReadonlyMap<string, OwnedState> {
  const states = new Map<string, OwnedState>()
  for (const state of told.values()) {
    if (state instanceof Error) continue
    for (const owned of state.owned ?? []) if (owned.epoch >= (states.get(owned.pchannel)?.epoch ?? 0)) states.set(owned.pchannel, owned)
  }
  return states
}

/** How far each reader of each log channel is behind the clock. */
export function readerLags(told: Told, owned: ReadonlyMap<string, OwnedState>, pchannels: readonly string[], now: number): ReaderLags {
  const lags = new Map(pchannels.map((channel) => [channel, new Map<string, number>()]))
  const add = (channel: string, reader: string, ts: bigint): void => {
    if (ts > 0n) lags.get(channel)?.set(reader, Math.max(0, now - parseTimestamp(ts).physicalMs))
  }
  for (const [{ nodeId }, state] of told) {
    if (state instanceof Error) continue
    for (const one of state.owned ?? []) if (owned.get(one.pchannel) === one) add(one.pchannel, nodeKey('data', nodeId), one.readTs)
    for (const [channel, ts] of state.applied ?? []) add(channel, nodeKey('query', nodeId), ts)
  }
  return lags
}

export interface ChannelFacts {
  readonly assignments: ReadonlyMap<string, ChannelAssignment>
  readonly states: ChannelStates
  readonly checkpoint: (pchannel: string) => string | undefined
}

export function tellLogChannels(sink: Sink, lags: ReaderLags, facts: ChannelFacts): void {
  for (const [channel, readers] of lags) {
    const ts = checkpointTs(facts.checkpoint(channel))
    sink.upsert('stream', channel, { id: channel, name: channel, ...facts.states.of(channel), ...ownerRow(facts.assignments.get(channel)), readers: [...readers.keys()].sort(), checkpoint: ts === undefined ? null : { ts } })
  }
  sink.full('stream', '', new Set(lags.keys()))
}

/** @returns the data node's id, without its incarnation */
export function ownerRow(assignment: ChannelAssignment | undefined): Row {
  const owner = assignment?.owner.split('.')[0] ?? ''
  return { owner: owner === '' ? null : owner, epoch: assignment?.epoch ?? null, leaving: assignment?.leaving ?? null }
}

export function tellClusterGauges(sink: Sink, told: Told, owned: ReadonlyMap<string, OwnedState>, lags: ReaderLags, now: number): void {
  for (const { pchannel, lastTick } of owned.values()) if (lastTick > 0n) sink.gauge(`timetick.lag{${pchannel}}`, Math.max(0, now - parseTimestamp(lastTick).physicalMs))
  for (const [channel, readers] of lags) for (const [reader, lagMs] of readers) sink.gauge(`stream.lag{${channel}/${reader}}`, lagMs)
  for (const [{ nodeId }, state] of told) {
    if (state instanceof Error) continue
    sink.gauge(`node.memory{process ${nodeId}}`, state.usage.usedMemoryBytes)
    if (state.owned !== undefined) sink.gauge(`datanode.buffered{${nodeId}}`, state.owned.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0))
  }
}
