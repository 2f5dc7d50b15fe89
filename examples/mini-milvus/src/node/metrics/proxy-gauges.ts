/** What a proxy tells of its queues, and of the channels that its writes go to. */
import { parseTimestamp } from '@timetick/tso'
import type { NodeClock } from '../../edge/system.ts'
import type { TaskQueues } from '../../server/task-queue.ts'
import { lags } from './lags.ts'
import type { GaugeSink } from './sink.ts'

export interface ProxyGaugeOptions {
  readonly clock: Pick<NodeClock, 'now'>
  readonly queues: TaskQueues
  readonly pchannels: readonly string[]
  /** By channel, the last tick that this process knows of. */
  readonly lastTicks: () => ReadonlyMap<string, bigint>
}

export function proxyGauges(sink: GaugeSink, { clock, queues, pchannels, lastTicks }: ProxyGaugeOptions): void {
  const { ofNode, many, nodeId } = sink
  const states = () => Object.values(queues).map((queue) => queue.state)
  many('milvus_proxy_queue_task_num', 'Calls by queue and state.', ['node_id', 'queue_type', 'task_state'], () =>
    states().flatMap(({ kind, running, waiting }) => [
      { labels: { node_id: nodeId, queue_type: kind, task_state: 'active' }, value: running },
      { labels: { node_id: nodeId, queue_type: kind, task_state: 'unissued' }, value: waiting },
    ]),
  )
  many('milvus_proxy_queue_wait_ms_total', 'Time that calls waited in their queue.', ['node_id', 'queue_type'], () => states().map(({ kind, waitMs }) => ({ labels: { node_id: nodeId, queue_type: kind }, value: waitMs })))
  many('milvus_proxy_queue_refused_total', 'Calls refused because their queue was full.', ['node_id', 'queue_type'], () => states().map(({ kind, refused }) => ({ labels: { node_id: nodeId, queue_type: kind }, value: refused })))
  ofNode('milvus_querynode_read_task_unsolved_len', 'Reads that wait.', () => queues.dql.state.waiting)
  ofNode('milvus_querynode_read_task_ready_len', 'Reads that wait.', () => queues.dql.state.waiting)
  ofNode('milvus_querynode_read_task_concurrency', 'Reads that run.', () => queues.dql.state.running)
  ofNode('milvus_proxy_msgstream_obj_num', 'Log channels that are written.', () => pchannels.length)
  many('milvus_proxy_tt_lag_ms', 'How far ticks are behind the wall clock.', ['node_id', 'channel_name'], () => lags(sink, lastTicks(), clock))
  many('milvus_proxy_sync_epoch_time', 'Wall time of the last tick, ms.', ['node_id', 'channel_name'], () =>
    [...lastTicks()].map(([channel_name, ts]) => ({ labels: { node_id: nodeId, channel_name }, value: parseTimestamp(ts).physicalMs })),
  )
}
