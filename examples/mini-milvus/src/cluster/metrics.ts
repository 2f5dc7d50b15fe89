/** What a process of a cluster tells of its duties, under Milvus's names where it has them. */
import { Gauge, type Registry } from 'prom-client'
import { version } from '../version.ts'
import type { ClusterMember } from './member.ts'

const MILVUS_ROLES = { proxy: ['proxy'], coordinator: ['rootcoord', 'datacoord', 'querycoord'], data: ['datanode', 'indexnode'], query: ['querynode'] } as const

export function registerClusterGauges(registry: Registry, member: ClusterMember): void {
  const node_id = String(member.membership.nodeId)
  const gauge = (name: string, help: string, labelNames: readonly string[], read: () => readonly { readonly labels?: Record<string, string>; readonly value: number }[]): void => {
    new Gauge({
      name, help, labelNames: [...labelNames], registers: [registry],
      collect() {
        this.reset()
        for (const { labels, value } of read()) this.set(labels ?? {}, value)
      },
    })
  }
  const one = (name: string, help: string, read: () => number): void => gauge(name, help, [], () => [{ value: read() }])
  gauge('milvus_build_info', 'Version.', ['version', 'built', 'git_commit'], () => [{ labels: { version, built: '', git_commit: '' }, value: 1 }])
  gauge('milvus_num_node', 'Roles of this process.', ['node_id', 'role_name'], () => member.roles.flatMap((role) => MILVUS_ROLES[role].map((role_name) => ({ labels: { node_id, role_name }, value: 1 }))))
  one('timetick_cluster_lease_left_ms', 'For how long the session of this process surely holds.', () => member.membership.leftMs)
  one('timetick_cluster_leading', '1 while this coordinator leads.', () => (member.own.coordinator?.isLeading === true ? 1 : 0))
  one('timetick_cluster_channels', 'Log channels that are owned here.', () => member.own.host?.channels.length ?? 0)
  one('timetick_cluster_buffered_bytes', 'Bytes of channels that are owned here that no segment holds yet.', () => (member.own.host?.channels ?? []).reduce((sum, { dataNode }) => sum + dataNode.bufferedBytes(), 0))
  gauge('timetick_cluster_members', 'Processes that are registered, by role.', ['role'], () => (['proxy', 'coordinator', 'data', 'query'] as const).map((role) => ({ labels: { role }, value: member.directory.members(role).length })))
}
