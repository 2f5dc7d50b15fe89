/**
 * The envelope: how a message lies in a frame. Fixed little-endian header, so that type and time are read without
 * touching the rest; the body is a view.
 *
 *     0 u32 magic "TTM1"   4 u8 version   5 u8 flags   6 u16 type   8 u64 beginTs   16 u64 endTs   24 u64 id
 *     32 u16 hash keys     34 u16 property bytes   36 u32 body bytes   40 u32 CRC-32 (0 without flag 1)
 *     44 hash keys (u32 each), properties (u16 count, then u16 length + UTF-8 for each key and value), body
 *
 * The checksum is optional and off by default: the file queue, Kafka and Pulsar check their records anyway, and two
 * `zlib.crc32` of 1 KB cost 650 ns where everything else costs 250. Plain CRC-32 and not CRC32C because Node has the
 * first in native code. A backend without a check of its own asks for it (`checksum: true`).
 */
import { crc32 } from 'node:zlib'
import { MsgStreamError } from './errors.ts'
import { u32, u64 } from './frame-bytes.ts'
import type { TsMsg } from './message.ts'
import { encodeProperties } from './properties.ts'
import { WireMsg } from './ts-msg.ts'

export const ENVELOPE_MAGIC = 0x314d5454
export const ENVELOPE_VERSION = 1
export const ENVELOPE_HEADER_BYTES = 44
const checksumFlag = 1

export interface EncodeOptions {
  /** Add a CRC-32 over the whole frame. @default false */
  readonly checksum?: boolean | undefined
}

/** The bytes that {@link encodeEnvelopeInto} will write. */
export function envelopeBytes(msg: TsMsg): number {
  const properties = encodeProperties(msg.properties)
  return ENVELOPE_HEADER_BYTES + 4 * msg.hashKeys.length + properties.length + msg.body.length
}

/** Write a message at `at` and give the offset behind it. `view` must look at the same bytes as `target`. */
export function encodeEnvelopeInto(msg: TsMsg, target: Uint8Array, view: DataView, at: number, options?: EncodeOptions): number {
  const { hashKeys, body } = msg
  const properties = encodeProperties(msg.properties)
  view.setUint32(at, ENVELOPE_MAGIC, true)
  view.setUint32(at + 4, ENVELOPE_VERSION | (msg.type << 16), true)
  view.setBigUint64(at + 8, msg.beginTs, true)
  view.setBigUint64(at + 16, msg.endTs, true)
  view.setBigUint64(at + 24, msg.id, true)
  view.setUint32(at + 32, hashKeys.length | (properties.length << 16), true)
  view.setUint32(at + 36, body.length, true)
  view.setUint32(at + 40, 0, true)
  let end = at + ENVELOPE_HEADER_BYTES
  for (let i = 0; i < hashKeys.length; i++, end += 4) view.setUint32(end, hashKeys[i] as number, true)
  if (properties.length > 0) {
    target.set(properties, end)
    end += properties.length
  }
  target.set(body, end)
  end += body.length
  if (options?.checksum === true) {
    view.setUint8(at + 5, checksumFlag)
    view.setUint32(at + 40, crc32(target.subarray(at, end)), true)
  }
  return end
}

/** Many messages in one allocation: one frame each, views of the same buffer. */
export function encodeEnvelopes(msgs: readonly TsMsg[], options?: EncodeOptions): Uint8Array[] {
  let total = 0
  for (let i = 0; i < msgs.length; i++) total += envelopeBytes(msgs[i] as TsMsg)
  const buffer = new ArrayBuffer(total)
  const target = new Uint8Array(buffer)
  const view = new DataView(buffer)
  const frames: Uint8Array[] = []
  let at = 0
  for (let i = 0; i < msgs.length; i++) {
    const end = encodeEnvelopeInto(msgs[i] as TsMsg, target, view, at, options)
    // Half the cost of `subarray`.
    frames.push(new Uint8Array(buffer, at, end - at))
    at = end
  }
  return frames
}

export function encodeEnvelope(msg: TsMsg, options?: EncodeOptions): Uint8Array {
  return encodeEnvelopes([msg], options)[0] as Uint8Array
}

function sameU64(frame: Uint8Array, a: number, b: number): boolean {
  return u32(frame, a) === u32(frame, b) && u32(frame, a + 4) === u32(frame, b + 4)
}

/** The type of an encoded message without decoding it, or -1 when the frame is no envelope of this version. */
export function peekType(frame: Uint8Array): number {
  if (frame.length < ENVELOPE_HEADER_BYTES || u32(frame, 0) !== ENVELOPE_MAGIC || frame[4] !== ENVELOPE_VERSION) return -1
  return (frame[6] as number) | ((frame[7] as number) << 8)
}

/** `endTs` of an encoded message; only after {@link peekType} gave a type. */
export function peekEndTs(frame: Uint8Array): bigint {
  return u64(frame, 16)
}

/**
 * Read a frame. The body, the id, the hash keys and the properties are views or are read when asked for; the frame must stay unchanged.
 * Throws `MSG_CORRUPT` when lengths or the checksum do not fit, `MSG_VERSION` for a newer envelope.
 */
export function decodeEnvelope(frame: Uint8Array): TsMsg {
  if (frame.length < ENVELOPE_HEADER_BYTES || u32(frame, 0) !== ENVELOPE_MAGIC) throw corrupt(frame, 'no envelope')
  if (frame[4] !== ENVELOPE_VERSION) {
    throw new MsgStreamError('MSG_VERSION', `envelope version ${frame[4]}, this release reads ${ENVELOPE_VERSION}`)
  }
  const keys = (frame[32] as number) | ((frame[33] as number) << 8)
  const propertyBytes = (frame[34] as number) | ((frame[35] as number) << 8)
  const bodyAt = ENVELOPE_HEADER_BYTES + 4 * keys + propertyBytes
  if (bodyAt + u32(frame, 36) !== frame.length) throw corrupt(frame, 'lengths do not fit the frame')
  if (((frame[5] as number) & checksumFlag) !== 0) verify(frame)
  const type = (frame[6] as number) | ((frame[7] as number) << 8)
  const endTs = u64(frame, 16)
  return new WireMsg(type, sameU64(frame, 8, 16) ? endTs : u64(frame, 8), endTs, frame, keys, bodyAt)
}

function verify(frame: Uint8Array): void {
  const zeros = new Uint8Array(4)
  const sum = crc32(frame.subarray(44), crc32(zeros, crc32(frame.subarray(0, 40))))
  if (sum !== u32(frame, 40)) throw corrupt(frame, 'checksum differs')
}

function corrupt(frame: Uint8Array, what: string): MsgStreamError {
  return new MsgStreamError('MSG_CORRUPT', `bad envelope: ${what}`, { details: { bytes: frame.length } })
}

