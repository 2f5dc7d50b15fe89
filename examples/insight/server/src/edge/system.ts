/** Real time and chance. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/model.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

export const systemRandom = (): number => Math.random()

export const systemSecret = (): string => randomBytes(24).toString('base64url')
