/** Reads of a query node, counted and timed. */
import type { Meter } from './meter.ts'

export type ReadKind = 'search' | 'query'

export function watchRead<T>(meter: Meter | undefined, query_type: ReadKind, run: () => Promise<T>): Promise<T> {
  if (meter === undefined) return run()
  return meter.watch(run, (status, ms) => {
    const base = { node_id: meter.nodeId, query_type }
    meter.count('milvus_querynode_sq_req_count', { ...base, status: 'total', scope: 'all' })
    meter.count('milvus_querynode_sq_req_count', { ...base, status, scope: 'all' })
    meter.observe('milvus_querynode_sq_req_latency', { ...base, scope: 'all' }, ms)
  })
}
