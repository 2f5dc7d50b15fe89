/** The only file of this package's core that touches real time. */
import type { Clock } from './clock.ts'
import type { Scheduler } from './scheduler.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

export const systemScheduler: Scheduler = {
  schedule(callback) {
    const immediate = setImmediate(callback)
    return () => clearImmediate(immediate)
  },
}
