/**
 * The log of an owned channel, as its owner takes it over: behind a fence of its own, with what the former owner may not have come to, and
 * then with time. The order of these steps is what others rely on.
 */
import type { KVBase } from '@timetick/kv'
import { startTimeTickProducer, type Mq, type MqProducer, type TimeTickProducer } from '@timetick/msgstream'
import { writeFence, type FencedLog } from '../channel/fenced-mq.ts'
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import type { Transaction } from '../staging/transactions.ts'
import { CHANNEL_ROOT } from './channel-assigner.ts'
import { ChannelHolds } from './channel-holds.ts'
import { CommitFence } from './commit-fence.ts'
import { loadCommits, writeDecisions } from './commit-records.ts'
import { loadFences, saveFence } from './fence-records.ts'
import type { ChannelDuty } from './owned-channel.ts'

export interface OwnedLogOptions {
  readonly kv: KVBase
  readonly mq: Mq
  readonly log: Pick<FencedLog, 'writers'>
  readonly duty: ChannelDuty
  readonly clock: NodeClock
  /** A timestamp that does not come says nothing of the log. */
  readonly allocate: () => Promise<bigint>
  readonly tickIntervalMs: number
  readonly commitTimeoutMs: number
  /** Called behind the fence: up to where everything is in segments. */
  readonly passed: () => Promise<bigint>
  readonly onTickError: (error: unknown) => void
}

export interface OwnedLog {
  readonly ticks: TimeTickProducer
  readonly holds: ChannelHolds
  /** That were recorded before this owner began, and not everywhere in segments yet. */
  readonly commits: ReadonlyMap<string, Transaction>
}

export async function openOwnedLog({ kv, mq, log, duty, clock, allocate, tickIntervalMs, commitTimeoutMs, passed, onTickError }: OwnedLogOptions): Promise<OwnedLog> {
  const { pchannel, epoch, isHeld, onFailure } = duty
  const fence = new CommitFence(kv, pchannel, epoch, await takeFence(kv, mq, duty))
  const passedTs = await passed()
  if (!isHeld()) throw notOwner(pchannel)
  const writers = log.writers(BigInt(epoch), isHeld)
  const openProducer = (): Promise<MqProducer> => writers.openProducer(pchannel)
  // Behind the fence: of what the former owner held nothing more is recorded.
  const commits = await loadCommits(kv, ({ ts, channels }) => ts > passedTs && channels.includes(pchannel))
  await writeDecisions(openProducer, commits)
  const ticks = await startTimeTickProducer({
    mq: writers, channels: [pchannel], clock, allocate,
    intervalMs: tickIntervalMs,
    onError: (error) => {
      onTickError(error)
      // No tick comes any more: who waits for one would wait for ever.
      if (endsProducer(error)) onFailure(error instanceof Error ? error : new Error(String(error)))
    },
  })
  const holds = new ChannelHolds({ pchannel, kv, fence, ticks, openProducer, timeoutMs: commitTimeoutMs, clock, isHeld, onFailure })
  return { ticks, holds, commits }
}

/** In the log first, then noted, so that a note without its fence cannot be. @returns of the key on which commits on the channel depend */
async function takeFence(kv: KVBase, mq: Mq, { pchannel, epoch, revision, isHeld }: ChannelDuty): Promise<bigint> {
  if (!isHeld()) throw notOwner(pchannel)
  const mark = await writeFence(mq, pchannel, BigInt(epoch))
  const older = await loadFences(kv, pchannel)
  const spent = older.map(({ epoch: old }) => old).sort((a, b) => (a < b ? -1 : 1)).slice(0, -KEPT_FENCES)
  const saved = await saveFence(kv, pchannel, mark, spent, { key: CHANNEL_ROOT + pchannel, modRevision: revision })
  if (saved === undefined) throw notOwner(pchannel)
  return saved
}

/** A write's outcome is unknown: nothing is written any more, as it might come later. */
export function endsProducer(error: unknown): boolean {
  const { code, outcome } = error as { readonly code?: unknown; readonly outcome?: unknown }
  return outcome === 'unknown' || code === 'MSG_PRODUCER_FAILED' || code === 'MSG_CLOSED'
}

/** Checkpoints are younger than the beginning of so many epochs. */
const KEPT_FENCES = 1_000

export function notOwner(pchannel: string): RpcError {
  return new RpcError('RPC_NOT_OWNER', `${pchannel.slice(0, 200)} is not owned here`, { outcome: 'not-applied' })
}
