#!/usr/bin/env node
/**
 * Writes the dashboard of a cluster for Grafana, docs/grafana/mini-milvus.json, from the metrics that its processes tell.
 * `--check` writes nothing, and fails where the file is another one.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../docs/grafana/mini-milvus.json', import.meta.url))

const rate = (name, by, labels = '') => `sum by (${by}) (rate(${name}${labels}[$__rate_interval]))`
const quantile = (q, name, by, labels = '') => `histogram_quantile(${q}, ${rate(`${name}_bucket`, `le, ${by}`, labels)})`
const latency = (name, by, legend, labels) => [[quantile(0.5, name, by, labels), `${legend} p50`], [quantile(0.99, name, by, labels), `${legend} p99`]]

/** By role: title, unit, and what is drawn: an expression with its legend. */
const ROWS = [
  ['Cluster', [
    ['Processes by role', 'short', [['max by (role) (timetick_cluster_members)', '{{role}}']]],
    ['Who leads', 'short', [['timetick_cluster_leading', '{{instance}}']]],
    ['Session of each process holds for', 'ms', [['timetick_cluster_lease_left_ms', '{{instance}}']]],
    ['Resident memory', 'bytes', [['process_resident_memory_bytes', '{{instance}}']]],
    ['Processors in use', 'short', [['rate(process_cpu_seconds_total[$__rate_interval])', '{{instance}}']]],
    ['Delay of the event loop, p99', 's', [['nodejs_eventloop_lag_p99_seconds', '{{instance}}']]],
  ]],
  ['Proxies', [
    ['Calls per second', 'reqps', [[rate('milvus_proxy_req_count', 'function_name', '{status="total"}'), '{{function_name}}']]],
    ['Calls that failed per second', 'reqps', [[rate('milvus_proxy_req_count', 'function_name', '{status="fail"}'), '{{function_name}}']]],
    ['Latency of searches and queries', 'ms', latency('milvus_proxy_sq_latency', 'query_type', '{{query_type}}')],
    ['Latency of writes', 'ms', latency('milvus_proxy_mutation_latency', 'msg_type', '{{msg_type}}')],
    ['Calls in queues', 'short', [['sum by (queue_type, task_state) (milvus_proxy_queue_task_num)', '{{queue_type}} {{task_state}}']]],
    ['Refused by a full queue per second', 'reqps', [[rate('milvus_proxy_queue_refused_total', 'queue_type'), '{{queue_type}}']]],
  ]],
  ['Coordinators', [
    ['Collections, partitions', 'short', [['max(milvus_rootcoord_collection_num)', 'collections'], ['sum(milvus_rootcoord_partition_num)', 'partitions']]],
    ['Segments', 'short', [['sum by (segment_state, segment_level) (milvus_datacoord_segment_num)', '{{segment_state}} {{segment_level}}']]],
    ['Rows and bytes that are stored', 'short', [['sum(milvus_datacoord_stored_rows_count)', 'rows'], ['sum(milvus_datacoord_stored_binlog_size)', 'bytes'], ['sum(milvus_datacoord_stored_index_files_size)', 'bytes of indexes']]],
    ['Definitions per second', 'reqps', [[rate('milvus_rootcoord_ddl_req_count', 'function_name', '{status="total"}'), '{{function_name}}']]],
    ['Index builds by state', 'short', [['sum by (index_task_status) (milvus_datacoord_index_task_num)', '{{index_task_status}}']]],
    ['Log that is still needed, by channel', 's', [['time() - max by (channel_name) (milvus_datacoord_channel_checkpoint_unix_seconds)', '{{channel_name}}']]],
  ]],
  ['Data nodes', [
    ['Channels by owner', 'short', [['timetick_cluster_channels', '{{instance}}']]],
    ['Bytes that no segment holds yet', 'bytes', [['timetick_cluster_buffered_bytes', '{{instance}}']]],
    ['Time lag by channel', 'ms', [['max by (channel_name) (milvus_datanode_consume_tt_lag_ms)', '{{channel_name}}']]],
    ['Flushes per second', 'ops', [[rate('milvus_datanode_flush_buffer_op_count', 'status'), '{{status}}']]],
    ['Rows flushed per second', 'short', [[rate('milvus_datanode_flushed_data_rows', 'segment_level'), '{{segment_level}}']]],
    ['Index builds per second', 'ops', [[rate('milvus_indexnode_index_task_count', 'status'), '{{status}}']]],
    ['Compactions', 'short', [['sum by (status) (milvus_datacoord_compaction_task_num)', '{{status}}']]],
    ['Duration of compactions', 'ms', latency('milvus_datanode_compaction_latency', 'compaction_type', '{{compaction_type}}')],
  ]],
  ['Query nodes', [
    ['Searches and queries per second', 'reqps', [[rate('milvus_querynode_sq_req_count', 'query_type, status'), '{{query_type}} {{status}}']]],
    ['Latency of searches and queries', 'ms', latency('milvus_querynode_sq_req_latency', 'query_type', '{{query_type}}')],
    ['Segments in memory', 'short', [['sum by (instance, segment_state) (milvus_querynode_segment_num)', '{{instance}} {{segment_state}}']]],
    ['Rows in memory', 'short', [['sum by (instance, segment_state) (milvus_querynode_entity_num)', '{{instance}} {{segment_state}}']]],
    ['Time lag by channel', 'ms', [['max by (instance, channel_name) (milvus_querynode_consume_tt_lag_ms)', '{{instance}} {{channel_name}}']]],
    ['Reads that run or wait', 'short', [['milvus_querynode_read_task_concurrency', '{{instance}} run'], ['milvus_querynode_read_task_unsolved_len', '{{instance}} wait']]],
  ]],
  ['Stores', [
    ['Metadata: calls per second', 'ops', [[rate('milvus_meta_op_count', 'meta_op_type', '{status="total"}'), '{{meta_op_type}}']]],
    ['Log: calls per second', 'ops', [[rate('milvus_msgstream_op_count', 'message_op_type', '{status="total"}'), '{{message_op_type}}']]],
    ['Objects: calls per second', 'ops', [[rate('milvus_storage_op_count', 'persistent_data_op_type', '{status="total"}'), '{{persistent_data_op_type}}']]],
    ['Metadata: latency', 'ms', latency('milvus_meta_request_latency', 'meta_op_type', '{{meta_op_type}}')],
    ['Log: latency', 'ms', latency('milvus_msgstream_request_latency', 'message_op_type', '{{message_op_type}}')],
    ['Objects: latency', 'ms', latency('milvus_storage_request_latency', 'persistent_data_op_type', '{{persistent_data_op_type}}')],
  ]],
]

const [COLUMNS, WIDTH, HEIGHT] = [3, 8, 8]
const datasource = { type: 'prometheus', uid: 'prometheus' }

function panelsOf() {
  const panels = []
  let y = 0
  for (const [role, drawn] of ROWS) {
    panels.push({ id: panels.length + 1, type: 'row', title: role, collapsed: false, panels: [], gridPos: { x: 0, y, w: COLUMNS * WIDTH, h: 1 } })
    y += 1
    for (const [index, [title, unit, targets]] of drawn.entries()) {
      const gridPos = { x: (index % COLUMNS) * WIDTH, y: y + Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT }
      const queries = targets.map(([expr, legendFormat], target) => ({ refId: String.fromCharCode(65 + target), datasource, expr, legendFormat }))
      panels.push({ id: panels.length + 1, type: 'timeseries', title, datasource, gridPos, fieldConfig: { defaults: { unit, min: 0 }, overrides: [] }, options: { tooltip: { mode: 'multi', sort: 'desc' } }, targets: queries })
    }
    y += Math.ceil(drawn.length / COLUMNS) * HEIGHT
  }
  return panels
}

const dashboard = { uid: 'mini-milvus', title: 'mini-milvus', tags: ['mini-milvus'], schemaVersion: 41, editable: true, refresh: '10s', time: { from: 'now-30m', to: 'now' }, timezone: 'browser', templating: { list: [] }, panels: panelsOf() }
const text = `${JSON.stringify(dashboard, null, 1)}\n`
if (!process.argv.includes('--check')) writeFileSync(file, text)
else if (readFileSync(file, 'utf8') !== text) {
  console.error('docs/grafana/mini-milvus.json is not what tools/dashboard.mjs writes: run node tools/dashboard.mjs')
  process.exitCode = 1
}
