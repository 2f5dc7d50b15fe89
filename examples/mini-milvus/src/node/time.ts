/** Time and ids of the node: an oracle on the metadata store, allocators that coalesce, and the ticks of all channels. */
import type { KVBase } from '@timetick/kv'
import { startTimeTickProducer, type Mq, type TimeTickProducer } from '@timetick/msgstream'
import { openIdSource, openTimestampOracle, startIdAllocator, startTimestampAllocator, type IdAllocator, type TimestampAllocator } from '@timetick/tso'
import type { NodeClock } from '../edge/system.ts'

export interface NodeTime {
  readonly timestamps: TimestampAllocator
  readonly ids: IdAllocator
  close(): Promise<void>
}

/** Milvus's ids are timestamps and so are far from 1; ours begin where no collection id looks like a field id or a count. */
const FIRST_ID = 450_000_000_000_000_000n

/** @param owner names this start among all, in the oracle's record; a random name unless given */
export async function openNodeTime(kv: KVBase, clock: NodeClock, onWarning: (message: string, error: unknown) => void, owner?: string): Promise<NodeTime> {
  const oracle = await openTimestampOracle({
    kv,
    rootPath: 'tso',
    clock,
    owner,
    onEvent: (event) => onWarning(`timestamp oracle: ${event.type}`, event),
  })
  const timestamps = startTimestampAllocator({ source: oracle })
  try {
    const ids = startIdAllocator({ source: await openIdSource({ kv, rootPath: 'ids', firstId: FIRST_ID, step: 100_000, clock }) })
    return {
      timestamps,
      ids,
      async close() {
        await ids.close()
        await timestamps.close()
        await oracle.close()
      },
    }
  } catch (error) {
    await timestamps.close()
    await oracle.close()
    throw error
  }
}

export interface TickOptions {
  readonly mq: Mq
  readonly pchannels: readonly string[]
  readonly timestamps: TimestampAllocator
  readonly intervalMs: number
  readonly clock: NodeClock
  readonly onError: (error: unknown) => void
}

export async function startTicks({ mq, pchannels, timestamps, intervalMs, clock, onError }: TickOptions): Promise<TimeTickProducer> {
  return startTimeTickProducer({ mq, channels: pchannels, allocate: () => timestamps.allocOne(), intervalMs, clock, onError })
}
