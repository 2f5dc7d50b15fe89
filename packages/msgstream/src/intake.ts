/** Between the readers of a stream's channels and its packs. */
import type { MsgPack, MsgPosition } from './message.ts'
import type { MqBatch } from './mq.ts'

export interface Intake {
  wants(index: number): boolean
  accept(index: number, batch: MqBatch): void
  next(): MsgPack | undefined
  /** Where to read on for what {@link next} has not given out. */
  positions(): readonly MsgPosition[]
}

/** Makes the intake of a stream that begins at these positions. */
export type IntakeFactory = (positions: readonly MsgPosition[], from: 'earliest' | 'latest') => Intake
