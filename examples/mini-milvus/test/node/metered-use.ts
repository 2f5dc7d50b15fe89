/** A short use of a node, and what its metrics tell then. */
import type { MilvusClient } from '@zilliz/milvus2-sdk-node'

export const collection_name = 'metered'

/** Families that panels of Milvus's dashboard draw, and this node fills. Each is at least one panel. */
export const PANELS = [
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
  'milvus_indexnode_index_task_count', 'milvus_datacoord_compaction_task_num', 'milvus_datanode_compaction_latency_bucket',
  'milvus_querynode_collection_num', 'milvus_querynode_partition_num', 'milvus_querynode_segment_num', 'milvus_querynode_entity_num', 'milvus_querynode_entity_size', 'milvus_querynode_dml_vchannel_num',
  'milvus_querynode_consumer_num', 'milvus_querynode_flowgraph_num', 'milvus_querynode_consume_tt_lag_ms', 'milvus_querynode_msg_dispatcher_tt_lag_ms', 'milvus_querynode_read_task_unsolved_len',
  'milvus_querynode_read_task_ready_len', 'milvus_querynode_read_task_concurrency', 'milvus_querynode_sq_req_count', 'milvus_querynode_sq_req_latency_bucket',
  'milvus_proxy_req_count', 'milvus_proxy_req_latency_bucket', 'milvus_proxy_sq_latency_bucket', 'milvus_proxy_mutation_latency_bucket', 'milvus_proxy_msgstream_obj_num', 'milvus_proxy_tt_lag_ms',
  'milvus_proxy_sync_epoch_time', 'milvus_proxy_queue_task_num',
  'milvus_meta_op_count', 'milvus_meta_request_latency_bucket', 'milvus_storage_op_count', 'milvus_storage_request_latency_bucket', 'milvus_msgstream_op_count', 'milvus_msgstream_request_latency_bucket',
]

export async function useNode(client: MilvusClient): Promise<void> {
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
}

/** Deleted rows go from their segment. */
export async function compactNode(client: MilvusClient): Promise<void> {
  await client.delete({ collection_name, ids: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] })
  await client.flushSync({ collection_names: [collection_name] })
  await client.compact({ collection_name })
}

export function samplesOf(page: string, name: string): string[] {
  return page.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
}
