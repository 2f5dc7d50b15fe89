/** The only file of this package's core that touches real time. */
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

/** Let timers and input have their turn: a chain of microtasks would keep them waiting. */
export const yieldToLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const randomToken = (): string => crypto.randomUUID().replaceAll('-', '').slice(0, 12)
