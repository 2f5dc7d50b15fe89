import { availableParallelism, totalmem } from 'node:os'

/** Real time for the node. Every role takes this interface, so that a whole node can run on a simulated clock. */
export interface NodeClock {
  now(): number
  monotonic(): number
  setTimer(callback: () => void, delayMs: number): () => void
  /** Resolves after pending I/O had its turn. */
  yieldToLoop(): Promise<void>
}

export const systemClock: NodeClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1))
    timer.unref()
    return () => clearTimeout(timer)
  },
  yieldToLoop: () => new Promise((resolve) => setImmediate(resolve)),
}

/** What this process uses of its machine. */
export function systemUsage(): { readonly processors: number; readonly memoryBytes: number; readonly usedMemoryBytes: number } {
  return { processors: availableParallelism(), memoryBytes: totalmem(), usedMemoryBytes: process.memoryUsage.rss() }
}
