/** Comparing and storing ids and positions. */
import { checkChannel, checkMessageId, checkObject, checkTimestamp, show } from './check.ts'
import type { MsgPosition } from './message.ts'
import type { MessageId } from './mq.ts'
import { OffsetId } from './offset-id.ts'

/** Negative, 0 or positive as `a` stands before, at or behind `b` in one channel. Ids of two backends are a `TypeError`. */
export function compareMessageIds(a: MessageId, b: MessageId): number {
  if (a instanceof OffsetId && b instanceof OffsetId && a.backend === b.backend) return a.offset - b.offset
  checkMessageId(a, 'a')
  checkMessageId(b, 'b')
  if (a.backend !== b.backend) throw new TypeError(`expected two ids of one backend, got ${show(a.backend)} and ${show(b.backend)}`)
  const x = a.bytes
  const y = b.bytes
  if (x.length !== y.length) throw new TypeError(`expected two ids of one length, got ${x.length} and ${y.length} bytes`)
  for (let i = 0; i < x.length; i++) {
    const difference = (x[i] as number) - (y[i] as number)
    if (difference !== 0) return difference
  }
  return 0
}

/** By place, then by timestamp. Positions of two channels are a `TypeError`. A position without an id is the channel's start. */
export function comparePositions(a: MsgPosition, b: MsgPosition): number {
  checkPosition(a, 'a')
  checkPosition(b, 'b')
  if (a.channel !== b.channel) throw new TypeError(`expected two positions of one channel, got ${show(a.channel)} and ${show(b.channel)}`)
  const byId = a.msgId === undefined || b.msgId === undefined ? Number(a.msgId !== undefined) - Number(b.msgId !== undefined) : compareMessageIds(a.msgId, b.msgId)
  if (byId !== 0) return byId
  return a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0
}

export function checkPosition(position: unknown, name: string): asserts position is MsgPosition {
  checkObject(position, name)
  const { channel, msgId, timestamp } = position as { channel?: unknown; msgId?: unknown; timestamp?: unknown }
  checkChannel(channel, `${name}.channel`)
  if (msgId !== undefined) checkMessageId(msgId, `${name}.msgId`)
  checkTimestamp(timestamp, `${name}.timestamp`)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const formatVersion = 1

/** Version, timestamp (8 bytes), then channel, backend and id, each with a length byte. */
export function positionToBytes(position: MsgPosition): Uint8Array {
  checkPosition(position, 'position')
  const parts: Uint8Array[] = [encoder.encode(position.channel)]
  if (position.msgId !== undefined) parts.push(encoder.encode(position.msgId.backend), position.msgId.bytes)
  const bytes = new Uint8Array(9 + parts.reduce((sum, part) => sum + 1 + part.length, 0))
  bytes[0] = formatVersion
  new DataView(bytes.buffer).setBigUint64(1, position.timestamp)
  let at = 9
  for (const part of parts) {
    if (part.length > 255) throw new RangeError(`expected parts of a position to be at most 255 bytes, got ${part.length}`)
    bytes[at] = part.length
    bytes.set(part, at + 1)
    at += 1 + part.length
  }
  return bytes
}

export function positionFromBytes(bytes: Uint8Array): MsgPosition {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`expected \`bytes\` to be a Uint8Array, got ${show(bytes)}`)
  const parts: Uint8Array[] = []
  let at = 9
  while (at < bytes.length) {
    const end = at + 1 + (bytes[at] as number)
    parts.push(bytes.subarray(at + 1, end))
    at = end
  }
  if (bytes[0] !== formatVersion || at !== bytes.length || (parts.length !== 1 && parts.length !== 3)) {
    throw new TypeError(`expected the bytes of a position, got ${bytes.length} bytes that are none`)
  }
  const timestamp = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1)
  const [channel, backend, id] = parts
  const msgId = backend === undefined || id === undefined ? undefined : { backend: decoder.decode(backend), bytes: id.slice() }
  return { channel: decoder.decode(channel), msgId, timestamp }
}

/** Plain JSON: the id in hexadecimal, the timestamp as decimal text. */
export interface MsgPositionJson {
  readonly channel: string
  readonly backend?: string | undefined
  readonly id?: string | undefined
  readonly timestamp: string
}

export function positionToJson(position: MsgPosition): MsgPositionJson {
  checkPosition(position, 'position')
  const { channel, msgId, timestamp } = position
  if (msgId === undefined) return { channel, timestamp: String(timestamp) }
  const id = Array.from(msgId.bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return { channel, backend: msgId.backend, id, timestamp: String(timestamp) }
}

export function positionFromJson(json: MsgPositionJson): MsgPosition {
  checkObject(json, 'json')
  const { channel, backend, id, timestamp } = json
  if (typeof timestamp !== 'string' || !/^\d{1,20}$/.test(timestamp)) throw new TypeError(`expected \`timestamp\` to be decimal text, got ${show(timestamp)}`)
  if (id === undefined) return checked({ channel, msgId: undefined, timestamp: BigInt(timestamp) })
  if (typeof id !== 'string' || typeof backend !== 'string' || id.length % 2 !== 0 || !/^[0-9a-f]*$/.test(id)) {
    throw new TypeError(`expected \`backend\` and \`id\` (hexadecimal), got ${show(backend)} and ${show(id)}`)
  }
  const bytes = Uint8Array.from({ length: id.length / 2 }, (_, i) => Number.parseInt(id.slice(2 * i, 2 * i + 2), 16))
  return checked({ channel, msgId: { backend, bytes }, timestamp: BigInt(timestamp) })
}

function checked(position: MsgPosition): MsgPosition {
  checkPosition(position, 'position')
  return position
}
