/** Tick by tick: decodes frames and feeds the aligner. */
import { Aligner, type AlignerOptions } from './aligner.ts'
import type { AlignerChannel } from './aligner-channel.ts'
import { peekEndTs, peekType } from './envelope.ts'
import type { Intake, IntakeGauges } from './intake.ts'
import { MsgType, type MsgPack, type MsgPosition } from './message.ts'
import type { MessageId, MqBatch } from './mq.ts'
import { placeMsg } from './ts-msg.ts'
import type { UnmarshalDispatcher } from './unmarshal.ts'

export class AlignedIntake implements Intake {
  readonly aligner: Aligner
  readonly #dispatcher: UnmarshalDispatcher

  constructor(dispatcher: UnmarshalDispatcher, options: AlignerOptions) {
    this.#dispatcher = dispatcher
    this.aligner = new Aligner(options)
  }

  wants(index: number): boolean {
    return this.aligner.wants(index)
  }

  accept(index: number, batch: MqBatch): void {
    const { aligner } = this
    const channel = aligner.channels[index]?.channel ?? ''
    for (let i = 0; i < batch.frames.length; i++) {
      const frame = batch.frames[i] as Uint8Array
      const id = batch.ids[i] as MessageId
      if (peekType(frame) === MsgType.timeTick) {
        aligner.pushTick(index, id, peekEndTs(frame))
        continue
      }
      const msg = this.#dispatcher.unmarshal(frame, { channel, id })
      if (msg === undefined) continue
      placeMsg(msg, channel, id)
      aligner.pushData(index, id, frame.length, msg)
    }
  }

  finish(index: number): void {
    this.aligner.finish(index)
  }

  ended(): boolean {
    return this.aligner.ended
  }

  gauges(index: number): IntakeGauges {
    const { tick, bufferedMessages, bufferedBytes, excluded } = this.aligner.channels[index] as AlignerChannel
    return { tick, bufferedMessages, bufferedBytes, idle: excluded }
  }

  next(): MsgPack | undefined {
    return this.aligner.take()
  }

  positions(): readonly MsgPosition[] {
    return this.aligner.positions()
  }
}
