/** From frames to messages, by type. */
import { checkFunction, enumOption, show } from './check.ts'
import { decodeEnvelope } from './envelope.ts'
import { MsgStreamError } from './errors.ts'
import type { TsMsg } from './message.ts'
import type { MessageId } from './mq.ts'

/** Makes a typed message of a raw one, whose envelope is decoded and whose body is not. */
export type UnmarshalFunc = (raw: TsMsg) => TsMsg

/** Where a frame stands. */
export interface FramePlace {
  readonly channel: string
  readonly id: MessageId
}

/** A frame that nobody could read, for whoever looks after such. */
export interface DeadLetter {
  /** A copy. */
  readonly frame: Uint8Array
  readonly place: FramePlace | undefined
  /** `MSG_UNKNOWN_TYPE` or `MSG_DECODE_FAILED`. */
  readonly error: MsgStreamError
}

export type UnmarshalPolicy = 'raw' | 'skip' | 'dead-letter' | 'fail'

export interface UnmarshalOptions {
  /** A type without template. @default 'raw': delivered as it came */
  readonly unknownType?: UnmarshalPolicy | undefined
  /** A frame that is no envelope, or a template that throws. `raw` delivers the raw message where the envelope is sound, else fails. @default 'fail' */
  readonly decodeError?: UnmarshalPolicy | undefined
  /** Takes what `dead-letter` leaves out; needed with it. What it throws fails the stream: no letter is lost unseen. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined
}

export interface UnmarshalCounters {
  decoded: number
  /** Without template. */
  unknown: number
  /** Undecodable: bad envelope, or a template that threw. */
  failed: number
  /** Left out by a policy; those are counted under `unknown` or `failed` too. */
  skipped: number
}

const policies = ['raw', 'skip', 'dead-letter', 'fail'] as const

/** The appendix's dispatcher: templates by message type. */
export class UnmarshalDispatcher {
  readonly counters: UnmarshalCounters = { decoded: 0, unknown: 0, failed: 0, skipped: 0 }
  readonly #templates = new Map<number, UnmarshalFunc>()
  readonly #unknownType: UnmarshalPolicy
  readonly #decodeError: UnmarshalPolicy
  readonly #onDeadLetter: ((letter: DeadLetter) => void) | undefined

  constructor(options: UnmarshalOptions = {}) {
    this.#unknownType = enumOption(options.unknownType, 'unknownType', 'raw', policies)
    this.#decodeError = enumOption(options.decodeError, 'decodeError', 'fail', policies)
    this.#onDeadLetter = options.onDeadLetter
    if (this.#onDeadLetter !== undefined || this.#unknownType === 'dead-letter' || this.#decodeError === 'dead-letter') checkFunction(this.#onDeadLetter, 'onDeadLetter')
  }

  /** Decode messages of this type with `unmarshal`; replaces an earlier one. */
  addMsgTemplate(type: number, unmarshal: UnmarshalFunc): this {
    if (!Number.isInteger(type) || type < 0 || type > 0xffff) throw new RangeError(`expected \`type\` to be an integer in 0..65535, got ${show(type)}`)
    checkFunction(unmarshal, 'unmarshal')
    this.#templates.set(type, unmarshal)
    return this
  }

  /** The message in a frame, or `undefined` where a policy leaves it out. Throws `MSG_DECODE_FAILED` or `MSG_UNKNOWN_TYPE` under `fail`. */
  unmarshal(frame: Uint8Array, place?: FramePlace): TsMsg | undefined {
    if (!(frame instanceof Uint8Array)) throw new TypeError(`expected \`frame\` to be a Uint8Array, got ${show(frame)}`)
    let raw: TsMsg
    try {
      raw = decodeEnvelope(frame)
    } catch (cause) {
      return this.#failed(undefined, frame, place, cause)
    }
    const template = this.#templates.get(raw.type)
    if (template === undefined) return this.#unknown(raw, frame, place)
    let msg: TsMsg
    try {
      msg = template(raw)
    } catch (cause) {
      return this.#failed(raw, frame, place, cause)
    }
    this.counters.decoded++
    return msg
  }

  #unknown(raw: TsMsg, frame: Uint8Array, place: FramePlace | undefined): TsMsg | undefined {
    this.counters.unknown++
    if (this.#unknownType === 'raw') return raw
    const error = new MsgStreamError('MSG_UNKNOWN_TYPE', `no template for message type ${raw.type}`, { details: { type: raw.type, place } })
    return this.#leaveOut(this.#unknownType, error, frame, place)
  }

  #failed(raw: TsMsg | undefined, frame: Uint8Array, place: FramePlace | undefined, cause: unknown): TsMsg | undefined {
    this.counters.failed++
    if (this.#decodeError === 'raw' && raw !== undefined) return raw
    const what = raw === undefined ? 'a frame holds no message' : `the body of a message of type ${raw.type} cannot be decoded`
    return this.#leaveOut(this.#decodeError, new MsgStreamError('MSG_DECODE_FAILED', what, { cause, details: { place } }), frame, place)
  }

  #leaveOut(policy: UnmarshalPolicy, error: MsgStreamError, frame: Uint8Array, place: FramePlace | undefined): undefined {
    if (policy !== 'skip' && policy !== 'dead-letter') throw error
    this.counters.skipped++
    if (policy === 'dead-letter') this.#onDeadLetter?.({ frame: frame.slice(), place, error })
    return undefined
  }
}
