import { describe, expect, test } from 'vitest'
import { MAX_LOGICAL, composeTimestamp, openTimestampOracle, parseTimestamp } from '../src/index.ts'
import type { TimestampOracleOptions } from '../src/index.ts'
import { SimulatedClock } from '../src/testing.ts'
import { mapStore } from './map-store.ts'
import { meanwhile } from './meanwhile.ts'
import { KEY, T0, open, physical, savedEnd, setUp, settle } from './oracle-kit.ts'

describe('the clock', () => {
  test('set back: the physical part holds, the logical part runs, it is reported (#12, #30)', async () => {
    const { clock, oracle, events } = await setUp()
    let last = (await oracle.getTimestamp()).last
    clock.jump(-3_600_000)
    for (let call = 0; call < 10; call++) {
      const range = await oracle.getTimestamp(100_000)
      expect(range.first > last).toBe(true)
      last = range.last
    }
    expect(physical(last)).toBe(T0 + 4)
    expect(events).toContainEqual({ type: 'clock-behind', byMs: 3_600_000 })
    expect(oracle.states).toMatchObject({ clock: 'behind', leadMs: 3_600_004 })
    clock.jump(3_600_010)
    expect(physical((await oracle.getTimestamp()).first)).toBe(T0 + 10)
    expect(events.at(-1)).toEqual({ type: 'clock-steady' })
  })

  test('set back for an hour: serves all the while', async () => {
    const { clock, oracle } = await setUp()
    clock.jump(-3_600_000)
    let last = 0n
    for (let minute = 0; minute < 62; minute++) {
      for (let tick = 0; tick < 80; tick++) {
        clock.advance(750)
        await settle()
      }
      const range = await oracle.getTimestamp(1_000)
      expect(range.first > last).toBe(true)
      last = range.last
    }
    expect(oracle.states.clock).toBe('steady')
    expect(physical(last)).toBe(clock.now())
  })

  test('set forward beyond the limit: not followed, reported, followed when told (#13, #32)', async () => {
    const { clock, oracle, events } = await setUp({ maxForwardJumpMs: 5_000 })
    clock.jump(86_400_000)
    clock.advance(10)
    expect(physical((await oracle.getTimestamp()).first)).toBe(T0 + 10)
    expect(events).toContainEqual({ type: 'clock-jumped', byMs: 86_400_000 })
    clock.advance(100)
    expect(physical((await oracle.getTimestamp()).first)).toBe(T0 + 110)
    clock.jump(-86_400_000)
    expect(physical((await oracle.getTimestamp()).first)).toBe(T0 + 110)
    expect(oracle.states.clock).toBe('steady')
    clock.jump(86_400_000)
    await oracle.getTimestamp()
    oracle.acceptClock()
    expect(physical((await oracle.getTimestamp()).first)).toBe(T0 + 86_400_110)
  })

  test('load alone runs ahead by maxBurstMs, then goes at the pace of the clock', async () => {
    const { oracle, clock } = await setUp({ maxBurstMs: 20 })
    const burst: bigint[] = []
    for (let range = oracle.tryGetTimestamp(262_143); range !== undefined; range = oracle.tryGetTimestamp(262_143)) burst.push(range.first)
    expect(burst.length).toBe(21)
    expect(oracle.states.leadMs).toBe(20)
    const waiting = oracle.getTimestamp(262_143)
    await settle()
    expect(clock.pendingTimers).toBe(2)
    clock.advance(1)
    expect((await waiting).first).toBeGreaterThan(burst.at(-1) ?? 0n)
    expect(oracle.states.leadMs).toBe(20)
    clock.jump(-3_600_000)
    clock.advance(10)
    // The clock went back by an hour; time goes on all the same.
    await oracle.getTimestamps(10 * 262_143)
    expect(oracle.tryGetTimestamp(262_143)).toBeUndefined()
    const stopped = oracle.getTimestamp(262_143)
    await oracle.close()
    await expect(stopped).rejects.toMatchObject({ code: 'TSO_CLOSED' })
  })

  test('more than 262 million timestamps/s run ahead of it, but not beyond maxLeadMs', async () => {
    const { oracle } = await setUp({ maxLeadMs: 5_000, maxBurstMs: Infinity })
    let refused: unknown
    for (let call = 0; call < 10_000 && refused === undefined; call++) {
      await oracle.getTimestamp(MAX_LOGICAL).catch((error: unknown) => (refused = error))
    }
    expect(refused).toMatchObject({ code: 'TSO_CLOCK_BEHIND', retryable: true })
    expect(oracle.states.leadMs).toBe(4_999)
  })
})

describe('setTimestamp', () => {
  test('moves forward, saves first, and is bounded (#20, #22, #25)', async () => {
    const { kv, oracle } = await setUp()
    const refused = { code: 'TSO_SET_REFUSED', outcome: 'not-applied' }
    await oracle.getTimestamp()
    for (const ts of [0n, composeTimestamp(T0 - 1), 2n ** 64n - 1n, composeTimestamp(T0 + 3_600_000)]) {
      await expect(oracle.setTimestamp(ts)).rejects.toMatchObject(refused)
    }
    await oracle.setTimestamp(composeTimestamp(T0 + 2_000, 77))
    expect(parseTimestamp((await oracle.getTimestamp()).first)).toEqual({ physicalMs: T0 + 2_001, logical: 1 })
    await oracle.setTimestamp(composeTimestamp(T0 + 60_000))
    expect(savedEnd(kv.value(KEY))).toBeGreaterThan(T0 + 60_001)
    expect(parseTimestamp((await oracle.getTimestamp()).first)).toEqual({ physicalMs: T0 + 60_001, logical: 1 })
    await expect(oracle.setTimestamp(composeTimestamp(T0 + 2_000))).rejects.toMatchObject(refused)
  })

  test('changes nothing when the save fails (#21)', async () => {
    const { kv, oracle } = await setUp()
    kv.plan.push('failed')
    await expect(oracle.setTimestamp(composeTimestamp(T0 + 60_000))).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE' })
    expect(physical((await oracle.getTimestamp()).first)).toBe(T0)
  })
})

describe('calls', () => {
  test('are refused for bad counts before anything happens (#14, #16)', async () => {
    const { oracle } = await setUp()
    for (const count of [0, -1, 1.5, NaN, Infinity, MAX_LOGICAL + 1]) {
      await expect(oracle.getTimestamp(count)).rejects.toThrow(RangeError)
      expect(() => oracle.tryGetTimestamp(count)).toThrow(RangeError)
    }
    await expect(oracle.getTimestamp('10' as never)).rejects.toThrow('expected `count` to be an integer in 1..262143, got "10" (string)')
    await expect(oracle.getTimestamps(0)).rejects.toThrow(RangeError)
    await expect(oracle.getTimestamps(2 ** 32)).rejects.toThrow(RangeError)
    await expect(oracle.setTimestamp(5 as never)).rejects.toThrow(TypeError)
    expect(parseTimestamp((await oracle.getTimestamp()).first).logical).toBe(1)
  })

  test('aborted: the reason, and the others go on', async () => {
    const { clock, kv, oracle } = await setUp()
    const reason = new Error('enough')
    await expect(oracle.getTimestamp(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    clock.jump(10_000)
    kv.plan.push('held')
    const controller = new AbortController()
    const aborted = meanwhile(() => expect(oracle.getTimestamp(1, { signal: controller.signal })).rejects.toBe(reason))
    const other = oracle.getTimestamp()
    controller.abort(reason)
    await aborted
    kv.release()
    expect((await other).count).toBe(1)
  })

  test('after close, and those that wait: TSO_CLOSED; no timer stays', async () => {
    const { clock, kv, oracle } = await setUp()
    clock.jump(10_000)
    kv.plan.push('hangs')
    const waiting = meanwhile(() => expect(oracle.getTimestamp()).rejects.toMatchObject({ code: 'TSO_CLOSED' }))
    await settle()
    await oracle.close()
    await oracle[Symbol.asyncDispose]()
    await waiting
    await expect(oracle.getTimestamp()).rejects.toMatchObject({ code: 'TSO_CLOSED' })
    await expect(oracle.setTimestamp(1n)).rejects.toMatchObject({ code: 'TSO_CLOSED' })
    expect(oracle.tryGetTimestamp()).toBeUndefined()
    expect(oracle.states.status).toBe('closed')
    expect(clock.pendingTimers).toBe(0)
  })

  test('a listener that throws changes nothing', async () => {
    const clock = new SimulatedClock({ now: T0 })
    const oracle = await open({
      kv: mapStore(),
      clock,
      onEvent: () => {
        throw new Error('mine')
      },
    })
    clock.jump(-5)
    expect((await oracle.getTimestamp()).count).toBe(1)
  })

  test('bad options are refused', async () => {
    const kv = mapStore()
    const bad: unknown[] = [
      undefined, {}, { kv: {} }, { kv, rootPath: 5 }, { kv, saveIntervalMs: 1 }, { kv, saveIntervalMs: '3000' }, { kv, maxLeadMs: NaN },
      { kv, owner: 'a b' }, { kv, owner: '' }, { kv, clock: {} }, { kv, onEvent: 1 }, { kv, saveTimeoutMs: 0 }, { kv, maxForwardJumpMs: -1 },
    ]
    for (const options of bad) await expect(openTimestampOracle(options as TimestampOracleOptions)).rejects.toThrow(/^expected /)
    expect(kv.value(KEY)).toBeUndefined()
  })
})
