/** A log that processes took turns to write, as a process alone reads it, in stores of its own: what overtaken owners wrote is not in it, and nothing names an epoch. */
import type { MessageId } from '@timetick/msgstream'
import { epochAt, epochOf, type FenceMark, isOwnRecord, stampEpoch } from './fenced-mq.ts'

/**
 * @param fences of the channel, as the source's own ids say it
 * @param first the first frame that is kept
 * @returns what is to be kept of one batch after the other; frames that name an epoch are copied
 */
export function createUnfencing(fences: readonly FenceMark[], first: MessageId | undefined): (frames: readonly Uint8Array[]) => Uint8Array[] {
  let epoch = first === undefined ? 0n : epochOf(fences, { from: first })
  return (frames) =>
    frames.flatMap((frame) => {
      const own = epochAt(frame)
      if (own === undefined) return [frame]
      if (own > epoch) epoch = own
      if (own < epoch || isOwnRecord(frame)) return []
      if (own === 0n) return [frame]
      const copy = frame.slice()
      stampEpoch(copy, 0n)
      return [copy]
    })
}
