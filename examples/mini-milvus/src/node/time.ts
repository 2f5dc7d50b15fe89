/** Time and ids of the node: an oracle on the metadata store, allocators that coalesce, and the ticks of all channels. */
import type { KVBase } from '@timetick/kv'
import { startTimeTickProducer, type Mq, type TimeTickProducer } from '@timetick/msgstream'
import { openIdSource, openTimestampOracle, startIdAllocator, startTimestampAllocator, type IdAllocator, type TimestampAllocator } from '@timetick/tso'
import type { NodeClock } from '../edge/system.ts'

export interface NodeTime {
  readonly timestamps: TimestampAllocator
  readonly ids: IdAllocator
  /** What is wrong with the machine's clock as the oracle sees it now, or was a moment ago. */
  trouble(): 'clockSkew' | 'windowExhausted' | undefined
  close(): Promise<void>
}

/** A wait for the clock is over before it is looked at: it is told for so long. */
const WAITED_MS = 5000

/** Milvus's ids are timestamps and so are far from 1; ours begin where no collection id looks like a field id or a count. */
const FIRST_ID = 450_000_000_000_000_000n

/** @param owner names this start among all, in the oracle's record; a random name unless given */
export async function openNodeTime(kv: KVBase, clock: NodeClock, onWarning: (message: string, error: unknown) => void, owner?: string): Promise<NodeTime> {
  let isSkewed = false
  let waitedAt = -Infinity
  const oracle = await openTimestampOracle({
    kv,
    rootPath: 'tso',
    clock,
    owner,
    onEvent(event) {
      if (event.type === 'clock-waiting') waitedAt = clock.monotonic()
      else if (event.type === 'clock-steady') isSkewed = false
      else if (event.type === 'clock-behind' || event.type === 'clock-jumped') isSkewed = true
      onWarning(`timestamp oracle: ${event.type}`, event)
    },
  })
  const timestamps = startTimestampAllocator({ source: oracle })
  try {
    const ids = startIdAllocator({ source: await openIdSource({ kv, rootPath: 'ids', firstId: FIRST_ID, step: 100_000, clock }) })
    return {
      timestamps,
      ids,
      trouble: () => (clock.monotonic() - waitedAt < WAITED_MS ? 'windowExhausted' : isSkewed ? 'clockSkew' : undefined),
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
