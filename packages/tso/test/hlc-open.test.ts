import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { composeTimestamp, isTsoError, openHybridLogicalClock, parseTimestamp } from '../src/index.ts'
import type { OpenHybridLogicalClockOptions, PersistedHybridLogicalClock } from '../src/index.ts'
import { SimulatedClock } from '../src/testing.ts'
import { mapStore } from './map-store.ts'
import { meanwhile } from './meanwhile.ts'
import { T0, settle } from './oracle-kit.ts'

const opened: PersistedHybridLogicalClock[] = []
afterEach(async () => {
  for (const hlc of opened.splice(0)) await hlc.close()
})

function setUp() {
  const clock = new SimulatedClock({ now: T0 })
  const kv = mapStore()
  const open = async (options: Partial<OpenHybridLogicalClockOptions> = {}): Promise<PersistedHybridLogicalClock> => {
    const hlc = await openHybridLogicalClock({ kv, clock, readClockEvery: 1, ...options })
    opened.push(hlc)
    return hlc
  }
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms; step += 10) {
      clock.advance(10)
      await settle()
    }
  }
  return { clock, kv, open, pass }
}

const physical = (ts: bigint): number => parseTimestamp(ts).physicalMs

test('the bound is saved before the first timestamp, and kept ahead of the clock, also when nobody asks', async () => {
  const { kv, open, pass } = setUp()
  const hlc = await open()
  expect(kv.value('tso/hlc')).toMatch(new RegExp(`^timetick-tso/1 ${T0 + 1_500} `))
  expect(hlc.now()).toBe(composeTimestamp(T0, 1))
  await pass(10_000)
  expect(hlc.boundMs).toBeGreaterThan(T0 + 10_000)
  expect(physical(hlc.now())).toBe(T0 + 10_000)
})

test('a later life waits until the clock has passed the bound of the one before, and is greater', async () => {
  const { clock, kv, open, pass } = setUp()
  const first = await open()
  const last = first.observe(composeTimestamp(T0 + 400, 7))
  await first.close()
  clock.jump(-2_000)
  let second: PersistedHybridLogicalClock | undefined
  const opening = open().then((hlc) => (second = hlc))
  await pass(3_400)
  expect(second).toBeUndefined()
  await pass(200)
  const next = (await opening).now()
  expect(next > last).toBe(true)
  expect(physical(next)).toBeLessThanOrEqual(clock.now())
  expect(kv.saves()).toBeGreaterThanOrEqual(2)
})

test('a bound too far ahead is refused, and so are foreign records and a store that fails', async () => {
  const { clock, kv, open } = setUp()
  await (await open()).close()
  clock.jump(-60_000)
  await expect(open()).rejects.toMatchObject({ code: 'TSO_CLOCK_BEHIND', details: { aheadMs: 61_500, maxClockWaitMs: 10_000 } })
  kv.put('tso/hlc', '')
  await expect(open()).rejects.toMatchObject({ code: 'TSO_CORRUPT' })
  kv.plan.push('failed')
  await expect(open()).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE' })
  expect(clock.pendingTimers).toBe(0)
})

test('a store that takes no bound: the physical part stands below it, the logical part goes on, then TSO_UNAVAILABLE; nothing sticks', async () => {
  const { clock, kv, open, pass } = setUp()
  const failures: unknown[] = []
  const hlc = await open({ onSaveFailed: (error) => failures.push(error) })
  for (let call = 0; call < 1_000; call++) kv.plan.push('failed')
  await pass(5_000)
  expect(failures.length).toBeGreaterThan(3)
  const end = hlc.boundMs
  expect(hlc.now()).toBe(composeTimestamp(end - 1, 1))
  expect(() => hlc.observe(composeTimestamp(end, 0))).toThrow(expect.objectContaining({ code: 'TSO_UNAVAILABLE', retryable: true }))
  for (let logical = 2; logical <= 262_143; logical++) hlc.now()
  await settle()
  expect(() => hlc.now()).toThrow(expect.objectContaining({ code: 'TSO_UNAVAILABLE', details: { boundMs: end } }))
  kv.plan.length = 0
  expect(() => hlc.now()).toThrow(expect.objectContaining({ code: 'TSO_UNAVAILABLE' }))
  await pass(500)
  expect(physical(hlc.now())).toBe(clock.now())
})

test('every timestamp within maxOffsetMs has room below the bound, at any time', async () => {
  const { clock, open, pass } = setUp()
  const hlc = await open({ saveIntervalMs: 20, maxOffsetMs: 800 })
  for (let step = 0; step < 100; step++) {
    await pass(10)
    expect(() => hlc.observe(composeTimestamp(clock.now() + 800, 5))).not.toThrow()
  }
})

test('after a sleep the first timestamps stay below the bound, and the next ones are near again', async () => {
  const { clock, open } = setUp()
  const hlc = await open()
  clock.jump(3_600_000)
  expect(physical(hlc.now())).toBe(T0 + 1_499)
  await settle()
  expect(physical(hlc.now())).toBe(T0 + 3_600_000)
})

test('a second clock on the record of a living one does not open; one that took the record over is noticed at the next save', async () => {
  const { kv, open, pass } = setUp()
  const failures: unknown[] = []
  const first = await open({ onSaveFailed: (error) => failures.push(error) })
  const refused = meanwhile(() => expect(open()).rejects.toMatchObject({ code: 'TSO_FENCED', retryable: true }))
  await pass(10_000)
  await refused
  expect(failures).toEqual([])
  kv.put('tso/hlc', `timetick-tso/1 ${T0 + 20_000} another`)
  await pass(3_000)
  expect(failures[0]).toMatchObject({ code: 'TSO_FENCED' })
  for (let logical = 1; logical <= 262_143; logical++) first.now()
  expect(() => first.now()).toThrow(expect.objectContaining({ code: 'TSO_UNAVAILABLE', retryable: false, cause: failures.at(-1) }))
})

test('close leaves no timer, and ends the clock; an abort ends an open', async () => {
  const { clock, open } = setUp()
  const hlc = await open()
  await hlc.close()
  await hlc.close()
  expect(clock.pendingTimers).toBe(0)
  for (const call of [() => hlc.now(), () => hlc.observe(1n)]) expect(call).toThrow(expect.objectContaining({ code: 'TSO_CLOSED' }))
  const controller = new AbortController()
  const opening = open({ signal: controller.signal })
  await settle()
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(opening).rejects.toBe(reason)
  await expect(open({ signal: controller.signal })).rejects.toBe(reason)
  await settle()
  expect(clock.pendingTimers).toBe(0)
})

test('over lives, crashes, jumps and failing stores every timestamp is greater than those before', async () => {
  const step = fc.record({ kind: fc.constantFrom('now', 'jump', 'pass', 'crash', 'observe', 'fail'), ms: fc.integer({ min: -900, max: 900 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { clock, kv, open, pass } = setUp()
      let last = -1n
      let hlc = await open({ maxClockWaitMs: 1e9 })
      const grow = (give: () => bigint): void => {
        try {
          const ts = give()
          expect(ts > last).toBe(true)
          expect(physical(ts)).toBeLessThan(hlc.boundMs)
          last = ts
        } catch (error) {
          if (!isTsoError(error, 'TSO_UNAVAILABLE') && !isTsoError(error, 'TSO_CLOCK_OFFSET')) throw error
        }
      }
      for (const { kind, ms } of steps) {
        if (kind === 'now') grow(() => hlc.now())
        else if (kind === 'observe') grow(() => hlc.observe(composeTimestamp(clock.now() + ms, 5)))
        else if (kind === 'jump') clock.jump(ms)
        else if (kind === 'pass') await pass(Math.abs(ms))
        else if (kind === 'fail') kv.plan.push(...Array.from({ length: Math.abs(ms) % 7 }, () => (ms > 0 ? ('lost' as const) : ('failed' as const))))
        else {
          await hlc.close()
          kv.plan.length = 0
          const opening = open({ maxClockWaitMs: 1e9 })
          let isOpen = false
          void opening.then(() => (isOpen = true))
          for (let turn = 0; turn < 1_000 && !isOpen; turn++) await pass(50)
          hlc = await opening
        }
      }
      grow(() => hlc.now())
      await hlc.close()
    }),
    { numRuns: 60 },
  )
})

test('bad options are refused before anything is saved', async () => {
  const { kv, open } = setUp()
  const bad = [{ kv: {} }, { saveIntervalMs: 9 }, { saveIntervalMs: '1' }, { saveTimeoutMs: 0 }, { maxClockWaitMs: -1 }, { rootPath: 5 }, { onSaveFailed: 1 }, { maxOffsetMs: -1 }, { clock: {} }]
  for (const options of bad) await expect(open(options as never)).rejects.toThrow(/^expected /)
  await expect(openHybridLogicalClock(null as never)).rejects.toThrow(TypeError)
  expect(kv.saves()).toBe(0)
})
