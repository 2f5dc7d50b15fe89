/** What the changes of metadata tell: flushes, compactions, index builds. */
import type { MetaChange, MetaReader } from '../../coordinator/api.ts'
import type { SegmentMeta } from '../../model/meta.ts'
import type { Meter } from './meter.ts'

/** @param concerns where others count the rest. @returns how to stop listening */
export function countChanges(meta: MetaReader, meter: Meter, concerns: (segment: SegmentMeta) => boolean = () => true): () => void {
  return meta.onChange((change) => {
    if (change.kind === 'segment' && change.after !== undefined && concerns(change.after)) countSegment(change, meter)
  })
}

function countSegment({ before, after }: Extract<MetaChange, { kind: 'segment' }>, meter: Meter): void {
  if (after === undefined) return
  if (before === undefined) {
    meter.count('milvus_datanode_flush_buffer_op_count', { node_id: meter.nodeId, status: 'total', segment_level: after.level })
    meter.count('milvus_datanode_flush_buffer_op_count', { node_id: meter.nodeId, status: 'success', segment_level: after.level })
    meter.count('milvus_datanode_flushed_data_size', { node_id: meter.nodeId, segment_level: after.level }, after.bytes)
    meter.count('milvus_datanode_flushed_data_rows', { node_id: meter.nodeId, segment_level: after.level }, after.rows)
    return
  }
  for (const { indexId, state } of after.indexes) {
    if (state === 'building' || before.indexes.some((known) => known.indexId === indexId && known.state === state)) continue
    for (const status of ['total', state === 'finished' ? 'success' : 'fail']) {
      meter.count('milvus_indexnode_index_task_count', { node_id: meter.nodeId, status })
      meter.count('milvus_datacoord_index_req_count', { index_req_type: 'build', status })
    }
  }
}
