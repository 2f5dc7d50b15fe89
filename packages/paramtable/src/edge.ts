/** The only file of this package's core that touches real time. */
import { open } from 'node:fs/promises'
import type { Clock } from './clock.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** The text of a file. A file above `maxBytes`, or one that is not UTF-8, is refused. */
export async function readTextFile(path: string, maxBytes: number, signal: AbortSignal | undefined): Promise<string> {
  const handle = await open(path, 'r')
  try {
    const { size } = await handle.stat()
    if (size > maxBytes) throw new RangeError(`expected at most ${maxBytes} bytes, got ${size}`)
    signal?.throwIfAborted()
    return new TextDecoder('utf-8', { fatal: true }).decode(await handle.readFile())
  } finally {
    await handle.close()
  }
}
