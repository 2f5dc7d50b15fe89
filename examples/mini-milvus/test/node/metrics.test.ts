/** Metrics under Milvus's names: so many of its dashboard's panels have data after a short use. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestNode, type TestNode } from '../e2e/support.ts'

/** Families that panels of Milvus's dashboard draw, and this node fills. Each is at least one panel. */
const PANELS = [
  'go_info', 'milvus_num_node', 'milvus_build_info', 'process_resident_memory_bytes', 'process_cpu_seconds_total', 'process_open_fds',
  'milvus_rootcoord_collection_num', 'milvus_rootcoord_partition_num', 'milvus_rootcoord_proxy_num', 'milvus_rootcoord_dml_channel_num', 'milvus_rootcoord_msgstream_obj_num',
  'milvus_rootcoord_timestamp', 'milvus_rootcoord_timestamp_saved', 'milvus_rootcoord_produce_tt_lag_ms', 'milvus_rootcoord_entity_num', 'milvus_rootcoord_ddl_req_count', 'milvus_rootcoord_ddl_req_latency_bucket',
  'milvus_querycoord_collection_num', 'milvus_querycoord_partition_num', 'milvus_querycoord_querynode_num', 'milvus_querycoord_load_req_count', 'milvus_querycoord_load_latency_bucket',
  'milvus_querycoord_release_req_count', 'milvus_querycoord_release_latency_bucket',
  'milvus_datacoord_segment_num', 'milvus_datacoord_collection_num', 'milvus_datacoord_stored_binlog_size', 'milvus_datacoord_stored_rows_num', 'milvus_datacoord_stored_rows_count',
  'milvus_datacoord_stored_index_files_size', 'milvus_datacoord_datanode_num', 'milvus_datacoord_index_node_num', 'milvus_datacoord_index_task_num', 'milvus_datacoord_index_req_count',
  'milvus_datacoord_channel_checkpoint_unix_seconds', 'milvus_datacoord_consume_datanode_tt_lag_ms',
  'milvus_datanode_flowgraph_num', 'milvus_datanode_consumer_num', 'milvus_datanode_producer_num', 'milvus_datanode_entity_buffer_size', 'milvus_datanode_unflushed_segment_num',
  'milvus_datanode_consume_tt_lag_ms', 'milvus_datanode_msg_dispatcher_tt_lag_ms', 'milvus_datanode_flush_buffer_op_count', 'milvus_datanode_flushed_data_size', 'milvus_datanode_flushed_data_rows',
  'milvus_indexnode_index_task_count',
  'milvus_querynode_collection_num', 'milvus_querynode_partition_num', 'milvus_querynode_segment_num', 'milvus_querynode_entity_num', 'milvus_querynode_entity_size', 'milvus_querynode_dml_vchannel_num',
  'milvus_querynode_consumer_num', 'milvus_querynode_flowgraph_num', 'milvus_querynode_consume_tt_lag_ms', 'milvus_querynode_msg_dispatcher_tt_lag_ms', 'milvus_querynode_read_task_unsolved_len',
  'milvus_querynode_read_task_ready_len', 'milvus_querynode_read_task_concurrency', 'milvus_querynode_sq_req_count', 'milvus_querynode_sq_req_latency_bucket',
  'milvus_proxy_req_count', 'milvus_proxy_req_latency_bucket', 'milvus_proxy_sq_latency_bucket', 'milvus_proxy_mutation_latency_bucket', 'milvus_proxy_msgstream_obj_num', 'milvus_proxy_tt_lag_ms',
  'milvus_proxy_sync_epoch_time', 'milvus_proxy_queue_task_num',
  'milvus_meta_op_count', 'milvus_meta_request_latency_bucket', 'milvus_storage_op_count', 'milvus_storage_request_latency_bucket', 'milvus_msgstream_op_count', 'milvus_msgstream_request_latency_bucket',
]

let test: TestNode
let page = ''
const collection_name = 'metered'

beforeAll(async () => {
  test = await startTestNode({ inMemory: true, metricsPort: 0 })
  const { client } = test
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: 5, is_primary_key: true },
      { name: 'vec', data_type: 101, dim: 4 },
    ],
    index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }],
    consistency_level: 'Strong',
  })
  await client.loadCollectionSync({ collection_name })
  await client.insert({ collection_name, data: Array.from({ length: 50 }, (_, id) => ({ id, vec: [id, 0, 0, 0] })) })
  await client.flushSync({ collection_names: [collection_name] })
  await client.search({ collection_name, data: [1, 0, 0, 0], limit: 3 })
  await client.query({ collection_name, filter: 'id < 3' })
  await client.search({ collection_name: 'missing', data: [1, 0, 0, 0], limit: 3 }).catch(() => undefined)
  await vi.waitFor(
    async () => {
      page = await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text()
      expect(page).toContain('milvus_datacoord_index_req_count{')
      expect(page).toContain('milvus_datacoord_channel_checkpoint_unix_seconds{')
    },
    { timeout: 25_000, interval: 100 },
  )
  await client.releaseCollection({ collection_name })
  page = await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text()
})
afterAll(() => test?.close())

function samples(name: string): string[] {
  return page.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
}

describe('metrics', () => {
  it('fill at least 60 panels of Milvus’s dashboard', () => {
    expect(PANELS.filter((name) => samples(name).length === 0)).toEqual([])
    expect(new Set(PANELS).size).toBeGreaterThanOrEqual(60)
  })

  it('count calls by function and outcome, in milliseconds', () => {
    expect(samples('milvus_proxy_req_count').join('\n')).toMatch(/function_name="Search",status="total"\} 1/)
    expect(samples('milvus_proxy_req_count').join('\n')).toMatch(/function_name="DescribeCollection",status="fail"\} 1/)
    expect(samples('milvus_proxy_sq_latency_count').join('\n')).toMatch(/query_type="search"\} 1/)
    expect(samples('milvus_proxy_mutation_latency_count').join('\n')).toMatch(/msg_type="insert"\} 1/)
    expect(samples('milvus_datacoord_stored_rows_count')).toEqual(['milvus_datacoord_stored_rows_count 50'])
    expect(samples('milvus_datanode_flushed_data_rows').join('\n')).toMatch(/segment_level="L1"\} 50/)
  })

  it('say how full the queues are', () => {
    for (const kind of ['ddl', 'dml', 'dql']) expect(samples('milvus_proxy_queue_task_num').join('\n')).toContain(`queue_type="${kind}",task_state="active"} 0`)
    expect(samples('milvus_proxy_queue_wait_ms_total')).toHaveLength(3)
  })
})

describe('health', () => {
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(`http://${test.node.metricsAddress}${path}`, { headers })

  it('is OK, or JSON with every component', async () => {
    expect(await (await get('/healthz')).text()).toBe('OK')
    const detail = (await (await get('/healthz', { 'Content-Type': 'application/json' })).json()) as { state: string; detail: { name: string; code: string }[] }
    expect(detail.state).toBe('OK')
    expect(detail.detail.map(({ code }) => code)).toEqual(detail.detail.map(() => 'Healthy'))
  })

  it('answers probes', async () => {
    expect((await get('/livez')).status).toBe(200)
    expect((await get('/readyz')).status).toBe(200)
    expect((await get('/nothing')).status).toBe(404)
    expect((await fetch(`http://${test.node.metricsAddress}/healthz`, { method: 'POST' })).status).toBe(405)
  })
})
