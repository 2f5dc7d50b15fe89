/** Sessions and elections on real stores. etcd and Redis where the environment names one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KVBase } from '@timetick/kv'
import { openEtcdKV } from '@timetick/kv/etcd'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { openRedisKV } from '@timetick/kv/redis'
import { describe, expect, it } from 'vitest'
import { listSessions, nextServerId, openSession, startElection } from '../src/session.ts'
import type { LeaderTerm, SessionStore } from '../src/session.ts'

const etcd = process.env['TIMETICK_ETCD_URL']
const redis = process.env['TIMETICK_REDIS_URL']
const isLong = process.env['TIMETICK_RING'] === 'ci' || process.env['TIMETICK_RING'] === 'soak'
const OUTAGES = isLong ? 20 : 2
const TTL_MS = 1_000

function has(name: string, url: string | undefined): boolean {
  if (url !== undefined) return true
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but there is no TIMETICK_${name}_URL`)
  console.warn(`the tests on ${name} are left out: there is no TIMETICK_${name}_URL`)
  return false
}

/** A client whose calls get no answer while `cut`. */
function cuttable(kv: KVBase): SessionStore & { cut: boolean } {
  const through = async <T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> => {
    while (store.cut) {
      signal?.throwIfAborted()
      await sleep(10)
    }
    return call()
  }
  const store: SessionStore & { cut: boolean } = {
    cut: false,
    loadEntry: (key, options) => through(options?.signal, () => kv.loadEntry(key, options)),
    loadWithPrefix: (prefix, options) => through(options?.signal, () => kv.loadWithPrefix(prefix, options)),
    multiSaveAndRemove: (saves, removals, options) => through(options?.signal, () => kv.multiSaveAndRemove(saves, removals, options)),
    compareAndSave: (key, expected, value, options) => through(options?.signal, () => kv.compareAndSave(key, expected, value, options)),
    watch: (key, options) => kv.watch(key, options),
    watchWithPrefix: (prefix, options) => kv.watchWithPrefix(prefix, options),
    grantLease: (ttlMs, options) => through(options?.signal, async () => {
      const lease = await kv.grantLease(ttlMs, options)
      return {
        id: lease.id,
        ttlMs: lease.ttlMs,
        keepAlive: (more) => through(more?.signal, () => lease.keepAlive(more)),
        revoke: (more) => through(more?.signal, () => lease.revoke(more)),
        [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
      }
    }),
  }
  return store
}

const hold = (term: LeaderTerm): Promise<void> => new Promise((resolve) => term.over.addEventListener('abort', () => resolve(), { once: true }))

async function run(kv: KVBase): Promise<void> {
  const ids = await Promise.all(Array.from({ length: 10 }, () => nextServerId(kv)))
  expect(new Set(ids).size).toBe(10)
  const session = await openSession({ kv, ttlMs: TTL_MS, name: 'query' })
  await sleep(TTL_MS * 2.5)
  expect(session.isLive).toBe(true)
  expect((await listSessions(kv)).sessions.has(session.key)).toBe(true)
  await session.close()
  expect((await listSessions(kv)).sessions.size).toBe(0)

  const stores = [cuttable(kv), cuttable(kv), cuttable(kv)]
  const tokens: bigint[] = []
  const candidates = stores.map((store, index) => startElection({
    kv: store, ttlMs: TTL_MS, key: 'leader', name: `n${index}`, lead: (term) => (tokens.push(term.token), hold(term)),
  }))
  const live = (): number => candidates.filter(({ term }) => term?.isLive === true).length
  const untilLed = async (by: (index: number) => boolean): Promise<number> => {
    const end = performance.now() + 15_000
    for (;;) {
      expect(live()).toBeLessThanOrEqual(1)
      const leader = candidates.findIndex(({ term }, index) => term?.isLive === true && by(index))
      if (leader >= 0) return leader
      if (performance.now() > end) throw new Error('no leader within 15 s')
      await sleep(5)
    }
  }
  for (let outage = 0; outage < OUTAGES; outage++) {
    const leader = await untilLed(() => true)
    const store = stores[leader]
    if (store !== undefined) store.cut = true
    await untilLed((index) => index !== leader)
    if (store !== undefined) store.cut = false
  }
  expect(tokens.length).toBeGreaterThan(OUTAGES)
  expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
  await Promise.all(candidates.map((one) => one.close()))
}

const LIMIT = { timeout: 40_000 + OUTAGES * 16_000 }
const root = `watchdog-${process.pid}`

describe('sessions and elections', () => {
  it('on lmdb', LIMIT, async () => {
    const path = await mkdtemp(join(tmpdir(), 'watchdog-'))
    const kv = await openLmdbKV({ path })
    await run(kv)
    await kv.close()
    await rm(path, { recursive: true })
  })
})

describe.skipIf(!has('ETCD', etcd))('sessions and elections on etcd', () => {
  it('work', LIMIT, async () => {
    const kv = await openEtcdKV({ hosts: etcd ?? '', rootPath: root })
    await run(kv)
    await kv.close()
  })
})

describe.skipIf(!has('REDIS', redis))('sessions and elections on Redis', () => {
  it('work', LIMIT, async () => {
    const kv = await openRedisKV({ url: redis ?? '', rootPath: root })
    await run(kv)
    await kv.close()
  })
})
