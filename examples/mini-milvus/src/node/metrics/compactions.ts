/** What compactions tell: how many run and have ended, and how long each took. */
import type { CompactionOutcome, CompactorOptions } from '../../coordinator/compactor.ts'
import type { Meter } from './meter.ts'

const TASKS = 'milvus_datacoord_compaction_task_num'
const LATENCY = 'milvus_datanode_compaction_latency'
/** Milvus has one for each kind of task; here a job merges segments and leaves deleted rows out in one go. */
const KIND = { compaction_type: 'MixCompaction' }

/** For each compactor of a process: they count together. Undefined where nothing is counted. */
export function compactionWatch(meter: Meter | undefined): CompactorOptions['watch'] {
  if (meter === undefined) return undefined
  const add = (status: 'executing' | Exclude<CompactionOutcome, 'dropped'>, by: number): void => meter.add(TASKS, { node_id: meter.nodeId, ...KIND, status }, by)
  for (const status of ['executing', 'completed', 'failed'] as const) add(status, 0)
  meter.begin(LATENCY, { node_id: meter.nodeId, ...KIND })
  return async (run) => {
    add('executing', 1)
    await meter.watch(run, (_status, ms) => {
      add('executing', -1)
      meter.observe(LATENCY, { node_id: meter.nodeId, ...KIND }, ms)
    }).then((outcome) => {
      if (outcome !== 'dropped') add(outcome, 1)
    })
  }
}
