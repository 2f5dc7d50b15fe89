/** Message by message: each batch of a channel becomes a pack, channels in turn. */
import { peekEndTs, peekType } from './envelope.ts'
import type { Intake, IntakeGauges } from './intake.ts'
import { END_OF_STREAM, MsgType, type MsgPack, type MsgPosition, type TsMsg } from './message.ts'
import type { MessageId, MqBatch } from './mq.ts'
import { placeMsg } from './ts-msg.ts'
import type { UnmarshalDispatcher } from './unmarshal.ts'

interface Waiting {
  readonly batches: MqBatch[]
  messages: number
  bytes: number
  finished: boolean
}

export class PlainIntake implements Intake {
  readonly #dispatcher: UnmarshalDispatcher
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #waiting: readonly Waiting[]
  #positions: readonly MsgPosition[]
  #turn = 0

  constructor(dispatcher: UnmarshalDispatcher, maxMessages: number, maxBytes: number, positions: readonly MsgPosition[]) {
    this.#dispatcher = dispatcher
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
    this.#positions = positions
    this.#waiting = positions.map(() => ({ batches: [], messages: 0, bytes: 0, finished: false }))
  }

  wants(index: number): boolean {
    const { messages, bytes, finished } = this.#waiting[index] as Waiting
    return !finished && messages < this.#maxMessages && bytes < this.#maxBytes
  }

  accept(index: number, batch: MqBatch): void {
    const waiting = this.#waiting[index] as Waiting
    waiting.batches.push(batch)
    waiting.messages += batch.frames.length
    waiting.bytes += sizeOf(batch)
  }

  finish(index: number): void {
    ;(this.#waiting[index] as Waiting).finished = true
  }

  ended(): boolean {
    return this.#waiting.every(({ finished, batches }) => finished && batches.length === 0)
  }

  gauges(index: number): IntakeGauges {
    const { messages, bytes } = this.#waiting[index] as Waiting
    return { tick: 0n, bufferedMessages: messages, bufferedBytes: bytes, idle: false }
  }

  next(): MsgPack | undefined {
    for (let i = 0; i < this.#waiting.length; i++) {
      const index = (this.#turn + i) % this.#waiting.length
      const waiting = this.#waiting[index] as Waiting
      for (let batch = waiting.batches.shift(); batch !== undefined; batch = waiting.batches.shift()) {
        waiting.messages -= batch.frames.length
        waiting.bytes -= sizeOf(batch)
        const pack = this.#pack(index, batch)
        if (pack.msgs.length === 0) continue
        this.#turn = index + 1
        return pack
      }
    }
    return undefined
  }

  #pack(index: number, batch: MqBatch): MsgPack {
    const { channel } = this.#positions[index] as MsgPosition
    const msgs: TsMsg[] = []
    for (const [i, frame] of batch.frames.entries()) {
      const id = batch.ids[i] as MessageId
      if (peekType(frame) === MsgType.timeTick && peekEndTs(frame) === END_OF_STREAM) {
        this.finish(index)
        continue
      }
      const msg = this.#dispatcher.unmarshal(frame, { channel, id })
      if (msg === undefined) continue
      placeMsg(msg, channel, id)
      msgs.push(msg)
    }
    const startPositions = this.#positions
    const endTs = msgs.reduce((max, { endTs: ts }) => (ts > max ? ts : max), 0n)
    const beginTs = msgs.reduce((min, { beginTs: ts }) => (ts < min ? ts : min), endTs)
    const end: MsgPosition = { channel, msgId: batch.ids[batch.ids.length - 1], timestamp: endTs }
    this.#positions = startPositions.map((position, i) => (i === index ? end : position))
    return { beginTs, endTs, msgs, startPositions, endPositions: this.#positions }
  }

  positions(): readonly MsgPosition[] {
    return this.#positions
  }
}

function sizeOf(batch: MqBatch): number {
  let bytes = 0
  for (const frame of batch.frames) bytes += frame.length
  return bytes
}
