/** Numbers of a graph in Prometheus's text format (0.0.4). */
import { checkName } from './arguments.ts'
import type { TimeTickedFlowGraph } from './graph.ts'
import type { NodeStates } from './states.ts'

export interface GraphMetricsOptions {
  /** The label `graph`. @default 'default' */
  readonly graph?: string | undefined
}

type Metric = readonly [name: string, type: 'counter' | 'gauge', help: string, read: (states: NodeStates) => number]

/** Ticks are shown as their milliseconds (hybrid timestamps, ms << 18): a double cannot hold more. */
const metrics: readonly Metric[] = [
  ['active_tasks', 'gauge', 'Ticks in operate now.', ({ active }) => active],
  ['completed_total', 'counter', 'Ticks that operate answered.', ({ completed }) => completed],
  ['skipped_total', 'counter', 'Ticks that passed by.', ({ skipped }) => skipped],
  ['failed_total', 'counter', 'Ticks that were given up.', ({ failed }) => failed],
  ['retried_total', 'counter', 'Calls of operate after a failure.', ({ retried }) => retried],
  ['queue_messages', 'gauge', 'Messages on input edges.', ({ queueDepth }) => queueDepth],
  ['queue_bytes', 'gauge', 'Bytes on input edges.', ({ queueBytes }) => queueBytes],
  ['frontier_ms', 'gauge', 'Physical part of the last tick that left.', ({ frontier }) => milliseconds(frontier)],
  ['last_tick_ms', 'gauge', 'Physical part of the last tick that began.', ({ lastTick }) => milliseconds(lastTick)],
  ['tt_lag_ms', 'gauge', 'How far the frontier is behind the newest tick of a source.', ({ lagMs }) => lagMs],
  ['busy_ms_total', 'counter', 'Time with at least one operate at work.', ({ busyMs }) => busyMs],
]

/** All nodes' states as text; each name begins with `timetick_flowgraph_`. Ends with a line feed; texts of graphs must not be joined as they are. */
export function graphMetrics({ states }: Pick<TimeTickedFlowGraph, 'states'>, options: GraphMetricsOptions = {}): string {
  const graph = escape(checkName('graph', options.graph ?? 'default'))
  const nodes = [...states.nodes].map(([name, node]) => [escape(name), node] as const)
  const lines = metrics.flatMap(([name, type, help, read]) => [
    `# HELP timetick_flowgraph_${name} ${help}`,
    `# TYPE timetick_flowgraph_${name} ${type}`,
    ...nodes.map(([node, itsStates]) => `timetick_flowgraph_${name}{graph="${graph}",node="${node}"} ${read(itsStates)}`),
  ])
  return `${lines.join('\n')}\n`
}

function milliseconds(tick: bigint): number {
  return tick < 0n ? -1 : Number(tick >> 18n)
}

function escape(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
