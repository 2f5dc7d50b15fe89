/** What a leader decides about query nodes: the targets of all replicas, kept while its term lasts, from what sessions and nodes say. */
import type { KVBase, KVCondition } from '@timetick/kv'
import type { IdAllocator } from '@timetick/tso'
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import { QueryCoord } from '../querycoord/query-coord.ts'
import { openTargetStore, type TargetStore } from '../querycoord/target-store.ts'
import type { Directory } from './directory.ts'
import { NodeGroups } from './node-groups.ts'
import { QueryFleet } from './query-fleet.ts'
import type { QueryServiceApi } from './query-service.ts'

export interface QueryPlannerSettings {
  readonly directory: Directory
  readonly apiOf: (address: string) => QueryServiceApi
  /** How long what is no longer current can still be read. */
  readonly graceMs: number
  readonly intervalMs: number
  /** Who has not answered for so long gets no duties. */
  readonly awayAfterMs: number
  /** 0: nothing is moved for balance. */
  readonly maxMoves: () => number
  readonly tolerance: number
}

export interface QueryPlannerOptions extends QueryPlannerSettings {
  readonly kv: KVBase
  readonly clock: NodeClock
  readonly meta: MetaReader
  readonly ids: IdAllocator
  /** Of each write: this process leads. */
  readonly leader: KVCondition
  readonly onProblem: (message: string, error: unknown) => void
}

export interface QueryPlanner {
  readonly coord: QueryCoord
  readonly store: TargetStore
  close(): Promise<void>
}

export async function openQueryPlanner(options: QueryPlannerOptions): Promise<QueryPlanner> {
  const { kv, clock, meta, ids, leader, directory, apiOf, graceMs, intervalMs, awayAfterMs, maxMoves, tolerance, onProblem } = options
  const store = await openTargetStore({ kv, conditions: () => [leader] })
  let wake = (): void => undefined
  const groups = await NodeGroups.open({ kv, clock, onChange: () => wake(), onProblem: (error) => onProblem('resource groups could not be followed', error) })
  const fleet = new QueryFleet({ directory, apiOf, clock, intervalMs, awayAfterMs, onChange: () => wake(), onProblem })
  const coord = new QueryCoord({
    meta, store, clock, graceMs, intervalMs, tolerance, maxMoves: maxMoves(), onWarning: onProblem,
    nodes: () => fleet.nodes(),
    resourceGroupOf: (nodeId) => groups.groupOf(nodeId),
    allocateId: () => ids.allocOne(),
  })
  wake = () => coord.kick()
  return {
    coord,
    store,
    async close() {
      fleet.close()
      await groups.close()
      await coord.close()
    },
  }
}
