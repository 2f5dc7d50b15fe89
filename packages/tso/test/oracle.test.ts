import { describe, expect, test } from 'vitest'
import { MAX_LOGICAL, parseTimestamp } from '../src/index.ts'
import { SimulatedClock } from '../src/testing.ts'
import { mapStore } from './map-store.ts'
import { meanwhile } from './meanwhile.ts'
import { KEY, T0, open, physical, savedEnd, setUp, settle } from './oracle-kit.ts'

describe('the start', () => {
  test('of a fresh store saves the window before it serves (2.2 #1)', async () => {
    const { kv, oracle } = await setUp()
    expect(kv.value(KEY)).toBe(`timetick-tso/1 ${T0 + 3000} oracle-0`)
    const first = await oracle.getTimestamp(1)
    expect(parseTimestamp(first.first)).toEqual({ physicalMs: T0, logical: 1 })
  })

  test('of an existing store goes on above everything of the life before (#2, #3, #29, #31)', async () => {
    for (const jump of [0, -500, -3_600_000 + 10_000, 2_999, 3_000, 3_001, 60_000]) {
      const { clock, kv, oracle } = await setUp()
      const last = await oracle.getTimestamp(5)
      const saved = savedEnd(kv.value(KEY))
      clock.jump(jump)
      const next = await open({ kv, clock })
      const first = (await next.getTimestamp()).first
      expect(first > last.last).toBe(true)
      expect(physical(first)).toBe(Math.max(saved + 1, T0 + jump))
      expect(savedEnd(kv.value(KEY))).toBeGreaterThan(physical(first))
    }
  })

  test('of a corrupt or an empty value is refused, and the value stays (#4, #5)', async () => {
    const clock = new SimulatedClock({ now: T0 })
    for (const value of ['', '\0\0\0\0\0\0\0\0', 'timetick-tso/1', 'timetick-tso/2 5 x', 'timetick-tso/1 5', 'timetick-tso/1 05 x', `timetick-tso/1 ${2 ** 47} x`]) {
      const kv = mapStore()
      kv.put(KEY, value)
      await expect(open({ kv, clock })).rejects.toMatchObject({ name: 'TsoError', code: 'TSO_CORRUPT' })
      expect(kv.value(KEY)).toBe(value)
    }
  })

  test('fails when the store cannot be read or written: only a missing key is fresh (#5)', async () => {
    const clock = new SimulatedClock({ now: T0 })
    for (const plan of [['failed'], ['unknown'], ['well', 'failed']] as const) {
      const kv = mapStore()
      kv.plan.push(...plan)
      await expect(open({ kv, clock })).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE', retryable: true })
      expect(kv.value(KEY)).toBeUndefined()
      expect(clock.pendingTimers).toBe(0)
    }
  })

  test('whose save got lost on the way back recognises its own record', async () => {
    const kv = mapStore()
    kv.plan.push('well', 'lost')
    const oracle = await open({ kv, clock: new SimulatedClock({ now: T0 }) })
    expect(oracle.states.status).toBe('serving')
    expect(kv.saves()).toBe(1)
  })

  test('times out when the store hangs, and leaves nothing behind', async () => {
    const kv = mapStore()
    const clock = new SimulatedClock({ now: T0 })
    kv.plan.push('hangs')
    const failed = meanwhile(() => expect(open({ kv, clock, saveTimeoutMs: 700 })).rejects.toMatchObject({ code: 'TSO_TIMEOUT' }))
    await settle()
    clock.advance(700)
    await failed
    expect(clock.pendingTimers).toBe(0)
  })

  test('waits a little for the clock when the lead is too large, else refuses (#39)', async () => {
    const kv = mapStore()
    const clock = new SimulatedClock({ now: T0 })
    kv.put(KEY, `timetick-tso/1 ${T0 + 7_000} other`)
    await expect(open({ kv, clock, maxLeadMs: 5_000, maxClockWaitMs: 1_000 })).rejects.toMatchObject({ code: 'TSO_CLOCK_BEHIND', details: { leadMs: 7_002 } })
    const waiting = open({ kv, clock, maxLeadMs: 5_000 })
    for (let turn = 0; turn < 30; turn++) {
      await settle()
      clock.advance(100)
    }
    expect(physical((await (await waiting).getTimestamp()).first)).toBe(T0 + 7_001)
  })

  test('in a crash loop stays near the clock (#39)', async () => {
    const kv = mapStore()
    const clock = new SimulatedClock({ now: T0 })
    let last = 0n
    for (let life = 0; life < 100; life++) {
      const oracle = await open({ kv, clock })
      const range = await oracle.getTimestamp()
      expect(range.first > last).toBe(true)
      last = range.last
      await oracle.close()
      clock.advance(100)
    }
    expect(physical(last) - clock.now()).toBeLessThan(4_000)
  })

  test('at an impossible time is refused (#33)', async () => {
    for (const now of [0, -5, 2 ** 45, NaN, Infinity]) {
      const clock = new SimulatedClock({ now })
      await expect(open({ kv: mapStore(), clock })).rejects.toMatchObject({ code: 'TSO_CLOCK_INVALID' })
    }
    const oracle = await open({ kv: mapStore(), clock: new SimulatedClock({ now: 5 }), minPhysicalMs: 0 })
    expect(physical((await oracle.getTimestamp()).first)).toBe(5)
  })

  test('is given up on abort with the reason', async () => {
    const kv = mapStore()
    const reason = new Error('stop')
    await expect(open({ kv, clock: new SimulatedClock(), signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    kv.plan.push('hangs')
    const controller = new AbortController()
    const clock = new SimulatedClock({ now: T0 })
    const failed = meanwhile(() => expect(open({ kv, clock, signal: controller.signal })).rejects.toBe(reason))
    controller.abort(reason)
    await failed
    await settle()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('the steady state', () => {
  test('follows the clock; the logical part restarts with each millisecond (#7, #14)', async () => {
    const { clock, oracle } = await setUp()
    expect((await oracle.getTimestamp(3)).last & 0x3ffffn).toBe(3n)
    expect((await oracle.getTimestamp(2)).first & 0x3ffffn).toBe(4n)
    clock.advance(1)
    expect(parseTimestamp((await oracle.getTimestamp()).first)).toEqual({ physicalMs: T0 + 1, logical: 1 })
  })

  test('advances at once when the logical part overflows, and never gives more than 262,143 in a millisecond (#16, #17, #26, #38)', async () => {
    const { kv, oracle } = await setUp()
    const saves = kv.saves()
    const a = oracle.tryGetTimestamp(200_000)
    const b = oracle.tryGetTimestamp(100_000)
    const c = oracle.tryGetTimestamp(162_143)
    const d = oracle.tryGetTimestamp(1)
    expect([a, b, c, d].map((range) => parseTimestamp(range?.first ?? 0n))).toEqual([
      { physicalMs: T0, logical: 1 },
      { physicalMs: T0 + 1, logical: 1 },
      { physicalMs: T0 + 1, logical: 100_001 },
      { physicalMs: T0 + 2, logical: 1 },
    ])
    expect(kv.saves()).toBe(saves)
  })

  test('gives larger counts in several ranges', async () => {
    const { oracle } = await setUp()
    const ranges = await oracle.getTimestamps(600_000)
    expect(ranges.map(({ count }) => count)).toEqual([MAX_LOGICAL, MAX_LOGICAL, 600_000 - 2 * MAX_LOGICAL])
    for (const [index, range] of ranges.entries()) {
      expect(physical(range.first)).toBe(physical(range.last))
      expect(range.first > (ranges[index - 1]?.last ?? 0n)).toBe(true)
    }
  })

  test('saves early, in the background, also when idle (#10)', async () => {
    const { clock, kv, oracle } = await setUp()
    for (let ms = 0; ms < 30_000; ms += 250) {
      clock.advance(250)
      await settle()
      expect(savedEnd(kv.value(KEY))).toBeGreaterThan(clock.now() + 1_000)
      expect(oracle.tryGetTimestamp()).toBeDefined()
    }
    expect(kv.saves()).toBeLessThan(25)
  })

  test('has one save in flight for all who wait; the window is published after it (#10, #11)', async () => {
    const { clock, kv, oracle } = await setUp()
    clock.jump(10_000)
    kv.plan.push('well', 'held')
    expect(oracle.tryGetTimestamp()).toBeUndefined()
    const waiting = [oracle.getTimestamp(), oracle.getTimestamp(2), oracle.getTimestamp(3)]
    await settle()
    expect(oracle.states.windowEndMs).toBe(T0 + 3_000)
    kv.release()
    const ranges = await Promise.all(waiting)
    expect(kv.saves()).toBe(2)
    expect(ranges.map(({ first }) => parseTimestamp(first))).toEqual([
      { physicalMs: T0 + 10_000, logical: 1 },
      { physicalMs: T0 + 10_000, logical: 2 },
      { physicalMs: T0 + 10_000, logical: 4 },
    ])
  })

  test('a failed save fails those who wait for it, publishes nothing, and does not stick (#10, #34)', async () => {
    const { clock, kv, oracle, events } = await setUp()
    clock.jump(10_000)
    kv.plan.push('failed')
    await expect(oracle.getTimestamp()).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE', retryable: true })
    expect(oracle.states).toMatchObject({ status: 'serving', windowEndMs: T0 + 3_000, saveFailures: 1, lastSaveError: { code: 'TSO_UNAVAILABLE' } })
    expect(events.at(-1)).toMatchObject({ type: 'save-failed' })
    expect(physical((await oracle.getTimestamp()).first)).toBe(T0 + 10_000)
  })

  test('a store that stalls: service until the window ends, then waiting, then fresh time (#34)', async () => {
    const { clock, kv, oracle } = await setUp()
    kv.plan.push('hangs')
    clock.advance(1_500)
    await settle()
    clock.advance(1_499)
    expect(oracle.tryGetTimestamp()).toBeDefined()
    clock.advance(1)
    expect(oracle.tryGetTimestamp()).toBeUndefined()
    const waiting = oracle.getTimestamp()
    waiting.catch(() => undefined)
    for (let ms = 0; ms < 5_000; ms += 100) {
      clock.advance(100)
      await settle()
    }
    await Promise.allSettled([waiting])
    expect(physical((await oracle.getTimestamp()).first)).toBe(clock.now())
  })

  test('a save whose answer was lost is recognised by reading it back (#35)', async () => {
    const { clock, kv, oracle } = await setUp()
    clock.jump(10_000)
    kv.plan.push('well', 'lost')
    await oracle.getTimestamp()
    expect(kv.saves()).toBe(2)
    expect(oracle.states.status).toBe('serving')
  })

  test('a store slower than the window does not stop it', async () => {
    const clock = new SimulatedClock({ now: T0 })
    const inner = mapStore()
    const later = <T>(run: () => Promise<T>): Promise<T> => new Promise((resolve, reject) => void clock.setTimer(() => void run().then(resolve, reject), 40))
    const kv = { loadEntry: (key: string) => later(() => inner.loadEntry(key)), compareAndSave: (...args: [string, bigint, string]) => later(() => inner.compareAndSave(...args)) }
    const opening = open({ kv, clock, saveIntervalMs: 10 })
    const run = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 5) {
        clock.advance(5)
        await settle()
      }
    }
    await run(200)
    const oracle = await opening
    const served = oracle.getTimestamp()
    await run(500)
    expect((await served).count).toBe(1)
  })
})

describe('a second oracle', () => {
  test('fences the first, which serves no more than its window and then TSO_FENCED (#23)', async () => {
    const { clock, kv, oracle, events } = await setUp()
    const second = await open({ kv, clock })
    const old = await oracle.getTimestamp()
    const fresh = await second.getTimestamp()
    expect(fresh.first > old.last).toBe(true)
    clock.advance(1_500)
    await settle()
    expect(oracle.states.status).toBe('fenced')
    expect(events.at(-1)).toMatchObject({ type: 'fenced', error: { code: 'TSO_FENCED' } })
    expect(oracle.tryGetTimestamp()).toBeUndefined()
    await expect(oracle.getTimestamp()).rejects.toMatchObject({ code: 'TSO_FENCED', details: { owner: 'oracle-1' } })
    await expect(oracle.setTimestamp(fresh.first)).rejects.toMatchObject({ code: 'TSO_FENCED' })
    expect((await second.getTimestamp()).first > fresh.last).toBe(true)
  })

  test('also while the clock stands still, within half a window', async () => {
    const { clock, kv, oracle } = await setUp()
    clock.jump(-1_800_000)
    await open({ kv, clock })
    clock.advance(1_500)
    await settle()
    expect(oracle.states.status).toBe('fenced')
  })

  test('that opens in the middle of another open takes over, and the other is fenced in the end', async () => {
    const clock = new SimulatedClock({ now: T0 })
    const kv = mapStore()
    kv.plan.push('well', 'held')
    const slow = open({ kv, clock, owner: 'slow' })
    await settle()
    const quick = await open({ kv, clock, owner: 'quick' })
    const taken = await quick.getTimestamp()
    kv.release()
    expect((await (await slow).getTimestamp()).first > taken.last).toBe(true)
    clock.advance(1_500)
    await settle()
    expect(quick.states.status).toBe('fenced')
  })

  test('a record that was deleted by hand is made again (#36)', async () => {
    const { clock, kv, oracle, events } = await setUp()
    kv.drop(KEY)
    clock.advance(1_500)
    await settle()
    expect(events).toContainEqual({ type: 'record-recreated' })
    expect(savedEnd(kv.value(KEY))).toBeGreaterThan(T0 + 3_000)
    expect(oracle.states.status).toBe('serving')
  })

  test('a record that became corrupt stops it', async () => {
    const { clock, kv, oracle } = await setUp()
    kv.put(KEY, 'oops')
    clock.advance(1_500)
    await settle()
    await expect(oracle.getTimestamp()).rejects.toMatchObject({ code: 'TSO_CORRUPT' })
  })
})
