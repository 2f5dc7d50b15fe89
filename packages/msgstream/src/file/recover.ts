/** Finding the end of the newest segment, and cutting what a crash left behind it. */
import { checkFrame, checkSegmentHeader, corrupt, FRAME_HEADER_BYTES, frameBytes, frameGroup, frameMagic, frameOffset, SEGMENT_HEADER_BYTES } from './frame.ts'
import { readFully, type FileSystem, type OpenFile } from './file-system.ts'
import type { Segment } from './segment.ts'

const chunkBytes = 4 << 20

/** A tail that was cut off when the queue was opened: it was never acknowledged. */
export interface DroppedTail {
  readonly channel: string
  readonly path: string
  readonly from: number
  readonly bytes: number
}

/** Sets the segment's size; gives the offset behind its last frame and how many bytes were cut. Without `cut` the file stays as it is. */
export async function recoverSegment(fs: FileSystem, segment: Segment, cut: boolean): Promise<{ end: number; dropped: number }> {
  const file = await fs.open(segment.path, cut ? 'write' : 'read')
  try {
    const size = await file.size()
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = await readFully(file, header, 0)
    checkSegmentHeader(header.subarray(0, got), segment.base, segment.path)
    const { offset, position } = await findEnd(file, segment, size)
    if (position < size) {
      await refuseDamage(file, segment.path, offset, position, size)
      if (cut) await file.truncate(position)
    }
    // Frames that were written and not synced are about to be shown to readers: make them durable first.
    await file.datasync()
    segment.size = position
    return { end: offset, dropped: cut ? size - position : 0 }
  } finally {
    await file.close()
  }
}

/** What another process may show of a segment whose writer is gone: made durable first. Changes nothing. */
export async function soundEnd(fs: FileSystem, segment: Segment): Promise<number> {
  const file = await fs.open(segment.path, 'read')
  try {
    const size = await file.size()
    segment.size = size
    const { offset } = await findEnd(file, segment, size)
    await file.datasync()
    return offset
  } finally {
    await file.close()
  }
}

async function findEnd(file: OpenFile, segment: Segment, size: number): Promise<{ offset: number; position: number }> {
  let position = SEGMENT_HEADER_BYTES
  let offset = segment.base
  let wanted = chunkBytes
  while (position < size) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(wanted, size - position))
    const bytes = await readFully(file, chunk, position)
    let place = 0
    for (;;) {
      const total = checkFrame(chunk, place, bytes, position)
      if (total < 0 || (total > 0 && frameOffset(chunk, place) !== offset)) return { offset, position }
      if (total === 0) break
      segment.note(offset, position)
      place += total
      position += total
      offset++
    }
    if (place > 0) continue
    const needed = bytes < FRAME_HEADER_BYTES ? Infinity : frameBytes(chunk, 0)
    if (position + needed > size) return { offset, position }
    wanted = needed
  }
  return { offset, position }
}

/**
 * Behind the end there may be anything that a torn write leaves, but no sound frame of a later group: such a group was
 * only written when everything before it had been synced, so acknowledged frames are damaged.
 */
async function refuseDamage(file: OpenFile, path: string, offset: number, from: number, size: number): Promise<void> {
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(frameMagic)
  for (let position = from; position < size; position += chunkBytes) {
    // Chunks overlap by a header, so that none is cut in two unseen.
    const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes + FRAME_HEADER_BYTES, size - position))
    const bytes = await readFully(file, chunk, position)
    for (let at = chunk.indexOf(magic); at !== -1 && at < Math.min(bytes, chunkBytes); at = chunk.indexOf(magic, at + 1)) {
      if (at + FRAME_HEADER_BYTES > bytes) break
      const found = position + at
      if (frameOffset(chunk, at) <= offset || frameGroup(chunk, at) <= offset || found + frameBytes(chunk, at) > size) continue
      const frame = Buffer.allocUnsafeSlow(frameBytes(chunk, at))
      const read = await readFully(file, frame, found)
      if (checkFrame(frame, 0, read, found) > 0) {
        throw corrupt(path, from, found, 'acknowledged frames are damaged', { offset, next: frameOffset(frame, 0) })
      }
    }
  }
}
