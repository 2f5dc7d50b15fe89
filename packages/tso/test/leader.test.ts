import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, describe, expect, test } from 'vitest'
import { startTimestampAllocator, startTimestampLeader } from '../src/index.ts'
import type { TimestampLeader, TimestampLeaderEvent, TimestampLeaderOptions } from '../src/index.ts'
import { SimulatedClock } from '../src/testing.ts'
import { settle } from './oracle-kit.ts'

const clean: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of clean.splice(0).reverse()) await step()
})

function setUp(ttlMs = 1_000) {
  const clock = new SimulatedClock()
  const kv = createMemoryKV({ clock })
  const events: TimestampLeaderEvent[] = []
  const start = (name: string, options: Partial<TimestampLeaderOptions> = {}): TimestampLeader => {
    const leader = startTimestampLeader({ kv, name, clock, ttlMs, onEvent: (event) => events.push(event), ...options })
    clean.push(() => leader.close())
    return leader
  }
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms; step += 10) {
      clock.advance(10)
      await settle()
    }
  }
  return { clock, kv, events, start, pass }
}

const roles = (...leaders: TimestampLeader[]): string[] => leaders.map(({ states }) => states.role)

describe('leaders on one store', () => {
  test('one serves, the other says who does', async () => {
    const { start, pass } = setUp()
    const a = start('a:1')
    await pass(10)
    const b = start('b:2')
    await pass(200)
    expect(roles(a, b)).toEqual(['leading', 'following'])
    expect((await a.getTimestamp(5)).count).toBe(5)
    expect(a.states).toMatchObject({ leader: 'a:1', oracle: { status: 'serving' } })
    expect(a.states.leaseLeftMs).toBeGreaterThan(600)
    expect(b.tryGetTimestamp()).toBeUndefined()
    await expect(b.getTimestamp()).rejects.toMatchObject({ code: 'TSO_NOT_LEADER', retryable: true, details: { leader: 'a:1', name: 'b:2' } })
  })

  test('after a close the next leads at once, with greater timestamps; nothing stays in the store or the clock', async () => {
    const { start, pass, kv, clock } = setUp()
    const a = start('a')
    await pass(10)
    const b = start('b')
    const before = await a.getTimestamp()
    await a.close()
    await a.close()
    expect(await kv.has('tso/leader')).toBe(false)
    await expect(a.getTimestamp()).rejects.toMatchObject({ code: 'TSO_CLOSED' })
    await pass(200)
    expect(roles(a, b)).toEqual(['closed', 'leading'])
    expect((await b.getTimestamp()).first).toBeGreaterThan(before.last)
    await b.close()
    await kv.close()
    expect(clock.pendingTimers).toBe(0)
  })

  test('resign lets the other lead, and campaigns again later', async () => {
    const { start, pass } = setUp()
    const a = start('a')
    await pass(10)
    const b = start('b')
    await pass(100)
    await a.resign({ pauseMs: 2_000 })
    expect(a.states.role).toBe('resting')
    await pass(300)
    expect(roles(a, b)).toEqual(['resting', 'leading'])
    expect(a.states.leader).toBe('b')
    await pass(2_000)
    await b.close()
    await pass(300)
    expect(a.states.role).toBe('leading')
  })

  test('whose renewals do not arrive stops before anybody else can lead, and nobody leads twice', async () => {
    const { start, pass, kv } = setUp()
    let isCut = false
    const cut = <T>(run: () => Promise<T>): Promise<T> => (isCut ? Promise.reject(new Error('no route')) : run())
    const a = start('a', {
      kv: {
        loadEntry: (key, options) => cut(() => kv.loadEntry(key, options)),
        compareAndSave: (...args) => cut(() => kv.compareAndSave(...args)),
        grantLease: async (ttlMs) => {
          const lease = await kv.grantLease(ttlMs)
          return { id: lease.id, ttlMs, keepAlive: () => cut(() => lease.keepAlive()), revoke: () => cut(() => lease.revoke()), [Symbol.asyncDispose]: () => lease.revoke() }
        },
      },
    })
    await pass(10)
    const b = start('b')
    await pass(100)
    isCut = true
    const seen = new Set<string>()
    for (let step = 0; step < 200; step++) {
      await pass(10)
      seen.add(roles(a, b).join())
    }
    expect([...seen]).toEqual(['leading,following', 'unsure,following', 'unsure,leading'])
    await expect(a.getTimestamp()).rejects.toMatchObject({ code: 'TSO_NOT_LEADER', details: { leader: undefined } })
    isCut = false
    await pass(500)
    expect(roles(a, b)).toEqual(['following', 'leading'])
    expect(a.states.leader).toBe('b')
  })

  test('a step of either clock beyond the lease makes it unsure until the next renewal', async () => {
    const { start, pass, clock } = setUp()
    const a = start('a')
    await pass(10)
    clock.jump(5_000)
    expect(a.states.role).toBe('unsure')
    expect(a.tryGetTimestamp()).toBeUndefined()
    await expect(a.getTimestamp()).rejects.toMatchObject({ code: 'TSO_NOT_LEADER' })
    await pass(300)
    expect(a.states.role).toBe('leading')
    clock.jump(-5_000)
    expect(a.states.role).toBe('leading')
  })

  test('a record that was removed or an oracle beside it ends the term', async () => {
    const { start, pass, kv, events } = setUp()
    const a = start('a')
    await pass(10)
    await kv.remove('tso/leader')
    await pass(300)
    expect(events.filter(({ type }) => type === 'term-ended')).toMatchObject([{ error: { code: 'TSO_FENCED' } }])
    await pass(300)
    expect(a.states.role).toBe('leading')
    await kv.save('tso/timestamp', `timetick-tso/1 ${a.states.oracle?.windowEndMs} stranger`)
    await pass(4_000)
    expect(events.filter(({ type }) => type === 'fenced').length).toBe(1)
    expect(a.states.role).toBe('leading')
  })

  test('a foreign record is reported, and nobody leads over it', async () => {
    const { start, pass, kv, events } = setUp()
    await kv.save('tso/leader', 'somebody')
    const a = start('a')
    await pass(200)
    expect(a.states.role).toBe('following')
    expect(events[0]).toMatchObject({ type: 'campaign-failed', error: { code: 'TSO_CORRUPT' } })
  })

  test('one that is elected and cannot serve lets another try', async () => {
    const { start, pass, kv, clock, events } = setUp()
    await kv.save('tso/timestamp', `timetick-tso/1 ${clock.now() + 7_200_000} former`)
    const a = start('a', { maxClockWaitMs: 0 })
    await pass(50)
    expect(a.states.role).toBe('resting')
    expect(events).toMatchObject([{ type: 'campaign-failed', error: { code: 'TSO_CLOCK_BEHIND' } }, { type: 'term-ended' }])
    const b = start('b', { maxLeadMs: 86_400_000 })
    await pass(1_200)
    expect(roles(a, b)).toEqual(['following', 'leading'])
  })

  test('close while it campaigns, and while the store hangs', async () => {
    const { start, kv, pass } = setUp()
    await start('a').close()
    const hanging = start('b', { kv: { loadEntry: () => new Promise(() => undefined), compareAndSave: kv.compareAndSave.bind(kv), grantLease: kv.grantLease.bind(kv) } })
    await pass(100)
    await hanging.close()
    expect(hanging.states.role).toBe('closed')
    await expect(hanging.getTimestamp()).rejects.toMatchObject({ code: 'TSO_CLOSED' })
  })

  test('bad options are refused', () => {
    const kv = createMemoryKV()
    const wrong: [unknown, string][] = [
      [undefined, 'the options'], [{ kv: {}, name: 'a' }, '`kv`'], [{ kv, name: '' }, '`name`'], [{ kv, name: 'a b' }, '`name`'],
      [{ kv, name: 'a', ttlMs: 5 }, '`ttlMs`'], [{ kv, name: 'a', pollMs: 0 }, '`pollMs`'], [{ kv, name: 'a', maxClockDrift: 1 }, '`maxClockDrift`'],
      [{ kv, name: 'a', createOwner: 'x' }, '`createOwner`'], [{ kv, name: 'a', onEvent: 1 }, '`onEvent`'], [{ kv, name: 'a', clock: {} }, '`clock`'], [{ kv, name: 'a', saveIntervalMs: 1 }, '`saveIntervalMs`'],
    ]
    for (const [options, text] of wrong) expect(() => startTimestampLeader(options as TimestampLeaderOptions)).toThrow(text)
  })
})

test('on lmdb with the real clock: three candidates, each resigns, the order holds', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'timetick-leader-'))
  clean.push(() => rm(dir, { recursive: true, force: true }))
  const kv = await openLmdbKV({ path: join(dir, 'kv') })
  clean.push(() => kv.close())
  const leaders = ['a', 'b', 'c'].map((name) => startTimestampLeader({ kv, name, ttlMs: 400, pollMs: 5 }))
  for (const leader of leaders) clean.push(() => leader.close())
  let last = 0n
  const led = new Set<string>()
  for (let round = 0; led.size < 3 || round < 6; round++) {
    let leader: TimestampLeader | undefined
    await expect.poll(() => (leader = leaders.find(({ states }) => states.role === 'leading')), { interval: 2, timeout: 20_000 }).toBeDefined()
    if (leader === undefined) throw new Error('nobody leads')
    const allocator = startTimestampAllocator({ source: leader })
    for (const ts of await Promise.all(Array.from({ length: 100 }, () => allocator.allocOne()))) {
      expect(ts).toBeGreaterThan(last)
      last = ts
    }
    await allocator.close()
    led.add(leader.states.leader ?? '')
    await leader.resign({ pauseMs: 200 })
  }
  expect([...led].sort()).toEqual(['a', 'b', 'c'])
})
