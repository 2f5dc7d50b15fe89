/** The two kinds of {@link TsMsg}: made here to be sent, and read from a frame. */
import { checkTimestamp, show } from './check.ts'
import { u64 } from './frame-bytes.ts'
import type { MsgPosition, Timestamp, TsMsg } from './message.ts'
import { MsgType } from './message.ts'
import type { MessageId } from './mq.ts'
import { copyProperties, decodeProperties, type Properties } from './properties.ts'

export interface TsMsgInit {
  /** 0 to 65,535; see {@link MsgType}. */
  readonly type: number
  /** Both ends of the covered time, where they are equal. @default 0n */
  readonly ts?: Timestamp | undefined
  readonly beginTs?: Timestamp | undefined
  readonly endTs?: Timestamp | undefined
  /** @default 0n */
  readonly id?: bigint | undefined
  /** Unsigned 32-bit numbers, at most 65,535 of them. @default [] */
  readonly hashKeys?: readonly number[] | undefined
  readonly properties?: Readonly<Record<string, string>> | undefined
  /** Kept, not copied: leave it alone until the message was sent. @default empty */
  readonly body?: Uint8Array | undefined
}

const noBytes = new Uint8Array(0)
const noKeys: readonly number[] = Object.freeze([])

class OwnMsg implements TsMsg {
  readonly type: number
  beginTs: Timestamp
  endTs: Timestamp
  readonly id: bigint
  readonly hashKeys: readonly number[]
  readonly properties: Properties
  readonly body: Uint8Array
  position: MsgPosition | undefined
  late: boolean | undefined

  constructor(type: number, beginTs: Timestamp, endTs: Timestamp, id: bigint, hashKeys: readonly number[], properties: Properties, body: Uint8Array) {
    this.type = type
    this.beginTs = beginTs
    this.endTs = endTs
    this.id = id
    this.hashKeys = hashKeys
    this.properties = properties
    this.body = body
  }

  setTs(ts: Timestamp): void {
    checkTimestamp(ts, 'ts')
    this.beginTs = ts
    this.endTs = ts
  }
}

/** A message to send. Everything is checked here, so that encoding cannot fail later. */
export function createTsMsg(init: TsMsgInit): TsMsg {
  if (typeof init !== 'object' || init === null) throw new TypeError(`expected \`init\` to be an object, got ${show(init)}`)
  const { type, ts = 0n, id = 0n, hashKeys = noKeys, body = noBytes } = init
  if (!Number.isInteger(type) || type < 0 || type > 0xffff) throw new RangeError(`expected \`type\` to be an integer in 0..65535, got ${show(type)}`)
  const beginTs = init.beginTs ?? ts
  const endTs = init.endTs ?? ts
  checkTimestamp(beginTs, 'beginTs')
  checkTimestamp(endTs, 'endTs')
  if (beginTs > endTs) throw new RangeError(`expected \`beginTs\` to be at most \`endTs\` (${endTs}n), got ${show(beginTs)}`)
  checkTimestamp(id, 'id')
  if (!(body instanceof Uint8Array)) throw new TypeError(`expected \`body\` to be a Uint8Array, got ${show(body)}`)
  return new OwnMsg(type, beginTs, endTs, id, copyKeys(hashKeys), copyProperties(init.properties), body)
}

function copyKeys(keys: readonly number[]): readonly number[] {
  if (keys === noKeys) return noKeys
  if (!Array.isArray(keys) || keys.length > 0xffff) throw new TypeError(`expected \`hashKeys\` to be at most 65,535 numbers, got ${show(keys)}`)
  for (const key of keys as readonly unknown[]) {
    if (typeof key !== 'number' || key >>> 0 !== key) throw new RangeError(`expected \`hashKeys\` to be integers in 0..4294967295, got ${show(key)}`)
  }
  return [...(keys as readonly number[])]
}

/** A time tick: everything at or below `ts` came before it in its channel. */
export function createTimeTick(ts: Timestamp): TsMsg {
  return createTsMsg({ type: MsgType.timeTick, ts })
}

/** A received message: header fields are read, the rest is made from the frame when asked for. */
export class WireMsg implements TsMsg {
  readonly type: number
  beginTs: Timestamp
  endTs: Timestamp
  late: boolean | undefined
  readonly #frame: Uint8Array
  readonly #keyCount: number
  readonly #bodyAt: number
  #channel: string | undefined
  #msgId: MessageId | undefined
  #properties: Properties | undefined
  #body: Uint8Array | undefined

  constructor(type: number, beginTs: Timestamp, endTs: Timestamp, frame: Uint8Array, keyCount: number, bodyAt: number) {
    this.type = type
    this.beginTs = beginTs
    this.endTs = endTs
    this.late = undefined
    this.#frame = frame
    this.#keyCount = keyCount
    this.#bodyAt = bodyAt
  }

  get id(): bigint {
    return u64(this.#frame, 24)
  }

  get body(): Uint8Array {
    const at = this.#bodyAt
    // Half the cost of `subarray`, and never a Buffer.
    return (this.#body ??= new Uint8Array(this.#frame.buffer, this.#frame.byteOffset + at, this.#frame.length - at))
  }

  get hashKeys(): readonly number[] {
    if (this.#keyCount === 0) return noKeys
    const view = new DataView(this.#frame.buffer, this.#frame.byteOffset + 44, 4 * this.#keyCount)
    return Array.from({ length: this.#keyCount }, (_, i) => view.getUint32(4 * i, true))
  }

  get properties(): Properties {
    return (this.#properties ??= decodeProperties(this.#frame.subarray(44 + 4 * this.#keyCount, this.#bodyAt)))
  }

  /** Where it stands; its timestamp is 0n, so that reading on from here skips nothing. */
  get position(): MsgPosition | undefined {
    if (this.#channel === undefined) return undefined
    return { channel: this.#channel, msgId: this.#msgId, timestamp: 0n }
  }

  /** Called by the stream that received it. */
  place(channel: string, msgId: MessageId): void {
    this.#channel = channel
    this.#msgId = msgId
  }

  setTs(ts: Timestamp): void {
    checkTimestamp(ts, 'ts')
    this.beginTs = ts
    this.endTs = ts
  }
}

/** Tell a received message where it stands, whoever made it. */
export function placeMsg(msg: TsMsg, channel: string, msgId: MessageId): void {
  if (msg instanceof WireMsg) msg.place(channel, msgId)
  else msg.position = { channel, msgId, timestamp: 0n }
}
