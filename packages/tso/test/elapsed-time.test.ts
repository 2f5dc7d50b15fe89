import { expect, test } from 'vitest'
import type { Clock } from '../src/clock.ts'
import { systemClock } from '../src/edge.ts'
import { ElapsedTime } from '../src/elapsed-time.ts'

/** Three clocks, each set by hand. */
function clocks() {
  const times = { wall: 1_700_000_000_000, mono: 5, up: 777 }
  const timers = new Set<() => void>()
  const clock: Clock = {
    now: () => times.wall,
    monotonic: () => times.mono,
    uptime: () => times.up,
    setTimer(callback) {
      timers.add(callback)
      return () => timers.delete(callback)
    },
  }
  return { times, timers, clock }
}

const nextRun = (): Promise<void> => Promise.resolve()

test('time that passed is never less than by any of the clocks', async () => {
  const { times, clock } = clocks()
  const time = new ElapsedTime(clock, 100)
  const begin = time.now()
  times.mono += 40
  expect(time.since(begin)).toBe(40)
  times.wall += 300
  expect(time.since(begin)).toBe(340)
  // Set back: what was counted stays counted.
  times.wall -= 3_600_000
  expect(time.since(begin)).toBe(340)
  await nextRun()
  // Set back and then asleep: only the clock that counts sleep knows.
  times.up += 10_000
  expect(time.since(begin)).toBe(10_000)
  await nextRun()
  const later = time.now()
  expect(time.since(later)).toBe(0)
  times.mono += 7
  expect(time.since(later)).toBe(7)
  time.stop()
})

test('without a clock that counts sleep the other two are asked', () => {
  const { times, clock } = clocks()
  const { now, monotonic, setTimer } = clock
  const time = new ElapsedTime({ now, monotonic, setTimer }, 100)
  times.up += 10_000
  expect(time.since(time.begin)).toBe(0)
  times.wall += 3
  expect(time.since(time.begin)).toBe(3)
  time.stop()
})

test('stop leaves no timer', () => {
  const { timers, clock } = clocks()
  const time = new ElapsedTime(clock, 100)
  expect(timers.size).toBe(1)
  time.stop()
  expect(timers.size).toBe(0)
})

test('the clock of the system counts from the start of the machine', () => {
  const { uptime } = systemClock
  const first = uptime?.() ?? Number.NaN
  expect(first).toBeGreaterThan(0)
  expect((uptime?.() ?? Number.NaN) - first).toBeGreaterThanOrEqual(0)
})
