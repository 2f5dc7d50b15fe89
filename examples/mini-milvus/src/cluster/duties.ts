/** What a process does at the moment, for those who ask it. */
import type { MemberState, OwnedState } from './apis.ts'
import type { ClusterMember } from './member.ts'
import type { OwnedChannel } from './owned-channel.ts'

/** Of each channel: what is told of is shown, and nobody reads more. */
const MAX_COLLECTIONS = 1_000

export function dutiesOf({ host, queryNode }: Pick<ClusterMember['own'], 'host' | 'queryNode'>): Pick<MemberState, 'owned' | 'applied'> {
  return {
    ...(host === undefined ? {} : { owned: host.channels.map(ownedState) }),
    ...(queryNode?.status() === 'healthy' ? { applied: queryNode.current.serviceTimes() } : {}),
  }
}

function ownedState({ duty: { pchannel, epoch }, lastTick, dataNode }: OwnedChannel): OwnedState {
  const unflushed = dataNode.unflushedCollections().slice(0, MAX_COLLECTIONS).map((id) => [id, dataNode.unflushedRows(id)] as const)
  return { pchannel, epoch, lastTick, readTs: dataNode.readTimes().get(pchannel) ?? 0n, bufferedBytes: dataNode.bufferedBytes(), unflushed: new Map(unflushed) }
}
