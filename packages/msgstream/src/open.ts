/** Opening the two streams over any {@link Mq}. */
import { AlignedIntake } from './aligned-intake.ts'
import { checkFunction, checkObject, enumOption, intOption, show } from './check.ts'
import { systemClock } from './edge.ts'
import { IdleWatch } from './idle-watch.ts'
import type { Timestamp } from './message.ts'
import { PlainIntake } from './plain-intake.ts'
import type { IdlePolicy } from './reading.ts'
import type { MsgStream, MsgStreamOptions, TtMsgStream, TtMsgStreamOptions } from './stream.ts'
import { StreamImpl } from './stream-impl.ts'
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
  const { onLate, onStall } = options
  const align = enumOption(options.align, 'align', 'frontier', ['frontier', 'equal'])
  const late = enumOption(options.late, 'late', 'deliver', ['deliver', 'divert', 'drop', 'fail'])
  if (onLate !== undefined || late === 'divert') checkFunction(onLate, 'onLate')
  const order = enumOption(options.order, 'order', 'channel', ['channel', 'time'])
  const skipEmpty = options.skipEmpty ?? false
  if (typeof skipEmpty !== 'boolean') throw new TypeError(`expected \`skipEmpty\` to be a boolean, got ${show(skipEmpty)}`)
  const driftMs = intOption(options.maxDriftMs, 'maxDriftMs', -1, 0, 2 ** 45)
  const maxDrift = driftMs < 0 ? undefined : BigInt(driftMs) << 18n
  const maxCatchUpBytes = intOption(options.maxCatchUpBytes, 'maxCatchUpBytes', Math.min(16 * maxBytes, Number.MAX_SAFE_INTEGER), maxBytes, Number.MAX_SAFE_INTEGER)
  const policy = checkIdle(options.idle)
  if (onStall !== undefined) checkFunction(onStall, 'onStall')
  const clock = options.clock ?? systemClock
  return new TtStreamImpl({
    mq: options.mq,
    clock,
    inclusive: true,
    createIntake: (positions, from) => new AlignedIntake(dispatcher, { positions, from, align, late, onLate, order, skipEmpty, maxMessages, maxBytes, maxCatchUpBytes, maxDrift }),
    ...(policy === undefined
      ? {}
      : { watch: (intake, isReading, onMoved) => new IdleWatch({ policy, clock, onStall, isReading, onMoved, aligner: (intake as AlignedIntake).aligner }) }),
  })
}

function checkIdle(idle: IdlePolicy | undefined): IdlePolicy | undefined {
  if (idle === undefined) return undefined
  checkObject(idle, 'idle')
  return { afterMs: intOption(idle.afterMs, 'idle.afterMs', 10_000, 1, 2 ** 31 - 1), mode: enumOption(idle.mode, 'idle.mode', 'wait', ['wait', 'exclude']) }
}

class TtStreamImpl extends StreamImpl implements TtMsgStream {
  get #aligned(): AlignedIntake | undefined {
    const { intake } = this.reading
    return intake instanceof AlignedIntake ? intake : undefined
  }

  override get frontier(): Timestamp {
    return this.#aligned?.aligner.frontier ?? 0n
  }

  override get lateCount(): number {
    return this.#aligned?.aligner.lateCount ?? 0
  }

  states(): { channel: string; tick: Timestamp; bufferedMessages: number; bufferedBytes: number }[] {
    return (this.#aligned?.aligner.channels ?? []).map(({ channel, tick, bufferedMessages, bufferedBytes }) => ({ channel, tick, bufferedMessages, bufferedBytes }))
  }
}
