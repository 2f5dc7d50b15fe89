/** Several sends that belong to one call: all ids, or an error that says what became of each channel. */
import { MsgStreamError } from './errors.ts'
import type { MessageId } from './mq.ts'
import type { ProducedIds } from './stream.ts'

export interface PendingSend {
  readonly channel: string
  readonly count: number
  readonly done: Promise<readonly MessageId[]>
}

/** `details.channels` of `MSG_PRODUCE_FAILED`. */
export interface ChannelOutcome {
  readonly channel: string
  readonly count: number
  readonly outcome: 'acknowledged' | 'not-applied' | 'unknown'
  readonly ids?: readonly MessageId[] | undefined
  readonly error?: unknown
}

/** Whether a failed write may be in the log. Only an error that says `not-applied` is believed. */
export function outcomeOf(error: unknown): 'not-applied' | 'unknown' {
  return error instanceof MsgStreamError && error.outcome === 'not-applied' ? 'not-applied' : 'unknown'
}

export async function settleSends(sends: readonly PendingSend[]): Promise<ProducedIds> {
  const settled = await Promise.allSettled(sends.map(({ done }) => done))
  const ids = new Map<string, readonly MessageId[]>()
  const channels = settled.map((result, i): ChannelOutcome => {
    const { channel, count } = sends[i] as PendingSend
    if (result.status === 'rejected') return { channel, count, outcome: outcomeOf(result.reason), error: result.reason as unknown }
    ids.set(channel, result.value)
    return { channel, count, outcome: 'acknowledged', ids: result.value }
  })
  const failed = channels.filter((it) => it.outcome !== 'acknowledged')
  const first = failed[0]
  if (first === undefined) return ids
  const outcome = channels.every((it) => it.outcome === 'not-applied') ? 'not-applied' : 'unknown'
  const retryable = outcome === 'not-applied' && first.error instanceof MsgStreamError && first.error.retryable
  throw new MsgStreamError('MSG_PRODUCE_FAILED', `${failed.length} of ${channels.length} channels failed, first ${first.channel}: ${String(first.error)}`, {
    cause: first.error,
    outcome,
    retryable,
    details: { channels },
  })
}
