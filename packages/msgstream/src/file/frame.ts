/**
 * What lies in a segment file, little-endian.
 *
 *     segment  0 "TTSG"  4 u32 version  8 u64 base offset  16 u32 epoch  20 u32 CRC-32 of bytes 0..19  24 zeros to 32
 *     frame    0 "TTFR"  4 u32 CRC-32   8 u32 length  12 u64 offset  20 u32 epoch  24 u32 back   28 payload
 *
 * The CRC covers bytes 8 to the end, begun with the frame's place in the file: so a block that was written elsewhere, or is
 * left from earlier, does not pass. `back` is how many frames before this one its group began: everything before that
 * was synced when it was written. That tells a torn tail (never acknowledged) from damage (acknowledged and lost).
 */
import { crc32 } from 'node:zlib'
import { MsgStreamError } from '../errors.ts'

export const SEGMENT_HEADER_BYTES = 32
export const FRAME_HEADER_BYTES = 28
export const FORMAT_VERSION = 1
export const frameMagic = 0x52465454
const segmentMagic = 0x47535454

export function encodeSegmentHeader(base: number, epoch: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.writeUInt32LE(segmentMagic, 0)
  header.writeUInt32LE(FORMAT_VERSION, 4)
  header.writeBigUInt64LE(BigInt(base), 8)
  header.writeUInt32LE(epoch, 16)
  header.writeUInt32LE(crc32(header.subarray(0, 20)), 20)
  return header
}

export function checkSegmentHeader(header: Buffer, base: number, path: string): void {
  const whole = header.length === SEGMENT_HEADER_BYTES && header.readUInt32LE(0) === segmentMagic
  if (!whole || header.readUInt32LE(20) !== crc32(header.subarray(0, 20)) || header.readBigUInt64LE(8) !== BigInt(base)) {
    throw corrupt(path, 0, SEGMENT_HEADER_BYTES, 'bad segment header')
  }
  const version = header.readUInt32LE(4)
  if (version > FORMAT_VERSION) {
    throw new MsgStreamError('MSG_VERSION', `${path} has format ${version}, this release reads up to ${FORMAT_VERSION}`, { details: { path, version } })
  }
}

/** Fill in the header of a frame whose length and payload are in place; gives the bytes of the whole frame. */
export function sealFrame(buffer: Buffer, at: number, offset: number, epoch: number, back: number, position: number): number {
  const total = FRAME_HEADER_BYTES + buffer.readUInt32LE(at + 8)
  buffer.writeUInt32LE(frameMagic, at)
  buffer.writeUInt32LE(offset >>> 0, at + 12)
  buffer.writeUInt32LE(Math.floor(offset / 2 ** 32), at + 16)
  buffer.writeUInt32LE(epoch, at + 20)
  buffer.writeUInt32LE(back, at + 24)
  buffer.writeUInt32LE(crc32(buffer.subarray(at + 8, at + total), position >>> 0), at + 4)
  return total
}

/** Bytes of the frame at `at`: 0 when `limit` comes before its end, -1 when it is no frame that was written at this place. */
export function checkFrame(buffer: Buffer, at: number, limit: number, position: number): number {
  if (at + FRAME_HEADER_BYTES > limit) return 0
  if (buffer.readUInt32LE(at) !== frameMagic) return -1
  const total = frameBytes(buffer, at)
  if (at + total > limit) return 0
  return crc32(buffer.subarray(at + 8, at + total), position >>> 0) === buffer.readUInt32LE(at + 4) ? total : -1
}

export function frameBytes(buffer: Buffer, at: number): number {
  return FRAME_HEADER_BYTES + buffer.readUInt32LE(at + 8)
}

export function frameOffset(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 12) + buffer.readUInt32LE(at + 16) * 2 ** 32
}

/** The first offset of the group that this frame was written with. */
export function frameGroup(buffer: Buffer, at: number): number {
  return frameOffset(buffer, at) - buffer.readUInt32LE(at + 24)
}

export function corrupt(path: string, from: number, to: number, what: string, details: Record<string, unknown> = {}): MsgStreamError {
  return new MsgStreamError('MSG_CORRUPT', `${path}: ${what}, bytes ${from}..${to}`, { details: { path, from, to, ...details } })
}
