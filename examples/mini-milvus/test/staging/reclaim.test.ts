/** Dropped memory comes back while nothing else happens. */
import { expect, test, vi } from 'vitest'
import { reclaim } from '../../src/edge/reclaim.ts'
import { systemClock } from '../../src/edge/system.ts'

const held = { buffers: [] as Uint8Array[] }
const usedBytes = (): number => process.memoryUsage().arrayBuffers

test('buffers that were dropped are collected', async () => {
  const before = usedBytes()
  for (let i = 0; i < 400; i++) held.buffers.push(new Uint8Array(500_000))
  expect(usedBytes() - before).toBeGreaterThan(150e6)
  held.buffers = []
  reclaim(200e6, systemClock)
  await vi.waitFor(() => expect(usedBytes() - before).toBeLessThan(100e6), { timeout: 20_000, interval: 50 })
})

test('little that was dropped is left to itself', () => {
  const setTimer = vi.fn(() => () => undefined)
  reclaim(1000, { setTimer })
  expect(setTimer).not.toHaveBeenCalled()
})

test('it ends', () => {
  let timers = 0
  reclaim(1e9, {
    setTimer(run) {
      timers++
      run()
      return () => undefined
    },
  })
  expect(timers).toBeGreaterThan(1)
  expect(timers).toBeLessThan(20)
})
