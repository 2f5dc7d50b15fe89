/** Ids of backends that keep a pack of frames as one entry. */
import { checkMessageId, show } from '../check.ts'
import type { MessageId } from '../mq.ts'

/**
 * The entry's own two numbers and the frame's index in its pack: 8 + 8 + 4 bytes, big-endian. The last bit says whether it is the
 * pack's last frame: who read that one does not need the entry any more.
 */
export class EntryId implements MessageId {
  readonly backend: string
  readonly high: number
  readonly low: number
  readonly index: number
  readonly isLast: boolean

  constructor(backend: string, high: number, low: number, index: number, isLast: boolean) {
    this.backend = backend
    this.high = high
    this.low = low
    this.index = index
    this.isLast = isLast
  }

  get bytes(): Uint8Array {
    const bytes = new Uint8Array(20)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, Math.floor(this.high / 2 ** 32))
    view.setUint32(4, this.high >>> 0)
    view.setUint32(8, Math.floor(this.low / 2 ** 32))
    view.setUint32(12, this.low >>> 0)
    view.setUint32(16, this.index * 2 + Number(this.isLast))
    return bytes
  }
}

export function entryIdOf(id: MessageId, backend: string, name: string): EntryId {
  if (id instanceof EntryId && id.backend === backend) return id
  checkMessageId(id, name)
  const { bytes } = id
  if (id.backend !== backend || bytes.length !== 20) {
    throw new TypeError(`expected \`${name}\` to be an id of ${backend} (20 bytes), got one of ${show(id.backend)} (${bytes.length} bytes)`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, 20)
  const high = view.getUint32(0) * 2 ** 32 + view.getUint32(4)
  const low = view.getUint32(8) * 2 ** 32 + view.getUint32(12)
  if (!Number.isSafeInteger(high) || !Number.isSafeInteger(low)) throw new RangeError(`expected \`${name}\` to hold numbers below 2 ** 53`)
  const index = view.getUint32(16)
  return new EntryId(backend, high, low, index >>> 1, (index & 1) === 1)
}

/** Ids of the frames of one entry, from the one at `skip` on. */
export function entryIds(backend: string, high: number, low: number, count: number, skip = 0): EntryId[] {
  const ids: EntryId[] = []
  addEntryIds(ids, backend, high, low, count, skip)
  return ids
}

export function addEntryIds(ids: MessageId[], backend: string, high: number, low: number, count: number, skip: number): void {
  for (let i = skip; i < count; i++) ids.push(new EntryId(backend, high, low, i, i === count - 1))
}

/** Where a reader stands: behind frame `index - 1` of the entry `(high, low)`, which is the next one it needs. */
export interface EntryCursor {
  readonly high: number
  readonly low: number
  readonly index: number
}

/** The first frame to deliver for `from` and `after`. */
export function cursorOf(id: EntryId, isAfter: boolean): EntryCursor {
  const { high, low, index, isLast } = id
  if (!isAfter) return { high, low, index }
  return isLast ? { high, low: low + 1, index: 0 } : { high, low, index: index + 1 }
}
