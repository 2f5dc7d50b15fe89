/** How far channels are behind the wall clock. */
import { parseTimestamp } from '@timetick/tso'
import type { NodeClock } from '../../edge/system.ts'
import type { GaugeSink, Sample } from './sink.ts'

/** Of channels that anything was heard of, in ms. */
export function lags({ nodeId }: GaugeSink, times: ReadonlyMap<string, bigint>, clock: Pick<NodeClock, 'now'>, labels: Readonly<Record<string, string>> = {}): Sample[] {
  return [...times].filter(([, ts]) => ts > 0n).map(([channel_name, ts]) => ({ labels: { node_id: nodeId, channel_name, ...labels }, value: Math.max(0, clock.now() - parseTimestamp(ts).physicalMs) }))
}
