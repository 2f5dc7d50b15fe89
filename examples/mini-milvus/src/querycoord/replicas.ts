/** Which replicas a loaded collection has, and which query nodes each may use. Pure. */
import type { ReplicaRecord } from '../model/target.ts'

export interface GroupNodes {
  /** Query nodes of a resource group that live, ascending. Empty for a group that is not there. */
  (resourceGroup: string): readonly bigint[]
}

/** The replicas that a collection shall have: kept as they are as far as can be. `groups` names each replica's resource group. */
export function wantedReplicas(records: readonly ReplicaRecord[], groups: readonly string[], collectionId: bigint, newId: () => bigint): ReplicaRecord[] {
  const left = [...records]
  const missing: string[] = []
  const kept: ReplicaRecord[] = []
  for (const resourceGroup of groups) {
    const at = left.findIndex((record) => record.resourceGroup === resourceGroup)
    const [record] = at < 0 ? [] : left.splice(at, 1)
    if (record === undefined) missing.push(resourceGroup)
    else kept.push(record)
  }
  for (const resourceGroup of missing) kept.push({ replicaId: newId(), collectionId, resourceGroup, nodeIds: [], current: undefined, next: undefined, retired: [], lastVersion: 0 })
  return kept
}

/** The same replicas with the nodes that live: no node in two, none without one where there are enough, and few that change. */
export function withNodes(records: readonly ReplicaRecord[], nodesOf: GroupNodes): ReplicaRecord[] {
  const result = new Map<ReplicaRecord, readonly bigint[]>()
  for (const group of new Set(records.map(({ resourceGroup }) => resourceGroup))) {
    const mine = records.filter(({ resourceGroup }) => resourceGroup === group)
    for (const [record, nodeIds] of shared(mine, nodesOf(group))) result.set(record, nodeIds)
  }
  return records.map((record) => {
    const nodeIds = result.get(record) ?? []
    const isSame = nodeIds.length === record.nodeIds.length && nodeIds.every((id, i) => id === record.nodeIds[i])
    return isSame ? record : { ...record, nodeIds }
  })
}

function shared(records: readonly ReplicaRecord[], alive: readonly bigint[]): Map<ReplicaRecord, readonly bigint[]> {
  const free = new Set(alive)
  const sets = records.map((record) => ({ record, ids: record.nodeIds.filter((id) => free.delete(id)) }))
  const smallest = (): (typeof sets)[number] => sets.reduce((least, set) => (set.ids.length < least.ids.length ? set : least))
  for (const id of free) smallest().ids.push(id)
  // One has died out while another has nodes to spare, or nodes joined where they were not needed most.
  for (;;) {
    const least = smallest()
    const most = sets.reduce((best, set) => (set.ids.length > best.ids.length ? set : best))
    if (most.ids.length - least.ids.length < 2) break
    least.ids.push(most.ids.pop() as bigint)
  }
  return new Map(sets.map(({ record, ids }) => [record, [...ids].sort((a, b) => (a < b ? -1 : 1))]))
}
