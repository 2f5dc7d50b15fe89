/** What clients of a proxy have written and not flushed: kept by the proxy that they are connected to, and committed through the owners of the log's channels. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { NodeClock } from '../edge/system.ts'
import { reclaim } from '../edge/reclaim.ts'
import type { Keep } from '../node/core.ts'
import { openStaging } from '../staging/open-staging.ts'
import type { SpillFolder } from '../staging/spill.ts'
import type { Staging } from '../staging/staging.ts'
import { ChannelCommitter } from './channel-committer.ts'
import { CommitMirror, COMMITS } from './commit-mirror.ts'
import type { ClusterMember } from './member.ts'

export interface ProxyStagingOptions {
  readonly member: ClusterMember
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  /** Undefined: staged rows stay in memory. */
  readonly spill?: SpillFolder | undefined
  readonly onWarning: (message: string, error: unknown) => void
}

export async function openProxyStaging({ member, parameters, clock, spill, onWarning }: ProxyStagingOptions, keep: Keep): Promise<Staging> {
  const { mirror, mirrors, tell, stores, queryNodes, timestamps, ids, channels, stills } = member
  const { kv, mq } = stores
  const lastCommits = await keep(CommitMirror.open({ kv, clock, mirrors, onProblem: (error) => onWarning('the last commits could not be followed', error) }))
  const committer = new ChannelCommitter({
    kv, clock, channels, mirror, timestamps, ids, onWarning,
    maxFrameBytes: mq.features.maxFrameBytes,
    timeoutMs: parameters.getDurationMs('cluster.callTimeout'),
    told: async (revision) => {
      await Promise.all([lastCommits.waitFor(revision), tell(COMMITS, revision)])
    },
  })
  const stages = await keep(openStaging({
    maxClientBytes: parameters.getBytes('staging.maxClientBytes'),
    maxBytes: parameters.getBytes('staging.maxBytes'),
    spillBytes: parameters.getBytes('staging.spillBytes'),
    meta: mirror,
    committer, lastCommits, spill, clock, onWarning,
    queryNode: () => queryNodes,
    now: () => timestamps.allocOne(),
    requestTick: (pchannels, atLeast) => channels.requestTick(pchannels, atLeast),
    reclaim: (bytes) => reclaim(bytes, clock),
  }))
  stills.attach(stages)
  // First: a flush that waits for an answer gives up, and ends what closes next.
  await keep({
    async close() {
      stills.close()
      await committer.close()
    },
  })
  return stages
}
