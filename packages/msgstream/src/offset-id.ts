import type { MessageId } from './mq.ts'
import { checkMessageId, show } from './check.ts'

/** The id of log-like backends: a frame's sequence number, 8 bytes big-endian. The bytes are made when someone asks. */
export class OffsetId implements MessageId {
  readonly backend: string
  readonly offset: number

  constructor(backend: string, offset: number) {
    this.backend = backend
    this.offset = offset
  }

  get bytes(): Uint8Array {
    const bytes = new Uint8Array(8)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, Math.floor(this.offset / 2 ** 32))
    view.setUint32(4, this.offset >>> 0)
    return bytes
  }
}

/** The offset of an id of this backend; ids of others are a `TypeError`. */
export function offsetOf(id: MessageId, backend: string, name = 'id'): number {
  if (id instanceof OffsetId && id.backend === backend) return id.offset
  checkMessageId(id, name)
  const { bytes } = id
  if (id.backend !== backend || bytes.length !== 8) {
    throw new TypeError(`expected \`${name}\` to be an id of ${backend} (8 bytes), got one of ${show(id.backend)} (${bytes.length} bytes)`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8)
  const offset = view.getUint32(0) * 2 ** 32 + view.getUint32(4)
  if (!Number.isSafeInteger(offset)) throw new RangeError(`expected \`${name}\` to be below 2 ** 53, got ${offset}`)
  return offset
}
