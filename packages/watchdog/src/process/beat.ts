/** What a child sends: one small message for each beat. */
import { createHeartbeat, STATUSES } from '../component.ts'
import type { ComponentHeartbeat, Status } from '../component.ts'

export const INCARNATION_VARIABLE = 'TIMETICK_INCARNATION'

export interface BeatMessage {
  readonly timetick: 'beat'
  readonly status: Status
  readonly incarnation: number
  readonly seq: number
}

/** `undefined` for any other message. */
export function readBeat(id: string, message: unknown): ComponentHeartbeat | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  const { timetick, status, incarnation, seq } = message as Readonly<Record<string, unknown>>
  if (timetick !== 'beat' || !STATUSES.includes(status as Status)) return undefined
  if (!Number.isSafeInteger(incarnation) || !Number.isSafeInteger(seq)) return undefined
  return createHeartbeat(id, status as Status, { incarnation: incarnation as number, seq: seq as number })
}
