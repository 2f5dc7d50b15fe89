/** What a process of a cluster tells of its roles, under Milvus's names where it has them: together the processes tell what a node that is alone tells. */
import type { Registry } from 'prom-client'
import type { NodeClock } from '../edge/system.ts'
import { countChanges } from '../node/metrics/changes.ts'
import { coordinatorGauges } from '../node/metrics/coordinator-gauges.ts'
import { dataGauges } from '../node/metrics/data-gauges.ts'
import type { Meter } from '../node/metrics/meter.ts'
import { proxyGauges } from '../node/metrics/proxy-gauges.ts'
import { queryGauges } from '../node/metrics/query-gauges.ts'
import { createGaugeSink, processGauges, type GaugeSink } from '../node/metrics/sink.ts'
import type { TaskQueues } from '../server/task-queue.ts'
import type { ClusterMember } from './member.ts'
import { MILVUS_ROLES } from './milvus-roles.ts'
import type { OwnedChannel } from './owned-channel.ts'

export interface ClusterMetricsOptions {
  readonly member: ClusterMember
  readonly meter: Meter
  readonly clock: NodeClock
  readonly compat: boolean
}

export function registerClusterMetrics(registry: Registry, { member, meter, clock, compat }: ClusterMetricsOptions): { close(): Promise<void> } {
  const { roles, mirror, own, directory, pchannels } = member
  const sink = createGaugeSink({ registry, nodeId: String(member.membership.nodeId) })
  const channels = (): readonly OwnedChannel[] => own.host?.channels ?? []
  const bufferedBytes = (): number => channels().reduce((sum, { dataNode }) => sum + dataNode.bufferedBytes(), 0)
  processGauges(sink, { roles: roles.flatMap((role) => MILVUS_ROLES[role]), compat })
  memberGauges(sink, member)
  if (roles.includes('coordinator')) {
    const members = () => ({ proxies: directory.members('proxy').length, dataNodes: directory.members('data').length, queryNodes: directory.members('query').length })
    coordinatorGauges(sink, { meta: () => (own.coordinator?.isLeading === true ? mirror : undefined), pchannels, members })
  }
  if (roles.includes('data')) {
    sink.one('timetick_cluster_channels', 'Log channels that are owned here.', () => channels().length)
    sink.one('timetick_cluster_buffered_bytes', 'Bytes of channels that are owned here that no segment holds yet.', bufferedBytes)
    dataGauges(sink, { clock, bufferedBytes, lastTicks: () => lastTicks(member), readTimes: () => new Map(channels().flatMap(({ dataNode }) => [...dataNode.readTimes()])) })
  }
  if (roles.includes('query')) queryGauges(sink, { clock, meta: mirror, node: () => (own.queryNode?.status() === 'healthy' ? own.queryNode.current : undefined) })
  const isOwned = (pchannel: string | undefined): boolean => channels().some(({ duty }) => duty.pchannel === pchannel)
  const stop = countChanges(mirror, meter, ({ collectionId, vchannel }) => isOwned(mirror.collectionById(collectionId)?.shards.find((shard) => shard.vchannel === vchannel)?.pchannel))
  return { close: async () => stop() }
}

export interface ProxyMetricsOptions {
  readonly member: ClusterMember
  readonly clock: NodeClock
  readonly queues: TaskQueues
}

export function registerProxyMetrics(registry: Registry, { member, clock, queues }: ProxyMetricsOptions): void {
  const sink = createGaugeSink({ registry, nodeId: String(member.membership.nodeId) })
  proxyGauges(sink, { clock, queues, pchannels: member.pchannels, lastTicks: () => lastTicks(member) })
}

/** Of the channels that this process writes to: others tell of theirs. */
function lastTicks({ own }: ClusterMember): ReadonlyMap<string, bigint> {
  return new Map((own.host?.channels ?? []).map(({ duty, lastTick }) => [duty.pchannel, lastTick]))
}

function memberGauges({ one, many }: GaugeSink, { membership, directory, own, log }: ClusterMember): void {
  one('timetick_cluster_lease_left_ms', 'For how long the session of this process surely holds.', () => membership.leftMs)
  one('timetick_cluster_leading', '1 while this coordinator leads.', () => (own.coordinator?.isLeading === true ? 1 : 0))
  // Of an owner that was paused and overtaken: nobody's rows changed by it.
  many('timetick_cluster_fenced', 'Appends refused as their channel is not owned here, writes that were not sent, and frames of overtaken owners that readers passed over.', ['at'], () => [
    { labels: { at: 'append' }, value: own.host?.refusedAppends ?? 0 },
    { labels: { at: 'write' }, value: log.counts.refusedWrites },
    { labels: { at: 'read' }, value: log.counts.overtakenFrames },
  ])
  many('timetick_cluster_members', 'Processes that are registered, by role.', ['role'], () => (['proxy', 'coordinator', 'data', 'query'] as const).map((role) => ({ labels: { role }, value: directory.members(role).length })))
}
