/**
 * How the owner of a channel gives it back where it cannot call whoever leads: a note in the store, `releases/<pchannel>`, that the leader
 * follows. It holds only behind the assignment that it is about, and goes with the next one.
 */
import type { KVBase } from '@timetick/kv'
import type { NodeClock } from '../edge/system.ts'
import { CHANNEL_ROOT } from './channel-plan.ts'
import { FollowedPrefix, type FollowedStore } from './followed-prefix.ts'

export const RELEASE_ROOT = 'releases/'

export interface ChannelRelease {
  readonly pchannel: string
  readonly owner: string
  readonly epoch: number
}

/** @param assigned the revision of the assignment: false when there is another by now, and nothing to give back */
export async function noteRelease(kv: Pick<KVBase, 'multiSaveAndRemove'>, { pchannel, owner, epoch }: ChannelRelease, assigned: bigint): Promise<boolean> {
  const when = [{ key: CHANNEL_ROOT + pchannel, modRevision: assigned }]
  const { applied } = await kv.multiSaveAndRemove(new Map([[RELEASE_ROOT + pchannel, JSON.stringify({ owner, epoch })]]), [], { when })
  return applied
}

export interface FollowReleasesOptions {
  readonly kv: FollowedStore
  readonly clock: Pick<NodeClock, 'setTimer'>
  readonly onRelease: (release: ChannelRelease) => void
  readonly onProblem: (message: string, error: unknown) => void
}

export function followReleases({ kv, clock, onRelease, onProblem }: FollowReleasesOptions): Promise<FollowedPrefix> {
  return FollowedPrefix.open({
    kv, clock, prefix: RELEASE_ROOT,
    onEvents: (events) => {
      for (const { key, value } of events) {
        const release = value === undefined ? undefined : decode(key, value)
        if (release !== undefined) onRelease(release)
      }
    },
    onProblem: (error) => onProblem('channels that were given back could not be followed', error),
  })
}

function decode(pchannel: string, text: string): ChannelRelease | undefined {
  try {
    const { owner, epoch } = JSON.parse(text) as Record<string, unknown>
    return typeof owner === 'string' && typeof epoch === 'number' ? { pchannel, owner, epoch } : undefined
  } catch {
    return undefined
  }
}
