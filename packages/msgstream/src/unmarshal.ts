/** From frames to messages, by type. */
import { checkFunction, enumOption, show } from './check.ts'
import { decodeEnvelope } from './envelope.ts'
import { MsgStreamError } from './errors.ts'
import type { TsMsg } from './message.ts'

/** Makes a typed message of a raw one, whose envelope is decoded and whose body is not. */
export type UnmarshalFunc = (raw: TsMsg) => TsMsg

export interface UnmarshalOptions {
  /** A type without template. @default 'raw': delivered as it came */
  readonly unknownType?: 'raw' | 'skip' | 'fail' | undefined
  /** A frame that is no envelope, or a template that throws. `raw` delivers the raw message where the envelope is sound, else fails. @default 'fail' */
  readonly decodeError?: 'raw' | 'skip' | 'fail' | undefined
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

/** The appendix's dispatcher: templates by message type. */
export class UnmarshalDispatcher {
  readonly counters: UnmarshalCounters = { decoded: 0, unknown: 0, failed: 0, skipped: 0 }
  readonly #templates = new Map<number, UnmarshalFunc>()
  readonly #unknownType: 'raw' | 'skip' | 'fail'
  readonly #decodeError: 'raw' | 'skip' | 'fail'

  constructor(options: UnmarshalOptions = {}) {
    this.#unknownType = enumOption(options.unknownType, 'unknownType', 'raw', ['raw', 'skip', 'fail'])
    this.#decodeError = enumOption(options.decodeError, 'decodeError', 'fail', ['raw', 'skip', 'fail'])
  }

  /** Decode messages of this type with `unmarshal`; replaces an earlier one. */
  addMsgTemplate(type: number, unmarshal: UnmarshalFunc): this {
    if (!Number.isInteger(type) || type < 0 || type > 0xffff) throw new RangeError(`expected \`type\` to be an integer in 0..65535, got ${show(type)}`)
    checkFunction(unmarshal, 'unmarshal')
    this.#templates.set(type, unmarshal)
    return this
  }

  /** The message in a frame, or `undefined` where a policy leaves it out. Throws `MSG_DECODE_FAILED` or `MSG_UNKNOWN_TYPE` under `fail`. */
  unmarshal(frame: Uint8Array): TsMsg | undefined {
    if (!(frame instanceof Uint8Array)) throw new TypeError(`expected \`frame\` to be a Uint8Array, got ${show(frame)}`)
    let raw: TsMsg | undefined
    try {
      raw = decodeEnvelope(frame)
      const template = this.#templates.get(raw.type)
      if (template === undefined) return this.#unknown(raw)
      const msg = template(raw)
      this.counters.decoded++
      return msg
    } catch (cause) {
      if (cause instanceof MsgStreamError && cause.code === 'MSG_UNKNOWN_TYPE') throw cause
      return this.#failed(raw, cause)
    }
  }

  #unknown(raw: TsMsg): TsMsg | undefined {
    this.counters.unknown++
    if (this.#unknownType === 'raw') return raw
    if (this.#unknownType === 'fail') throw new MsgStreamError('MSG_UNKNOWN_TYPE', `no template for message type ${raw.type}`, { details: { type: raw.type } })
    this.counters.skipped++
    return undefined
  }

  #failed(raw: TsMsg | undefined, cause: unknown): TsMsg | undefined {
    this.counters.failed++
    if (this.#decodeError === 'raw' && raw !== undefined) return raw
    if (this.#decodeError !== 'skip') {
      throw new MsgStreamError('MSG_DECODE_FAILED', raw === undefined ? 'a frame holds no message' : `the body of a message of type ${raw.type} cannot be decoded`, { cause })
    }
    this.counters.skipped++
    return undefined
  }
}
