/** What is read when somebody asks: the state of every role, under the names that Milvus gives it. */
import { Gauge, type Registry } from 'prom-client'
import { parseTimestamp } from '@timetick/tso'
import type { NodeClock } from '../../edge/system.ts'
import { systemUsage } from '../../edge/system.ts'
import type { SegmentMeta } from '../../model/meta.ts'
import type { TaskQueues } from '../../server/task-queue.ts'
import { version } from '../../version.ts'
import type { NodeCore } from '../core.ts'
import { NODE_ID } from './meter.ts'

export interface GaugeOptions extends Pick<NodeCore, 'roles' | 'catalog' | 'watchdog' | 'ticks' | 'pchannels'> {
  readonly clock: NodeClock
  readonly queues: TaskQueues
  /** Milvus's dashboard finds its nodes by `go_info`, which a node in JavaScript has not. */
  readonly compat: boolean
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly value: number
}

export function registerGauges(registry: Registry, options: GaugeOptions): void {
  const gauge = (name: string, help: string, labelNames: readonly string[], read: () => readonly Sample[]): void => {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        for (const { labels, value } of read()) this.set(labels ?? {}, value)
      },
    })
  }
  const one = (name: string, help: string, read: () => number): void => gauge(name, help, [], () => [{ value: read() }])
  const ofNode = (name: string, help: string, read: () => number): void => gauge(name, help, ['node_id'], () => [{ labels: { node_id: NODE_ID }, value: read() }])
  if (options.compat) gauge('go_info', 'Stands in for Go, so that dashboards find this node.', ['version'], () => [{ labels: { version: `none, Node ${process.version}` }, value: 1 }])
  gauge('milvus_build_info', 'Version.', ['version', 'built', 'git_commit'], () => [{ labels: { version, built: '', git_commit: '' }, value: 1 }])
  gauge('milvus_num_node', 'Nodes by role.', ['node_id', 'role_name'], () => ROLE_NAMES.map((role_name) => ({ labels: { node_id: NODE_ID, role_name }, value: 1 })))
  coordinator(one, gauge, options)
  dataSide(one, ofNode, gauge, options)
  querySide(ofNode, gauge, options)
  proxy(ofNode, gauge, options)
}

type One = (name: string, help: string, read: () => number) => void
type Many = (name: string, help: string, labelNames: readonly string[], read: () => readonly Sample[]) => void

const ROLE_NAMES = ['rootcoord', 'datacoord', 'querycoord', 'proxy', 'datanode', 'querynode', 'indexnode']

function coordinator(one: One, many: Many, { catalog, watchdog, pchannels, ticks, clock }: GaugeOptions): void {
  const lastTick = (): bigint => pchannels.reduce((max, channel) => (ticks.lastTick(channel) > max ? ticks.lastTick(channel) : max), 0n)
  const partitions = (): number => catalog.collections().reduce((sum, collection) => sum + collection.partitions.length, 0)
  one('milvus_rootcoord_collection_num', 'Collections.', () => catalog.collections().length)
  one('milvus_rootcoord_partition_num', 'Partitions.', partitions)
  one('milvus_rootcoord_proxy_num', 'Proxies.', () => 1)
  one('milvus_rootcoord_dml_channel_num', 'Log channels.', () => pchannels.length)
  one('milvus_rootcoord_msgstream_obj_num', 'Log channels that are open for writing.', () => pchannels.length)
  one('milvus_rootcoord_timestamp', 'The last timestamp of a tick.', () => Number(lastTick()))
  one('milvus_rootcoord_timestamp_saved', 'The wall time of the last tick, ms.', () => parseTimestamp(lastTick()).physicalMs)
  one('milvus_rootcoord_produce_tt_lag_ms', 'How far the last tick is behind the wall clock.', () => Math.max(0, clock.now() - parseTimestamp(lastTick()).physicalMs))
  many('milvus_rootcoord_entity_num', 'Flushed rows.', ['db_name', 'collection_name'], () => perCollection(catalog, (rows) => rows.reduce((sum, segment) => sum + segment.rows, 0)))
  one('milvus_querycoord_collection_num', 'Collections that are to be loaded.', () => catalog.collections().filter(({ id }) => catalog.load(id) !== undefined).length)
  one('milvus_querycoord_partition_num', 'Partitions that are to be loaded.', () => catalog.collections().reduce((sum, { id }) => sum + (catalog.load(id)?.partitionIds.length ?? 0), 0))
  one('milvus_querycoord_querynode_num', 'Query nodes.', () => 1)
  one('milvus_querycoord_task_num', 'Collections that load.', () => 0)
  one('timetick_watchdog_components', 'Components under the watchdog.', () => watchdog.states.components.size)
  many('timetick_watchdog_restarts', 'Restarts of a component.', ['component'], () => [...watchdog.states.components].map(([component, { restarts }]) => ({ labels: { component }, value: restarts })))
}

function dataSide(one: One, ofNode: One, many: Many, { catalog, roles, pchannels, clock }: GaugeOptions): void {
  const rows = (): SegmentMeta[] => catalog.collections().flatMap(({ id }) => catalog.segments(id).filter(({ level }) => level === 'L1'))
  const bytes = (): number => rows().reduce((sum, segment) => sum + segment.bytes, 0)
  const indexed = (): SegmentMeta[] => rows().filter(({ indexes }) => indexes.some(({ state }) => state === 'finished'))
  const data = <T>(read: (node: typeof roles.dataNode.current) => T, otherwise: T): T => (roles.dataNode.status() === 'healthy' ? read(roles.dataNode.current) : otherwise)
  many('milvus_datacoord_segment_num', 'Segments.', ['segment_state', 'segment_level'], () => [{ labels: { segment_state: 'Flushed', segment_level: 'L1' }, value: rows().length }])
  one('milvus_datacoord_collection_num', 'Collections.', () => catalog.collections().length)
  many('milvus_datacoord_stored_binlog_size', 'Bytes of segments.', ['db_name', 'collection_name'], () => perCollection(catalog, (own) => own.reduce((sum, segment) => sum + segment.bytes, 0)))
  many('milvus_datacoord_stored_rows_num', 'Rows of segments.', ['db_name', 'collection_name'], () => perCollection(catalog, (own) => own.reduce((sum, segment) => sum + segment.rows, 0)))
  one('milvus_datacoord_stored_rows_count', 'Rows of segments.', () => rows().reduce((sum, segment) => sum + segment.rows, 0))
  one('milvus_datacoord_stored_index_files_size', 'Bytes of indexes.', () => rows().reduce((sum, { indexes }) => sum + indexes.reduce((own, index) => own + index.bytes, 0), 0))
  one('milvus_datacoord_datanode_num', 'Data nodes.', () => 1)
  one('milvus_datacoord_index_node_num', 'Index nodes.', () => 1)
  many('milvus_datacoord_index_task_num', 'Index builds by state.', ['index_task_status'], () => [
    { labels: { index_task_status: 'finished' }, value: indexed().length },
    { labels: { index_task_status: 'unissued' }, value: rows().length - indexed().length },
  ])
  many('milvus_datacoord_channel_checkpoint_unix_seconds', 'From where the log is still needed.', ['node_id', 'channel_name'], () =>
    pchannels.flatMap((channel_name) => {
      const seconds = checkpointSeconds(catalog.checkpoint(channel_name))
      return seconds === undefined ? [] : [{ labels: { node_id: NODE_ID, channel_name }, value: seconds }]
    }),
  )
  many('milvus_datacoord_consume_datanode_tt_lag_ms', 'How far the data node is behind.', ['node_id', 'channel_name'], () => lags(data((node) => node.readTimes(), new Map<string, bigint>()), clock))
  ofNode('milvus_datanode_flowgraph_num', 'Flow graphs.', () => data((node) => node.readTimes().size, 0))
  ofNode('milvus_datanode_consumer_num', 'Log channels that are read.', () => data((node) => node.readTimes().size, 0))
  ofNode('milvus_datanode_producer_num', 'Log channels that are written.', () => pchannels.length)
  ofNode('milvus_datanode_entity_buffer_size', 'Bytes that are in the log but not in segments.', () => data((node) => node.bufferedBytes(), 0))
  one('milvus_datanode_flush_buffer_bytes', 'Bytes that are in the log but not in segments.', () => data((node) => node.bufferedBytes(), 0))
  ofNode('milvus_datanode_unflushed_segment_num', 'Shards with unflushed rows.', () => data((node) => (node.bufferedBytes() > 0 ? 1 : 0), 0))
  many('milvus_datanode_consume_tt_lag_ms', 'How far the data node is behind.', ['node_id', 'msg_type', 'channel_name'], () => lags(data((node) => node.readTimes(), new Map<string, bigint>()), clock, { msg_type: 'all' }))
  many('milvus_datanode_msg_dispatcher_tt_lag_ms', 'How far the data node is behind.', ['node_id', 'channel_name'], () => lags(data((node) => node.readTimes(), new Map<string, bigint>()), clock))
  one('milvus_storage_kv_size', 'Bytes of segments.', bytes)
}

function querySide(ofNode: One, many: Many, { catalog, roles, clock }: GaugeOptions): void {
  const isUp = (): boolean => roles.queryNode.status() === 'healthy'
  const loaded = (): readonly bigint[] => catalog.collections().map(({ id }) => id).filter((id) => isUp() && roles.queryNode.current.loadProgress(id) !== undefined)
  const segments = () => loaded().flatMap((id) => roles.queryNode.current.segments(id))
  const times = (): ReadonlyMap<string, bigint> => (isUp() ? roles.queryNode.current.serviceTimes() : new Map<string, bigint>())
  ofNode('milvus_querynode_collection_num', 'Loaded collections.', () => loaded().length)
  ofNode('milvus_querynode_partition_num', 'Loaded partitions.', () => loaded().reduce((sum, id) => sum + (catalog.load(id)?.partitionIds.length ?? 0), 0))
  many('milvus_querynode_segment_num', 'Segments in memory.', ['node_id', 'segment_state'], () => [{ labels: { node_id: NODE_ID, segment_state: 'Sealed' }, value: segments().length }])
  many('milvus_querynode_entity_num', 'Rows in memory.', ['node_id', 'segment_state'], () => [{ labels: { node_id: NODE_ID, segment_state: 'Sealed' }, value: segments().reduce((sum, { rows }) => sum + rows, 0) }])
  many('milvus_querynode_entity_size', 'Bytes of segments in memory.', ['node_id', 'segment_state'], () => [
    { labels: { node_id: NODE_ID, segment_state: 'Sealed' }, value: segments().reduce((sum, { segmentId }) => sum + (catalog.segment(segmentId)?.bytes ?? 0), 0) },
  ])
  ofNode('milvus_querynode_dml_vchannel_num', 'Log channels that are read.', () => times().size)
  ofNode('milvus_querynode_consumer_num', 'Log channels that are read.', () => times().size)
  ofNode('milvus_querynode_flowgraph_num', 'Flow graphs.', () => times().size)
  many('milvus_querynode_consume_tt_lag_ms', 'How far reads are behind.', ['node_id', 'msg_type', 'channel_name'], () => lags(times(), clock, { msg_type: 'all' }))
  many('milvus_querynode_msg_dispatcher_tt_lag_ms', 'How far reads are behind.', ['node_id', 'channel_name'], () => lags(times(), clock))
  ofNode('milvus_querynode_estimate_cpu_usage', 'Processors of the machine.', () => systemUsage().processors)
}

function proxy(ofNode: One, many: Many, { queues, ticks, pchannels, clock }: GaugeOptions): void {
  const states = () => Object.values(queues).map((queue) => queue.state)
  many('milvus_proxy_queue_task_num', 'Calls by queue and state.', ['node_id', 'queue_type', 'task_state'], () =>
    states().flatMap(({ kind, running, waiting }) => [
      { labels: { node_id: NODE_ID, queue_type: kind, task_state: 'active' }, value: running },
      { labels: { node_id: NODE_ID, queue_type: kind, task_state: 'unissued' }, value: waiting },
    ]),
  )
  many('milvus_proxy_queue_wait_ms_total', 'Time that calls waited in their queue.', ['node_id', 'queue_type'], () => states().map(({ kind, waitMs }) => ({ labels: { node_id: NODE_ID, queue_type: kind }, value: waitMs })))
  many('milvus_proxy_queue_refused_total', 'Calls refused because their queue was full.', ['node_id', 'queue_type'], () => states().map(({ kind, refused }) => ({ labels: { node_id: NODE_ID, queue_type: kind }, value: refused })))
  ofNode('milvus_querynode_read_task_unsolved_len', 'Reads that wait.', () => queues.dql.state.waiting)
  ofNode('milvus_querynode_read_task_ready_len', 'Reads that wait.', () => queues.dql.state.waiting)
  ofNode('milvus_querynode_read_task_concurrency', 'Reads that run.', () => queues.dql.state.running)
  ofNode('milvus_proxy_msgstream_obj_num', 'Log channels that are written.', () => pchannels.length)
  many('milvus_proxy_tt_lag_ms', 'How far ticks are behind the wall clock.', ['node_id', 'channel_name'], () => lags(new Map(pchannels.map((name) => [name, ticks.lastTick(name)])), clock))
  many('milvus_proxy_sync_epoch_time', 'Wall time of the last tick, ms.', ['node_id', 'channel_name'], () =>
    pchannels.map((channel_name) => ({ labels: { node_id: NODE_ID, channel_name }, value: parseTimestamp(ticks.lastTick(channel_name)).physicalMs })),
  )
}

/** Of the first so many collections: labels that grow without end would be the monitoring's end. */
const MAX_COLLECTIONS = 200

function perCollection(catalog: GaugeOptions['catalog'], read: (rows: readonly SegmentMeta[]) => number): Sample[] {
  return catalog
    .collections()
    .slice(0, MAX_COLLECTIONS)
    .map(({ id, dbName, schema }) => ({ labels: { db_name: dbName, collection_name: schema.name }, value: read(catalog.segments(id).filter(({ level }) => level === 'L1')) }))
}

function lags(times: ReadonlyMap<string, bigint>, clock: NodeClock, labels: Readonly<Record<string, string>> = {}): Sample[] {
  return [...times].filter(([, ts]) => ts > 0n).map(([channel_name, ts]) => ({ labels: { node_id: NODE_ID, channel_name, ...labels }, value: Math.max(0, clock.now() - parseTimestamp(ts).physicalMs) }))
}

function checkpointSeconds(json: string | undefined): number | undefined {
  if (json === undefined) return undefined
  const { timestamp } = JSON.parse(json) as { timestamp?: string }
  return timestamp === undefined ? undefined : Math.floor(parseTimestamp(BigInt(timestamp)).physicalMs / 1000)
}
