/** The query nodes of a process as its other parts see them: one of them, or several that work like one. */
import type { Status } from '@timetick/watchdog'
import type { ReplicaRecord } from '../model/target.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { QueryNode } from '../querynode/query-node.ts'
import type { Role } from './role.ts'

export interface QueryNodes {
  /** Of those that live, ascending. */
  nodeIds(): readonly bigint[]
  /** How far the slowest has read a channel; 0n where nobody can say, undefined for a channel that none reads. */
  oldestReader(pchannel: string): bigint | undefined
  /** Undefined where one node serves everything. */
  readonly placement: Placement | undefined
}

/** What can be asked and told of several query nodes. */
export interface Placement {
  replicas(collectionId: bigint): readonly ReplicaRecord[]
  segments(nodeId: bigint): readonly { readonly collectionId: bigint; readonly segmentId: bigint }[]
  /** Rejects with MilvusError where they cannot be moved. */
  moveSegments(collectionId: bigint, from: bigint, to: readonly bigint[], segmentIds: readonly bigint[]): Promise<void>
  transferReplicas(collectionId: bigint, from: string, to: string, count: number): Promise<void>
  /** Which node belongs to which resource group, until then all to the default one. */
  useResourceGroups(groupOf: (nodeId: bigint) => string): void
}

export interface QueryRole extends QueryNodes {
  readonly id: string
  /** Answers reads; throws Milvus's "not ready" while nobody does. */
  readonly current: QueryNodeApi
  status(): Status
  start(): Promise<void>
  close(): Promise<void>
}

/** A node that has one query node. */
export function oneQueryNode(role: Role<QueryNode>): QueryRole {
  const isHealthy = (): boolean => role.status() === 'healthy'
  return {
    id: role.id,
    get current() {
      return role.current
    },
    placement: undefined,
    nodeIds: () => (isHealthy() ? [role.current.nodeId] : []),
    // While there is no query node, nobody knows how far it had read.
    oldestReader: (pchannel) => (isHealthy() ? role.current.serviceTimes().get(pchannel) : 0n),
    status: () => role.status(),
    start: () => role.start(),
    close: () => role.close(),
  }
}
