/** Several frames as one entry of a broker: version, count, lengths, bytes. */
import { MsgStreamError } from '../errors.ts'

const version = 1
const headerBytes = 5

export function packFrames(frames: readonly Uint8Array[]): Buffer {
  let at = headerBytes + 4 * frames.length
  const pack = Buffer.allocUnsafe(frames.reduce((sum, { length }) => sum + length, at))
  pack[0] = version
  pack.writeUInt32BE(frames.length, 1)
  for (let i = 0; i < frames.length; i++) {
    const frame = frames[i] as Uint8Array
    pack.writeUInt32BE(frame.length, headerBytes + 4 * i)
    pack.set(frame, at)
    at += frame.length
  }
  return pack
}

/** How many frames a pack has. Throws `MSG_CORRUPT` for what is none, `MSG_VERSION` for one of a newer release. */
export function packCount(pack: Buffer, place: string): number {
  if (pack.length >= headerBytes && pack[0] !== version && pack[0] !== 0) {
    throw new MsgStreamError('MSG_VERSION', `entry ${place} has format ${pack[0]}, this release reads ${version}`)
  }
  const count = pack.length < headerBytes ? 0 : pack.readUInt32BE(1)
  if (count === 0 || headerBytes + 4 * count > pack.length) throw new MsgStreamError('MSG_CORRUPT', `entry ${place} is not a pack`, { details: { place } })
  return count
}

/** The frames from `skip` on, as views of the pack, behind those in `frames`. */
export function unpackFrames(pack: Buffer, skip: number, place: string, frames: Uint8Array[] = []): Uint8Array[] {
  const count = packCount(pack, place)
  const before = frames.length
  const { buffer, byteOffset, length: total } = pack
  let at = headerBytes + 4 * count
  for (let i = 0; i < count; i++) {
    const length = u32(pack, headerBytes + 4 * i)
    if (at + length > total) throw cutOff(frames, before, place, total, at + length)
    // A third of the cost of a Buffer's `subarray`.
    if (i >= skip) frames.push(new Uint8Array(buffer, byteOffset + at, length))
    at += length
  }
  if (at === pack.length) return frames
  throw cutOff(frames, before, place, total, at)
}

function cutOff(frames: Uint8Array[], before: number, place: string, bytes: number, wanted: number): MsgStreamError {
  frames.length = before
  return new MsgStreamError('MSG_CORRUPT', `entry ${place} has ${bytes} bytes, not ${wanted}`, { details: { place } })
}

/** Big-endian; within the pack, which `packCount` made sure of. */
function u32(pack: Buffer, at: number): number {
  return (((pack[at] as number) << 24) | ((pack[at + 1] as number) << 16) | ((pack[at + 2] as number) << 8) | (pack[at + 3] as number)) >>> 0
}

export const packBytes = (frames: readonly Uint8Array[]): number => frames.reduce((sum, { length }) => sum + length + 4, headerBytes)

/** Groups that fit into entries of this size, in order; one group where everything fits. */
export function splitBySize(frames: readonly Uint8Array[], maxBytes: number, overhead: number): (readonly Uint8Array[])[] {
  const groups: Uint8Array[][] = []
  let group: Uint8Array[] = []
  let bytes = 0
  for (const frame of frames) {
    const size = frame.length + overhead
    if (group.length > 0 && bytes + size > maxBytes) {
      groups.push(group)
      group = []
      bytes = 0
    }
    group.push(frame)
    bytes += size
  }
  if (group.length > 0) groups.push(group)
  return groups
}
