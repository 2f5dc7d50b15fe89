/** The only file of this package's core that touches real time. */
import { randomUUID } from 'node:crypto'
import { uptime } from 'node:os'
import type { Clock } from './clock.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1))
    timer.unref()
    return () => clearTimeout(timer)
  },
  // In steps of 10 ms on Linux, 16 ms on Windows, 1 s elsewhere; asking takes microseconds.
  uptime: () => uptime() * 1_000,
}

/** A name that no other oracle has. */
export function randomName(): string {
  return randomUUID()
}

/** 0 (inclusive) to 1 (exclusive). */
export function randomFraction(): number {
  return Math.random()
}

/** Timers of the system's clock keep no process alive; while somebody waits for one, this does. The result lets it go. */
export function holdProcess(clock: Clock): () => void {
  if (clock.setTimer !== systemClock.setTimer) return () => undefined
  const timer = setInterval(() => undefined, 2 ** 31 - 1)
  return () => clearInterval(timer)
}

export function dateOf(unixMs: number): Date {
  return new Date(unixMs)
}
