import { expect, test } from 'vitest'
import { paceOf } from '../src/hub/pace.ts'

test('G5 G14 few are told at once; many in time where it is calm, and seldom where it is not', () => {
  expect(paceOf(10, 0, 25)).toEqual({ waitMs: 25, clientsPerTurn: 250 })
  expect(paceOf(10, 1, 25).waitMs).toBe(25)
  expect(paceOf(100, 1, 25).waitMs).toBe(50)
  expect(paceOf(1000, 0.2, 25).waitMs).toBe(100)
  expect(paceOf(1000, 0.4, 25).waitMs).toBeCloseTo(300)
  expect(paceOf(1000, 0.9, 25)).toEqual({ waitMs: 500, clientsPerTurn: 50 })
  expect(paceOf(1000, Number.NaN, 25).waitMs).toBe(100)
  expect(paceOf(1000, 7, 25).waitMs).toBe(500)
  expect(paceOf(1000, -1, 25).waitMs).toBe(100)
})
