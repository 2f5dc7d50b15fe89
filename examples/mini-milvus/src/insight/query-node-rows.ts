/** Query nodes where there are several: each with what it serves. */
import type { Row, Sink } from 'timetick-insight/embed'
import type { LocalSourceOptions } from './local-source.ts'

/** What each serves is counted over all collections: so often at most. */
const COUNT_EVERY_MS = 10_000

interface Served {
  readonly replicas: number
  readonly resourceGroup: string
}

/** The result tells them, and that no nodes are there but these and those of `others`. */
export function createQueryNodeTeller({ core: { roles, catalog }, address, version, parameters, clock }: LocalSourceOptions): (sink: Sink, others: readonly string[]) => void {
  let served: ReadonlyMap<bigint, Served> = new Map()
  let countedAt = -Infinity
  const count = (): void => {
    if (clock.monotonic() - countedAt < COUNT_EVERY_MS) return
    countedAt = clock.monotonic()
    const found = new Map<bigint, Served>()
    for (const { id } of catalog.collections()) {
      for (const { resourceGroup, nodeIds } of roles.queryNode.placement?.replicas(id) ?? []) for (const node of nodeIds) found.set(node, { replicas: (found.get(node)?.replicas ?? 0) + 1, resourceGroup })
    }
    served = found
  }
  const rowOf = (nodeId: bigint): Row => {
    const { replicas = 0, resourceGroup = null } = served.get(nodeId) ?? {}
    return { id: String(nodeId), name: `query node ${nodeId}`, role: 'querynode', address, version, state: 'healthy', resourceGroup, replicas }
  }
  return (sink, others) => {
    const keys = new Set(others)
    if (roles.queryNode.placement !== undefined) {
      count()
      for (const nodeId of roles.queryNode.nodeIds()) {
        keys.add(`querynode-${nodeId}`)
        sink.upsert('node', `querynode-${nodeId}`, rowOf(nodeId))
      }
      const row = { expected: parameters.getInt('queryNode.count'), living: roles.queryNode.nodeIds().length }
      sink.upsert('node', 'querynode', { id: 'querynode', name: 'mini-milvus query nodes', role: 'querynode', address, version, state: roles.queryNode.status(), ...row })
    }
    sink.full('node', '', keys)
  }
}
