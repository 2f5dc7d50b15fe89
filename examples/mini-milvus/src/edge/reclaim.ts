/** Memory that was dropped in bulk is given back by a process that may have nothing more to do. */
import type { NodeClock } from './system.ts'

const PIECE_BYTES = 16 << 20
/** V8 looks for garbage when buffers outside its heap have grown by 64 MB since it did so last. */
const ENOUGH_BYTES = 96 << 20
const BETWEEN_MS = 10

/**
 * V8 collects while a process allocates, and an idle one keeps what it dropped for as long as it is idle. So this allocates: a few buffers that
 * nobody writes to, which cost no memory, piece by piece, as one large one would make it collect at once instead of in steps.
 */
export function reclaim(droppedBytes: number, { setTimer }: Pick<NodeClock, 'setTimer'>): void {
  if (droppedBytes < PIECE_BYTES) return
  let left = ENOUGH_BYTES
  const next = (): void => {
    try {
      void new ArrayBuffer(PIECE_BYTES)
    } catch {
      // No room at all: then V8 has just collected all that there was.
      return
    }
    left -= PIECE_BYTES
    if (left > 0) setTimer(next, BETWEEN_MS)
  }
  next()
}
