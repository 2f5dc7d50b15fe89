/** All processes of the cluster with what each says of itself: one that does not answer is shown, with the reason. */
import type { NodeProcess } from '../proxy/node-info.ts'
import type { MemberState } from './apis.ts'
import type { ClusterMember } from './member.ts'
import type { ClusterRole, Member } from './membership.ts'
import { MILVUS_ROLES } from './milvus-roles.ts'

const ORDER: readonly ClusterRole[] = ['coordinator', 'proxy', 'query', 'data']

export async function nodeProcesses({ directory, describe }: Pick<ClusterMember, 'directory' | 'describe'>): Promise<NodeProcess[]> {
  const states = new Map(await Promise.all(directory.members().map(async (member) => [member, await describe(member.address).catch(asError)] as const)))
  return ORDER.flatMap((role) => [...states].filter(([{ roles }]) => roles.includes(role)).flatMap(([member, state]) => MILVUS_ROLES[role].map((name) => processOf(member, role, name, state))))
}

function processOf({ nodeId, address, version, stopping }: Member, role: ClusterRole, name: string, state: MemberState | Error): NodeProcess {
  const own = { role: name, id: nodeId, address, version: `mini-milvus-${version}` }
  if (state instanceof Error) return { ...own, state: 'Abnormal', told: { reason: state.message } }
  const { usage, startedAt, isLeading } = state
  return { ...own, state: stopping ? 'Stopping' : role === 'coordinator' && !isLeading ? 'StandBy' : 'Healthy', told: { usage, createdAt: startedAt } }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))
