/** Opening the two streams over any {@link Mq}. */
import { AlignedIntake } from './aligned-intake.ts'
import { checkObject, enumOption, intOption, show } from './check.ts'
import { systemClock } from './edge.ts'
import type { Timestamp } from './message.ts'
import { PlainIntake } from './plain-intake.ts'
import type { MsgStream, MsgStreamOptions, TtMsgStream, TtMsgStreamOptions } from './stream.ts'
import { StreamImpl, type StreamParts } from './stream-impl.ts'
import { UnmarshalDispatcher } from './unmarshal.ts'

interface Checked {
  readonly dispatcher: UnmarshalDispatcher
  readonly maxMessages: number
  readonly maxBytes: number
}

function check(options: MsgStreamOptions): Checked {
  checkObject(options, 'options')
  checkObject(options.mq, 'mq')
  if (typeof options.mq.openReader !== 'function') throw new TypeError(`expected \`mq\` to be an Mq, got ${show(options.mq)}`)
  const dispatcher = options.dispatcher ?? new UnmarshalDispatcher()
  if (typeof dispatcher.unmarshal !== 'function') throw new TypeError(`expected \`dispatcher\` to be an UnmarshalDispatcher, got ${show(dispatcher)}`)
  return {
    dispatcher,
    maxMessages: intOption(options.maxBufferedMessages, 'maxBufferedMessages', 65_536, 1, 2 ** 31),
    maxBytes: intOption(options.maxBufferedBytes, 'maxBufferedBytes', 64 << 20, 1, Number.MAX_SAFE_INTEGER),
  }
}

/**
 * A stream that gives messages as they come: each pack is one batch of one channel. Its positions name the last message
 * delivered; reading on begins after it. The caller keeps the queue and closes it.
 */
export async function openMsgStream(options: MsgStreamOptions): Promise<MsgStream> {
  const { dispatcher, maxMessages, maxBytes } = check(options)
  return new StreamImpl({
    mq: options.mq,
    clock: options.clock ?? systemClock,
    inclusive: false,
    createIntake: (positions) => new PlainIntake(dispatcher, maxMessages, maxBytes, positions),
  })
}

/**
 * An aligned stream: each pack is one step of time over all channels. Its positions name the first frame to read and the
 * time up to which everything was delivered. The caller keeps the queue and closes it.
 */
export async function openTtMsgStream(options: TtMsgStreamOptions): Promise<TtMsgStream> {
  const { dispatcher, maxMessages, maxBytes } = check(options)
  const align = enumOption(options.align, 'align', 'frontier', ['frontier', 'equal'])
  const late = enumOption(options.late, 'late', 'deliver', ['deliver', 'drop', 'fail'])
  const skipEmpty = options.skipEmpty ?? false
  if (typeof skipEmpty !== 'boolean') throw new TypeError(`expected \`skipEmpty\` to be a boolean, got ${show(skipEmpty)}`)
  return new TtStreamImpl({
    mq: options.mq,
    clock: options.clock ?? systemClock,
    inclusive: true,
    createIntake: (positions, from) => new AlignedIntake(dispatcher, { positions, from, align, late, skipEmpty, maxMessages, maxBytes }),
  })
}

class TtStreamImpl extends StreamImpl implements TtMsgStream {
  constructor(parts: StreamParts) {
    super(parts)
  }

  get #aligned(): AlignedIntake | undefined {
    return this.intake instanceof AlignedIntake ? this.intake : undefined
  }

  get frontier(): Timestamp {
    return this.#aligned?.aligner.frontier ?? 0n
  }

  states(): { channel: string; tick: Timestamp; bufferedMessages: number; bufferedBytes: number }[] {
    return (this.#aligned?.aligner.channels ?? []).map(({ channel, tick, bufferedMessages, bufferedBytes }) => ({ channel, tick, bufferedMessages, bufferedBytes }))
  }
}
