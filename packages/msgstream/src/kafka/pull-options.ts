import type { Clock } from '../clock.ts'

export interface KafkaPullOptions {
  readonly clock: Clock
  readonly topic: string
  /** Where the driver reads in groups: a group of this reader's own. */
  readonly groupId: string
  readonly maxWaitMs: number
  /** Rejects with `MSG_POSITION_EXPIRED` or `MSG_CHANNEL_NOT_FOUND` when the frame at this offset cannot come any more. */
  check(offset: number): Promise<void>
  /** Removes the group. */
  forget(groupId: string): Promise<void>
}
