/** The messages of `proto/timetick_tso.proto`, laid by hand: ours are written in one piece, and any protobuf encoder's are read. */

export interface TimestampRequest {
  readonly id: number
  readonly count: number
}

export interface TimestampResponse {
  readonly id: number
  readonly first: bigint
  readonly count: number
  readonly failure: TimestampFailure | undefined
}

export interface TimestampFailure {
  readonly code: string
  readonly message: string
  readonly leader: string
  readonly retryable: boolean
}

const FIXED32 = 5
const FIXED64 = 1
const BYTES = 2
const VARINT = 0
const tag = (field: number, type: number): number => (field << 3) | type

export function encodeRequest({ id, count }: TimestampRequest): Buffer {
  const bytes = Buffer.allocUnsafe(10)
  bytes[0] = tag(1, FIXED32)
  bytes.writeUInt32LE(id, 1)
  bytes[5] = tag(2, FIXED32)
  bytes.writeUInt32LE(count, 6)
  return bytes
}

export function decodeRequest(bytes: Buffer): TimestampRequest {
  const fields = readFields(bytes)
  return { id: fields.numbers[1] ?? 0, count: fields.numbers[2] ?? 0 }
}

export function encodeResponse({ id, first, count, failure }: TimestampResponse): Buffer {
  if (failure !== undefined) return encodeFailure(id, failure)
  const bytes = Buffer.allocUnsafe(19)
  bytes[0] = tag(1, FIXED32)
  bytes.writeUInt32LE(id, 1)
  bytes[5] = tag(2, FIXED64)
  bytes.writeBigUInt64LE(first, 6)
  bytes[14] = tag(3, FIXED32)
  bytes.writeUInt32LE(count, 15)
  return bytes
}

function encodeFailure(id: number, { code, message, leader, retryable }: TimestampFailure): Buffer {
  const head = Buffer.alloc(5)
  head[0] = tag(1, FIXED32)
  head.writeUInt32LE(id, 1)
  const parts = [head]
  for (const [field, text] of [[4, code], [5, message.slice(0, 500)], [6, leader.slice(0, 200)]] as const) {
    const utf8 = Buffer.from(text)
    parts.push(Buffer.from([tag(field, BYTES), ...varint(utf8.length)]), utf8)
  }
  parts.push(Buffer.from([tag(7, VARINT), retryable ? 1 : 0]))
  return Buffer.concat(parts)
}

export function decodeResponse(bytes: Buffer): TimestampResponse {
  const { numbers, longs, texts } = readFields(bytes)
  const code = texts[4] ?? ''
  const failure = code === '' ? undefined : { code, message: texts[5] ?? '', leader: texts[6] ?? '', retryable: numbers[7] === 1 }
  return { id: numbers[1] ?? 0, first: longs[2] ?? 0n, count: numbers[3] ?? 0, failure }
}

/** The answer of the standard health service: 1 serving, 2 not serving. */
export function encodeHealth(status: number): Buffer {
  return Buffer.from([tag(1, VARINT), status])
}

export function decodeHealth(bytes: Buffer): number {
  return readFields(bytes).numbers[1] ?? 0
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]
}

interface Fields {
  readonly numbers: Record<number, number>
  readonly longs: Record<number, bigint>
  readonly texts: Record<number, string>
}

/** Any fields in any order; unknown ones are kept too, and nobody asks for them. */
function readFields(bytes: Buffer): Fields {
  const fields: Fields = { numbers: {}, longs: {}, texts: {} }
  const end = bytes.length
  let at = 0
  const need = (count: number): number => {
    const start = at
    at += count
    if (at > end) throw new RangeError(`expected ${count} more bytes of a message, got ${end - start}`)
    return start
  }
  const readVarint = (): number => {
    let value = 0
    for (let index = 0; index < 10; index++) {
      const byte = bytes[need(1)] ?? 0
      if (index < 5) value += (byte & 127) * 2 ** (7 * index)
      if (byte < 128) return value
    }
    throw new RangeError('expected a varint of at most 10 bytes')
  }
  while (at < end) {
    const key = readVarint()
    const field = Math.floor(key / 8)
    const type = key % 8
    if (type === FIXED32) fields.numbers[field] = bytes.readUInt32LE(need(4))
    else if (type === FIXED64) fields.longs[field] = bytes.readBigUInt64LE(need(8))
    else if (type === VARINT) fields.numbers[field] = readVarint()
    else if (type === BYTES) {
      const length = readVarint()
      const start = need(length)
      fields.texts[field] = bytes.toString('utf8', start, start + length)
    } else throw new RangeError(`expected a wire type of 0, 1, 2 or 5, got ${type}`)
  }
  return fields
}
