/**
 * Which data node owns which log channel: a function of who is there and of what is assigned, and nothing else. A channel changes
 * hands only when its owner is gone or has given it back; whoever has too many is asked to give one back at a time.
 */
import type { Member } from './membership.ts'

export const CHANNEL_ROOT = 'channels/'

/** As stored under `channels/<pchannel>`. */
export interface ChannelAssignment {
  /** A member's id; '' when nobody owns it. */
  readonly owner: string
  /** Grows with every owner. */
  readonly epoch: number
  /** The owner is asked to give it back. */
  readonly leaving: boolean
}

export interface ChannelChange {
  readonly pchannel: string
  readonly assignment: ChannelAssignment
}

export const UNOWNED: ChannelAssignment = { owner: '', epoch: 0, leaving: false }

/** `stopping`: it takes no channels, and is to give back those that it has. */
export type DataMember = Pick<Member, 'id' | 'stopping'>

/** @param members data nodes whose lease has not ended: one that is missing here writes nothing any more */
export function planChannels(pchannels: readonly string[], assignments: ReadonlyMap<string, ChannelAssignment>, members: readonly DataMember[]): ChannelChange[] {
  const able = members.filter(({ stopping }) => !stopping)
  const living = new Map(members.map((member) => [member.id, member]))
  const counts = new Map(able.map(({ id }) => [id, 0]))
  const free: string[] = []
  const owned: { readonly pchannel: string; readonly assignment: ChannelAssignment }[] = []
  for (const pchannel of pchannels) {
    const assignment = assignments.get(pchannel) ?? UNOWNED
    if (!living.has(assignment.owner)) free.push(pchannel)
    else {
      owned.push({ pchannel, assignment })
      if (!assignment.leaving) counts.set(assignment.owner, (counts.get(assignment.owner) ?? 0) + 1)
    }
  }
  const changes: ChannelChange[] = []
  if (able.length === 0) return changes
  const least = (): string => able.reduce((best, { id }) => ((counts.get(id) ?? 0) < (counts.get(best) ?? 0) ? id : best), able[0]?.id ?? '')
  for (const pchannel of free) {
    const owner = least()
    counts.set(owner, (counts.get(owner) ?? 0) + 1)
    changes.push({ pchannel, assignment: { owner, epoch: (assignments.get(pchannel) ?? UNOWNED).epoch + 1, leaving: false } })
  }
  for (const { pchannel, assignment } of owned) {
    if (living.get(assignment.owner)?.stopping === true && !assignment.leaving) changes.push({ pchannel, assignment: { ...assignment, leaving: true } })
  }
  // One at a time, and only where it helps: 3 and 2 stay as they are.
  if (changes.length === 0 && owned.every(({ assignment }) => !assignment.leaving)) {
    const most = able.reduce((best, { id }) => ((counts.get(id) ?? 0) > (counts.get(best) ?? 0) ? id : best), able[0]?.id ?? '')
    if ((counts.get(most) ?? 0) - (counts.get(least()) ?? 0) >= 2) {
      const moved = owned.find(({ assignment }) => assignment.owner === most)
      if (moved !== undefined) changes.push({ pchannel: moved.pchannel, assignment: { ...moved.assignment, leaving: true } })
    }
  }
  return changes
}

export function encodeAssignment({ owner, epoch, leaving }: ChannelAssignment): string {
  return JSON.stringify({ owner, epoch, leaving })
}

export function decodeAssignment(text: string): ChannelAssignment {
  const { owner, epoch, leaving } = JSON.parse(text) as Record<string, unknown>
  if (typeof owner !== 'string' || typeof epoch !== 'number') throw new Error(`an assignment of a channel cannot be read: ${text.slice(0, 200)}`)
  return { owner, epoch, leaving: leaving === true }
}
