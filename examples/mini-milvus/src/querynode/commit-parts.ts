/**
 * The parts of a commit on one channel, made ready step by step and in nobody's sight: readers are held at the moment before it. Then
 * they are shown in one step that takes no longer for a million rows than for one.
 */
import { sliceRows } from '../codec/slice.ts'
import type { DmlItem } from '../channel/dml-pack.ts'
import type { MetaReader } from '../coordinator/api.ts'
import { type Pause, STEP_BYTES, STEP_ROWS, StepMeter, type Steps } from '../segment/steps.ts'
import { applied, isApplyTraced } from '../tracing.ts'
import { keysOf, rowsOf } from '../writer/log-messages.ts'
import type { FindShard } from './graph-nodes.ts'
import type { LoadedShard } from './loaded-shard.ts'

export interface PreparedParts {
  /** In one step. @param direct applies what could not be made ready: of a collection or partition that was loaded meanwhile */
  apply(direct: (item: DmlItem) => void): void
}

/** @param parts of one transaction, in their order */
export async function prepareParts(parts: readonly DmlItem[], find: FindShard, meta: MetaReader, pause: Pause): Promise<PreparedParts> {
  const shardOf = ({ header }: DmlItem): LoadedShard | undefined => find(header.collectionId, header.vchannel)
  const shards = new Map(parts.map((item) => [item, shardOf(item)]))
  const known = new Set([...shards.values()].filter((shard) => shard !== undefined))
  for (const shard of known) shard.beginCommit((parts[0] as DmlItem).header.ts)
  const ready = new Set<DmlItem>()
  const meter = new StepMeter()
  for (const item of parts) {
    const shard = shards.get(item)
    if (shard === undefined) continue
    const steps = item.header.kind === 'delete' ? shard.deleteSteps(deleteOf(item), meter) : insertSteps(item, shard, meta, meter)
    let step = steps.next()
    for (; step.done !== true; step = steps.next()) await pause()
    if (step.value !== false) ready.add(item)
  }
  return {
    apply(direct) {
      for (const item of parts) {
        if (!ready.has(item) || shardOf(item) !== shards.get(item)) direct(item)
        else if (isApplyTraced()) applied({ role: 'query-node', ...item.header })
      }
      for (const shard of known) shard.showCommit()
    },
  }
}

function deleteOf({ header: { partitionId, ts }, message }: DmlItem): Parameters<LoadedShard['deleteSteps']>[0] {
  return { partitionId, keys: keysOf(message), ts }
}

/** Returns whether the rows were wanted. */
function* insertSteps({ header: { collectionId, partitionId, ts }, message }: DmlItem, shard: LoadedShard, meta: MetaReader, meter: StepMeter): Steps<boolean> {
  if (!shard.wantsInsert(partitionId, ts)) return false
  const rows = rowsOf(message)
  const atOnce = Math.max(1, Math.min(STEP_ROWS, Math.floor((STEP_BYTES * rows.length) / message.body.length)))
  for (let begin = 0; begin < rows.length; begin += atOnce) {
    const end = Math.min(rows.length, begin + atOnce)
    // As it is now: it may have gone, or have another field.
    const collection = meta.collectionById(collectionId)
    if (collection === undefined) return true
    shard.applyInsert(collection, partitionId, sliceRows(rows, begin, end), ts)
    if (meter.spend(end - begin, (message.body.length * (end - begin)) / rows.length)) yield
  }
  return true
}
