import { createMemoryKV } from '@timetick/kv/memory'
import type { MemoryKV } from '@timetick/kv/memory'
import { describe, expect, it } from 'vitest'
import { isWatchdogError } from '../src/index.ts'
import { listSessions, nextServerId, openSession, startElection, watchSessions } from '../src/session.ts'
import type { LeaderTerm, SessionEvent, SessionsEvent, SessionStore } from '../src/session.ts'
import { seeded, settle, VirtualClock } from './helpers.ts'

const TTL = 1_000

/** A store that can be cut off: calls wait until their signal gives up. */
function cuttable(kv: MemoryKV): SessionStore & { cut: boolean } {
  const through = async <T>(options: { signal?: AbortSignal | undefined } | undefined, call: () => Promise<T>): Promise<T> => {
    while (store.cut) await new Promise<void>((_, reject) => options?.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true }))
    return call()
  }
  const store: SessionStore & { cut: boolean } = {
    cut: false,
    loadEntry: (key, options) => through(options, () => kv.loadEntry(key, options)),
    loadWithPrefix: (prefix, options) => through(options, () => kv.loadWithPrefix(prefix, options)),
    multiSaveAndRemove: (saves, removals, options) => through(options, () => kv.multiSaveAndRemove(saves, removals, options)),
    compareAndSave: (key, expected, value, options) => through(options, () => kv.compareAndSave(key, expected, value, options)),
    watch: (key, options) => kv.watch(key, options),
    watchWithPrefix: (prefix, options) => kv.watchWithPrefix(prefix, options),
    grantLease: (ttlMs, options) => through(options, async () => {
      const lease = await kv.grantLease(ttlMs, options)
      return {
        id: lease.id,
        ttlMs: lease.ttlMs,
        keepAlive: (more) => through(more, () => lease.keepAlive(more)),
        revoke: (more) => through(more, () => lease.revoke(more)),
        [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
      }
    }),
  }
  return store
}

async function until<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const state = { done: false }
  const end = (): void => void (state.done = true)
  promise.then(end, end)
  for (let step = 0; step < 10_000 && !state.done; step++) await clock.advance(10)
  return promise
}

describe('server ids', () => {
  it('are distinct, also when ten ask at once', async () => {
    const kv = createMemoryKV()
    const ids = await Promise.all(Array.from({ length: 10 }, () => nextServerId(kv)))
    expect(ids.sort((a, b) => Number(a - b))).toEqual(Array.from({ length: 10 }, (_, index) => BigInt(index + 1)))
  })

  it('refuse a counter that is no number instead of spinning', async () => {
    const kv = createMemoryKV()
    await kv.save('session/id', 'x')
    await expect(nextServerId(kv)).rejects.toSatisfy((error) => isWatchdogError(error, 'WATCHDOG_SESSION_CORRUPT'))
  })
})

describe('a session', () => {
  it('is found as long as it is kept, and not after close', async () => {
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock })
    const session = await openSession({ kv, clock, ttlMs: TTL, name: 'query', address: '127.0.0.1:1', labels: { zone: 'a' } })
    expect(session.key).toBe('session/query-1')
    await clock.advance(10 * TTL)
    expect(session.isLive).toBe(true)
    await session.update({ stopping: true })
    const { sessions } = await listSessions(kv, { name: 'query' })
    expect([...sessions.values()]).toEqual([
      { name: 'query', id: '1', address: '127.0.0.1:1', exclusive: false, stopping: true, labels: { zone: 'a' } },
    ])
    await session.close()
    expect(session.isLive).toBe(false)
    expect(() => session.assertLive()).toThrow(/was closed/)
    expect((await listSessions(kv)).sessions.size).toBe(0)
  })

  it('refuses a second one of an exclusive name', async () => {
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock })
    await using first = await openSession({ kv, clock, ttlMs: TTL, name: 'root', exclusive: true })
    await expect(openSession({ kv, clock, ttlMs: TTL, name: 'root', exclusive: true })).rejects.toSatisfy((error) => isWatchdogError(error, 'WATCHDOG_SESSION_TAKEN'))
    expect(first.isLive).toBe(true)
  })

  it('fences itself in an outage before its lease can end, and registers again afterwards', async () => {
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock })
    const store = cuttable(kv)
    const events: SessionEvent[] = []
    const session = await openSession({ kv: store, clock, ttlMs: TTL, name: 'data', onEvent: (event) => void events.push(event) })
    await clock.advance(500)
    store.cut = true
    for (let step = 0; step < 200; step++) {
      await clock.advance(10)
      if (await kv.loadEntry(session.key) === undefined) expect(session.isLive).toBe(false)
    }
    expect(await kv.loadEntry(session.key)).toBeUndefined()
    expect(session.over.aborted).toBe(false)
    expect(() => session.assertLive()).toThrow(/not renewed in time/)
    const before = session.token
    store.cut = false
    await clock.advance(2 * TTL)
    expect(session.isLive).toBe(true)
    expect(session.token).toBeGreaterThan(before)
    expect(events.map(({ type }) => type).filter((type) => type !== 'renew-failed')).toEqual(['fenced', 'registered-again', 'live'])
    await session.close()
  })

  it('is lost only when another has its place', async () => {
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock })
    const store = cuttable(kv)
    const session = await openSession({ kv: store, clock, ttlMs: TTL, name: 'root', exclusive: true })
    store.cut = true
    await clock.advance(2 * TTL)
    await using other = await openSession({ kv, clock, ttlMs: TTL, name: 'root', exclusive: true })
    store.cut = false
    await clock.advance(2 * TTL)
    expect(session.over.reason).toSatisfy((error) => isWatchdogError(error, 'WATCHDOG_SESSION_LOST'))
    expect(other.isLive).toBe(true)
    await session.close()
  })

  it('refuses bad arguments and aborted signals', async () => {
    const kv = createMemoryKV()
    const open = (options: object): Promise<unknown> => openSession(options as never)
    await expect(open({ kv })).rejects.toThrow(TypeError)
    await expect(open({ kv, name: '' })).rejects.toThrow(RangeError)
    await expect(open({ kv: {}, name: 'a' })).rejects.toThrow(/kv.loadEntry/)
    await expect(open({ kv, name: 'a', ttlMs: Number.NaN })).rejects.toThrow(RangeError)
    await expect(open({ kv, name: 'a\ud800' })).rejects.toThrow(RangeError)
    const reason = new Error('no')
    await expect(open({ kv, name: 'a', signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect((await kv.loadWithPrefix('')).keys).toEqual([])
  })
})

describe('discovery', () => {
  it('gives a snapshot, then changes', async () => {
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock })
    await kv.save('session/broken', '{')
    const first = await openSession({ kv, clock, ttlMs: TTL, name: 'query' })
    const stop = new AbortController()
    const seen: SessionsEvent[] = []
    const reading = (async () => {
      for await (const event of watchSessions(kv, { name: 'query', clock, signal: stop.signal })) seen.push(event)
    })()
    await settle()
    const second = await openSession({ kv, clock, ttlMs: TTL, name: 'query' })
    await second.update({ stopping: true })
    await first.close()
    await settle()
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(reading).rejects.toBe(reason)
    const told = seen.map((event) => (event.type === 'snapshot' ? [...event.sessions.keys()] : event.changes.map(({ type, key }) => `${type} ${key}`)))
    expect(told).toEqual([['session/query-1'], ['added session/query-2'], ['updated session/query-2'], ['removed session/query-1']])
    await second.close()
  })

  it('begins anew after changes were compacted away', async () => {
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock, maxHistory: 2 })
    const sessions = watchSessions(kv, { clock, retryMs: 5 })
    expect((await sessions.next()).value?.type).toBe('snapshot')
    for (let n = 0; n < 5; n++) await kv.save(`session/x${n}`, '{}')
    const session = await openSession({ kv, clock, ttlMs: TTL, name: 'late', id: '7' })
    const next = await until(clock, sessions.next())
    expect(next.value?.type).toBe('snapshot')
    expect(next.value?.type === 'snapshot' && [...next.value.sessions.keys()]).toEqual(['session/late-7'])
    await sessions.return()
    await session.close()
  })
})

describe('an election', () => {
  const hold = (term: LeaderTerm): Promise<void> => new Promise((resolve) => term.over.addEventListener('abort', () => resolve(), { once: true }))

  it('passes on when the leader resigns, with a greater token', async () => {
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock })
    const tokens: bigint[] = []
    const candidates = ['a', 'b'].map((name) => startElection({ kv, clock, ttlMs: TTL, key: 'leader', name, lead: (term) => (tokens.push(term.token), hold(term)) }))
    await clock.advance(100)
    expect(candidates.filter(({ term }) => term?.isLive === true)).toHaveLength(1)
    candidates.find(({ term }) => term !== undefined)?.term?.resign()
    await clock.advance(2 * TTL)
    expect(tokens.length).toBeGreaterThan(1)
    expect(tokens[1]).toBeGreaterThan(tokens[0] ?? 0n)
    await until(clock, Promise.all(candidates.map((one) => one.close())))
    expect(await kv.loadEntry('leader')).toBeUndefined()
  })

  it.each([1, 2, 3, 4, 5, 6])('never has two live leaders at once, and always gets one again (seed %i)', async (seed) => {
    const random = seeded(seed)
    const clock = new VirtualClock()
    const kv = createMemoryKV({ clock })
    const stores = Array.from({ length: 3 }, () => cuttable(kv))
    const told: bigint[] = []
    const candidates = stores.map((store, index) => startElection({
      kv: store, clock, ttlMs: TTL, key: 'leader', name: `n${index}`, lead: (term) => (told.push(term.token), hold(term)),
    }))
    for (let step = 0; step < 400; step++) {
      const store = stores[Math.floor(random() * stores.length)]
      if (store !== undefined && random() < 0.05) store.cut = !store.cut
      if (random() < 0.02) clock.stall(random() * 3 * TTL)
      await clock.advance(20 + random() * 60)
      const live = candidates.filter(({ term }) => term?.isLive === true).map(({ term }) => term?.token)
      expect(live.length, `seed ${seed}, step ${step}: ${live.join(' and ')}`).toBeLessThanOrEqual(1)
    }
    for (const store of stores) store.cut = false
    await clock.advance(5 * TTL)
    expect(candidates.filter(({ term }) => term?.isLive === true)).toHaveLength(1)
    expect(told.length).toBeGreaterThan(1)
    expect(told).toEqual([...told].sort((a, b) => Number(a - b)))
    await until(clock, Promise.all(candidates.map((one) => one.close())))
  })
})
