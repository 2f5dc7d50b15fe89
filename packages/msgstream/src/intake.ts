/** Between the readers of a stream's channels and its packs. */
import type { MsgPack, MsgPosition, Timestamp } from './message.ts'
import type { MqBatch } from './mq.ts'

export interface Intake {
  wants(index: number): boolean
  accept(index: number, batch: MqBatch): void
  next(): MsgPack | undefined
  /** Nothing more will come of this channel. */
  finish(index: number): void
  /** Nothing more can come out: consume ends behind the last pack. */
  ended(): boolean
  gauges(index: number): IntakeGauges
  /** Where to read on for what {@link next} has not given out. */
  positions(): readonly MsgPosition[]
}

export interface IntakeGauges {
  readonly tick: Timestamp
  readonly bufferedMessages: number
  readonly bufferedBytes: number
  readonly idle: boolean
}

/** Makes the intake of a stream that begins at these positions. */
export type IntakeFactory = (positions: readonly MsgPosition[], from: 'earliest' | 'latest') => Intake
