import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  MAX_LOGICAL, MAX_PHYSICAL_MS, MAX_TIMESTAMP, TSO_ERROR_CODES, TsoError, addDuration, compareTimestamps, composeTimestamp, createHybridLogicalClock,
  createRange, isTsoError, isValidTimestamp, parseTimestamp, timestampToDate,
} from '../src/index.ts'
import { SimulatedClock } from '../src/testing.ts'

const parts = fc.tuple(fc.integer({ min: 0, max: MAX_PHYSICAL_MS }), fc.integer({ min: 0, max: MAX_LOGICAL }))

describe('timestamps', () => {
  test('are composed of 46 and 18 bits, and taken apart again', () => {
    fc.assert(
      fc.property(parts, parts, ([p, l], [p2, l2]) => {
        const ts = composeTimestamp(p, l)
        expect(ts).toBe(BigInt(p) * 262_144n + BigInt(l))
        expect(parseTimestamp(ts)).toEqual({ physicalMs: p, logical: l })
        expect(compareTimestamps(ts, composeTimestamp(p2, l2))).toBe(Math.sign(p - p2 || l - l2))
        expect(timestampToDate(ts).getTime()).toBe(p)
        expect(isValidTimestamp(ts)).toBe(true)
      }),
    )
    expect(composeTimestamp(MAX_PHYSICAL_MS, MAX_LOGICAL)).toBe(MAX_TIMESTAMP)
    expect(timestampToDate(MAX_TIMESTAMP).toISOString()).toBe('4199-11-24T01:22:57.663Z')
  })

  test('refuse what does not fit: nothing carries or wraps (2.2 #19, #33)', () => {
    for (const [p, l] of [[-1, 0], [2 ** 46, 0], [0, -1], [0, 2 ** 18], [0.5, 0], [NaN, 0], [0, NaN]] as const) {
      expect(() => composeTimestamp(p, l)).toThrow(RangeError)
    }
    expect(() => composeTimestamp('1' as never, 0)).toThrow(TypeError)
    for (const ts of [-1n, 2n ** 64n]) {
      for (const use of [parseTimestamp, timestampToDate, (t: bigint) => compareTimestamps(t, 0n), (t: bigint) => addDuration(t, 0)]) {
        expect(() => use(ts)).toThrow(RangeError)
      }
    }
    for (const ts of [-1n, 2n ** 64n, 1, '1', null, undefined, {}]) expect(isValidTimestamp(ts)).toBe(false)
    expect(() => parseTimestamp(1 as never)).toThrow(TypeError)
  })

  test('addDuration moves the physical part alone', () => {
    expect(addDuration(composeTimestamp(1_000, 7), 500)).toBe(composeTimestamp(1_500, 7))
    expect(addDuration(composeTimestamp(1_000, 7), -1_000)).toBe(composeTimestamp(0, 7))
    expect(() => addDuration(composeTimestamp(1_000, 7), -1_001)).toThrow(RangeError)
    expect(() => addDuration(0n, 0.5)).toThrow(RangeError)
  })
})

describe('ranges', () => {
  test('give first, last, every member, and arrays', () => {
    const range = createRange(5n, 3)
    expect([range.first, range.last, range.count, [...range], range.at(2)]).toEqual([5n, 7n, 3, [5n, 6n, 7n], 7n])
    expect(range.toBigUint64Array()).toEqual(BigUint64Array.of(5n, 6n, 7n))
    expect(range.slice(1, 2)).toEqual(createRange(6n, 2))
    expect(JSON.stringify(range)).toBe('{"first":"5","last":"7","count":3}')
    for (const index of [-1, 3, 0.5, NaN]) expect(() => range.at(index)).toThrow(RangeError)
    expect(() => range.slice(1, 3)).toThrow(RangeError)
    expect(() => createRange(0n, 0)).toThrow(RangeError)
    expect(() => createRange(2n ** 64n - 1n, 2)).toThrow(RangeError)
    expect([...createRange(2n ** 64n - 1n, 1)]).toEqual([2n ** 64n - 1n])
  })
})

describe('the hybrid logical clock', () => {
  const setUp = (options = {}) => {
    const clock = new SimulatedClock({ now: 1_000_000 })
    return { clock, hlc: createHybridLogicalClock({ clock, readClockEvery: 1, ...options }) }
  }

  test('advances in the two cases of the appendix and in no other', () => {
    const { clock, hlc } = setUp()
    expect(hlc.now()).toBe(composeTimestamp(1_000_000, 1))
    expect(hlc.now()).toBe(composeTimestamp(1_000_000, 2))
    clock.advance(1)
    expect(hlc.now()).toBe(composeTimestamp(1_000_001, 1))
    clock.jump(-500)
    expect(hlc.now()).toBe(composeTimestamp(1_000_001, 2))
    for (let logical = 3; logical <= MAX_LOGICAL; logical++) hlc.now()
    expect(hlc.now()).toBe(composeTimestamp(1_000_002, 1))
    expect(hlc.clock).toBe('behind')
  })

  test('is above everything observed, and refuses what is too far ahead without a change', () => {
    const { hlc } = setUp({ maxOffsetMs: 500 })
    const remote = composeTimestamp(1_000_500, 9)
    expect(hlc.observe(remote)).toBe(remote + 1n)
    expect(hlc.observe(5n)).toBe(remote + 2n)
    expect(() => hlc.observe(composeTimestamp(1_000_501, 0))).toThrow(expect.objectContaining({ code: 'TSO_CLOCK_OFFSET', details: { aheadMs: 501, maxOffsetMs: 500 } }))
    expect(hlc.now()).toBe(remote + 3n)
    expect(hlc.observe(composeTimestamp(1_000_500, MAX_LOGICAL))).toBe(composeTimestamp(1_000_501, 1))
    expect(() => hlc.observe(-1n)).toThrow(RangeError)
    expect(() => hlc.observe(1 as never)).toThrow(TypeError)
  })

  test('only grows, whatever the clock and others do', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('now' as const), ms: fc.constant(0) }),
      fc.record({ kind: fc.constantFrom('jump' as const, 'observe' as const), ms: fc.integer({ min: -2_000, max: 2_000 }) }),
      fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 2_000 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(1, 3, 32), (steps, readClockEvery) => {
        const { clock, hlc } = setUp({ readClockEvery, maxForwardJumpMs: 1_000 })
        let last = -1n
        const grow = (ts: bigint): void => {
          expect(ts > last).toBe(true)
          last = ts
        }
        for (const { kind, ms } of steps) {
          if (kind === 'now') grow(hlc.now())
          else if (kind === 'jump') clock.jump(ms)
          else if (kind === 'advance') clock.advance(ms)
          else {
            const remote = composeTimestamp(clock.now() + ms, 5)
            try {
              const ts = hlc.observe(remote)
              expect(ts > remote).toBe(true)
              grow(ts)
            } catch (error) {
              expect(isTsoError(error, 'TSO_CLOCK_OFFSET')).toBe(true)
            }
          }
        }
        grow(hlc.now())
      }),
    )
  })

  test('reads the clock anew in every run of the event loop, and every so often within one', async () => {
    const { clock, hlc } = setUp({ readClockEvery: 4 })
    hlc.now()
    clock.advance(1)
    expect(parseTimestamp(hlc.now()).physicalMs).toBe(1_000_000)
    hlc.now()
    hlc.now()
    expect(parseTimestamp(hlc.now()).physicalMs).toBe(1_000_001)
    clock.advance(1)
    await Promise.resolve()
    expect(parseTimestamp(hlc.now()).physicalMs).toBe(1_000_002)
  })

  test('does not follow a jump beyond the limit until told', () => {
    const { clock, hlc } = setUp({ maxForwardJumpMs: 1_000 })
    clock.jump(5_000)
    clock.advance(10)
    expect([parseTimestamp(hlc.now()).physicalMs, hlc.clock]).toEqual([1_000_010, 'jumped'])
    hlc.acceptClock()
    expect([parseTimestamp(hlc.now()).physicalMs, hlc.clock]).toEqual([1_005_010, 'steady'])
  })

  test('bad options are refused', () => {
    for (const options of [{ clock: {} }, { maxOffsetMs: -1 }, { maxOffsetMs: '5' }, { readClockEvery: 0 }, { maxForwardJumpMs: NaN }]) {
      expect(() => createHybridLogicalClock(options as never)).toThrow(/^expected /)
    }
  })
})

test('errors say code, whether a retry helps, and their cause', () => {
  const cause = new Error('below')
  const error = new TsoError('TSO_TIMEOUT', 'late', { cause, outcome: 'unknown', details: { a: 1 } })
  expect(error).toMatchObject({ name: 'TsoError', code: 'TSO_TIMEOUT', retryable: true, outcome: 'unknown', cause })
  expect(JSON.parse(JSON.stringify(error))).toEqual({ name: 'TsoError', code: 'TSO_TIMEOUT', message: 'late', retryable: true, outcome: 'unknown', details: { a: 1 } })
  expect([isTsoError(error), isTsoError({ name: 'TsoError', code: 'TSO_CLOSED' }, 'TSO_CLOSED'), isTsoError(error, 'TSO_CLOSED'), isTsoError(null)]).toEqual([true, true, false, false])
  for (const { summary } of Object.values(TSO_ERROR_CODES)) expect(summary).toMatch(/\.$/)
})
