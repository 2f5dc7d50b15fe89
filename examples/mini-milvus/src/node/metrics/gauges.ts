/** The state of all roles of a node that is alone, under the names that Milvus gives it. */
import type { Registry } from 'prom-client'
import type { NodeClock } from '../../edge/system.ts'
import type { TaskQueues } from '../../server/task-queue.ts'
import type { NodeCore } from '../core.ts'
import { coordinatorGauges } from './coordinator-gauges.ts'
import { dataGauges } from './data-gauges.ts'
import { NODE_ID } from './meter.ts'
import { proxyGauges } from './proxy-gauges.ts'
import { queryGauges } from './query-gauges.ts'
import { createGaugeSink, processGauges } from './sink.ts'

export interface GaugeOptions extends Pick<NodeCore, 'roles' | 'catalog' | 'watchdog' | 'ticks' | 'pchannels'> {
  readonly clock: NodeClock
  readonly queues: TaskQueues
  readonly compat: boolean
}

const ROLE_NAMES = ['rootcoord', 'datacoord', 'querycoord', 'proxy', 'datanode', 'querynode', 'indexnode']

export function registerGauges(registry: Registry, { roles, catalog, watchdog, ticks, pchannels, clock, queues, compat }: GaugeOptions): void {
  const sink = createGaugeSink({ registry, nodeId: NODE_ID })
  const data = () => (roles.dataNode.status() === 'healthy' ? roles.dataNode.current : undefined)
  const lastTicks = (): ReadonlyMap<string, bigint> => new Map(pchannels.map((name) => [name, ticks.lastTick(name)]))
  processGauges(sink, { roles: ROLE_NAMES, compat })
  coordinatorGauges(sink, { meta: () => catalog, pchannels, members: () => ({ proxies: 1, dataNodes: 1, queryNodes: 1 }) })
  dataGauges(sink, { clock, lastTicks, readTimes: () => data()?.readTimes() ?? new Map<string, bigint>(), bufferedBytes: () => data()?.bufferedBytes() ?? 0 })
  queryGauges(sink, { clock, meta: catalog, node: () => (roles.queryNode.status() === 'healthy' ? roles.queryNode.current : undefined) })
  proxyGauges(sink, { clock, queues, pchannels, lastTicks })
  sink.one('timetick_watchdog_components', 'Components under the watchdog.', () => watchdog.states.components.size)
  sink.many('timetick_watchdog_restarts', 'Restarts of a component.', ['component'], () => [...watchdog.states.components].map(([component, { restarts }]) => ({ labels: { component }, value: restarts })))
}
