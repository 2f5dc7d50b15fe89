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
import type { LeaderTerm } from '../src/session.ts'
import { cuttable } from './cuttable.ts'
import { byRing, hasService, serviceUrl } from './services.edge.ts'

const OUTAGES = byRing(2, 8, 20)
const TTL_MS = 1_000

const hold = (term: LeaderTerm): Promise<void> => new Promise((resolve) => term.over.addEventListener('abort', () => resolve(), { once: true }))

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within 15 s`)
    await sleep(10)
  }
}

async function run(kv: KVBase): Promise<void> {
  const ids = await Promise.all(Array.from({ length: 10 }, () => nextServerId(kv)))
  expect(new Set(ids).size).toBe(10)
  const session = await openSession({ kv, ttlMs: TTL_MS, callTimeoutMs: 3_000, name: 'query' })
  await sleep(TTL_MS * 2.5)
  await until('live, long after the first lease', () => session.isLive)
  expect((await listSessions(kv)).sessions.has(session.key)).toBe(true)
  await session.close()
  // On a busy disk the taking back may be given up; then the lease ends by time.
  await until('gone', async () => (await listSessions(kv)).sessions.size === 0)

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

// All at once: they mostly wait for leases to end.
describe.concurrent('sessions and elections', () => {
  it('on lmdb', LIMIT, async () => {
    const path = await mkdtemp(join(tmpdir(), 'watchdog-'))
    const kv = await openLmdbKV({ path })
    await run(kv)
    await kv.close()
    await rm(path, { recursive: true })
  })

  it.skipIf(!hasService('etcd'))('on etcd', LIMIT, async () => {
    const kv = await openEtcdKV({ hosts: serviceUrl('etcd'), rootPath: root })
    await run(kv)
    await kv.close()
  })

  it.skipIf(!hasService('redis'))('on Redis', LIMIT, async () => {
    const kv = await openRedisKV({ url: serviceUrl('redis'), rootPath: root })
    await run(kv)
    await kv.close()
  })
})
