/** What a data node tells of the channels that it reads, and of the ticks that are written to them. */
import { parseTimestamp } from '@timetick/tso'
import type { NodeClock } from '../../edge/system.ts'
import { lags } from './lags.ts'
import type { GaugeSink } from './sink.ts'

export interface DataGaugeOptions {
  readonly clock: Pick<NodeClock, 'now'>
  /** By channel, how far the log was read. */
  readonly readTimes: () => ReadonlyMap<string, bigint>
  readonly bufferedBytes: () => number
  /** By channel, the last tick that was written; 0n before the first. */
  readonly lastTicks: () => ReadonlyMap<string, bigint>
}

export function dataGauges(sink: GaugeSink, { clock, readTimes, bufferedBytes, lastTicks }: DataGaugeOptions): void {
  const { one, ofNode, many } = sink
  const latest = (): bigint => [...lastTicks().values()].reduce((max, ts) => (ts > max ? ts : max), 0n)
  one('milvus_rootcoord_timestamp', 'The last timestamp of a tick.', () => Number(latest()))
  one('milvus_rootcoord_timestamp_saved', 'The wall time of the last tick, ms.', () => parseTimestamp(latest()).physicalMs)
  one('milvus_rootcoord_produce_tt_lag_ms', 'How far the last tick is behind the wall clock.', () => (latest() === 0n ? 0 : Math.max(0, clock.now() - parseTimestamp(latest()).physicalMs)))
  many('milvus_datacoord_consume_datanode_tt_lag_ms', 'How far the data node is behind.', ['node_id', 'channel_name'], () => lags(sink, readTimes(), clock))
  ofNode('milvus_datanode_flowgraph_num', 'Flow graphs.', () => readTimes().size)
  ofNode('milvus_datanode_consumer_num', 'Log channels that are read.', () => readTimes().size)
  ofNode('milvus_datanode_producer_num', 'Log channels that are written.', () => lastTicks().size)
  ofNode('milvus_datanode_entity_buffer_size', 'Bytes that are in the log but not in segments.', bufferedBytes)
  one('milvus_datanode_flush_buffer_bytes', 'Bytes that are in the log but not in segments.', bufferedBytes)
  ofNode('milvus_datanode_unflushed_segment_num', 'Shards with unflushed rows.', () => (bufferedBytes() > 0 ? 1 : 0))
  many('milvus_datanode_consume_tt_lag_ms', 'How far the data node is behind.', ['node_id', 'msg_type', 'channel_name'], () => lags(sink, readTimes(), clock, { msg_type: 'all' }))
  many('milvus_datanode_msg_dispatcher_tt_lag_ms', 'How far the data node is behind.', ['node_id', 'channel_name'], () => lags(sink, readTimes(), clock))
}
