/** What a query node tells of what it holds, and of how far it has read. */
import { systemUsage, type NodeClock } from '../../edge/system.ts'
import type { MetaReader } from '../../coordinator/api.ts'
import type { QueryNodeApi } from '../../querynode/api.ts'
import { lags } from './lags.ts'
import type { GaugeSink } from './sink.ts'

export interface QueryGaugeOptions {
  readonly clock: Pick<NodeClock, 'now'>
  readonly meta: Pick<MetaReader, 'collections' | 'load' | 'segment'>
  /** The one that runs, if one does. */
  readonly node: () => Pick<QueryNodeApi, 'loadProgress' | 'segments' | 'serviceTimes'> | undefined
}

export function queryGauges(sink: GaugeSink, { clock, meta, node }: QueryGaugeOptions): void {
  const { ofNode, many, nodeId } = sink
  const loaded = (): readonly bigint[] => meta.collections().flatMap(({ id }) => (node()?.loadProgress(id) === undefined ? [] : [id]))
  const segments = () => loaded().flatMap((id) => node()?.segments(id) ?? [])
  const times = (): ReadonlyMap<string, bigint> => node()?.serviceTimes() ?? new Map<string, bigint>()
  const sealed = { node_id: nodeId, segment_state: 'Sealed' }
  const ofSealed = ['node_id', 'segment_state']
  ofNode('milvus_querynode_collection_num', 'Loaded collections.', () => loaded().length)
  ofNode('milvus_querynode_partition_num', 'Loaded partitions.', () => loaded().reduce((sum, id) => sum + (meta.load(id)?.partitionIds.length ?? 0), 0))
  many('milvus_querynode_segment_num', 'Segments in memory.', ofSealed, () => [{ labels: sealed, value: segments().length }])
  many('milvus_querynode_entity_num', 'Rows in memory.', ofSealed, () => [{ labels: sealed, value: segments().reduce((sum, { rows }) => sum + rows, 0) }])
  many('milvus_querynode_entity_size', 'Bytes of segments in memory.', ofSealed, () => [{ labels: sealed, value: segments().reduce((sum, { segmentId }) => sum + (meta.segment(segmentId)?.bytes ?? 0), 0) }])
  ofNode('milvus_querynode_dml_vchannel_num', 'Log channels that are read.', () => times().size)
  ofNode('milvus_querynode_consumer_num', 'Log channels that are read.', () => times().size)
  ofNode('milvus_querynode_flowgraph_num', 'Flow graphs.', () => times().size)
  many('milvus_querynode_consume_tt_lag_ms', 'How far reads are behind.', ['node_id', 'msg_type', 'channel_name'], () => lags(sink, times(), clock, { msg_type: 'all' }))
  many('milvus_querynode_msg_dispatcher_tt_lag_ms', 'How far reads are behind.', ['node_id', 'channel_name'], () => lags(sink, times(), clock))
  ofNode('milvus_querynode_estimate_cpu_usage', 'Processors of the machine.', () => systemUsage().processors)
}
