/**
 * Outages of real servers: killed and started again on their data, or a leader cut off from them. No two leaders are live at once, tokens
 * grow, and no session is lost to an outage.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { KVBase } from '@timetick/kv'
import { openEtcdKV } from '@timetick/kv/etcd'
import { openRedisKV } from '@timetick/kv/redis'
import { describe, expect, it } from 'vitest'
import { listSessions, openSession, startElection } from '../src/session.ts'
import type { LeaderTerm, SessionEvent } from '../src/session.ts'
import { cuttable } from './cuttable.ts'
import { seeded } from './helpers.ts'
import { byRing, hasService, ownService } from './services.edge.ts'
import type { Service, ServiceName } from './services.edge.ts'

const OUTAGES = byRing(3, 20, 100)
const TTL_MS = 1_000
const HEAL_MS = 30_000
const CANDIDATES = 3

/** When the holder of a token was seen live. */
interface Reign {
  readonly token: bigint
  readonly from: number
  to: number
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + HEAL_MS
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${HEAL_MS} ms`)
    await sleep(5)
  }
}

async function survive(service: Service, open: (url: string) => Promise<KVBase>): Promise<void> {
  const seed = Number(process.env['SEED'] ?? 20_262)
  const random = seeded(seed)
  const kvs = await Promise.all(Array.from({ length: CANDIDATES }, () => open(service.url)))
  const stores = kvs.map(cuttable)
  const events: SessionEvent[] = []
  // A call may take long on a busy machine; that a holder fences itself in time does not depend on it.
  const lease = { ttlMs: TTL_MS, callTimeoutMs: 3_000 }
  const sessions = await Promise.all(stores.map((kv) => openSession({ ...lease, kv, name: 'node', onEvent: (event) => void events.push(event) })))
  const reigns: Reign[] = []
  const lead = async (term: LeaderTerm): Promise<void> => {
    const reign: Reign = { token: term.token, from: performance.now(), to: 0 }
    reigns.push(reign)
    while (!term.over.aborted) {
      if (term.isLive) reign.to = performance.now()
      await sleep(2)
    }
  }
  const candidates = stores.map((kv, index) => startElection({ ...lease, kv, key: 'leader', name: `n${index}`, lead }))
  const live = (): number[] => candidates.flatMap(({ term }, index) => (term?.isLive === true ? [index] : []))
  const isWell = (): boolean => {
    expect(live().length, `seed ${seed}: leaders at once`).toBeLessThanOrEqual(1)
    return live().length === 1 && sessions.every((session) => session.isLive)
  }
  for (let outage = 0; outage < OUTAGES; outage++) {
    await until(`seed ${seed}, outage ${outage}: a leader, and all sessions live`, isWell)
    // The first is longer than any lease, so that there is a second reign whatever the seed.
    const lengthMs = TTL_MS * (outage === 0 ? 1.6 : 0.1 + random() * 1.5)
    if (outage % 2 === 0) {
      await service.kill()
      await sleep(lengthMs)
      await service.restart()
    } else {
      const store = stores[live()[0] ?? 0]
      if (store === undefined) throw new Error('no store')
      store.cut = true
      await sleep(lengthMs)
      store.cut = false
    }
  }
  await until(`seed ${seed}, after the last outage: a leader, and all sessions live`, isWell)
  expect(events.filter(({ type }) => type === 'lost')).toEqual([])
  const [kv] = kvs
  if (kv === undefined) throw new Error('no store')
  expect((await listSessions(kv)).sessions.size).toBe(CANDIDATES)
  await Promise.all([...candidates, ...sessions].map((one) => one.close()))
  const told = reigns.map(({ token, from, to }) => `${token}: ${Math.round(from)} to ${Math.round(to)}`).join('; ')
  expect(reigns.length, `seed ${seed}: ${told}`).toBeGreaterThan(1)
  for (const [index, reign] of reigns.entries()) {
    const next = reigns[index + 1]
    if (next === undefined) break
    expect(next.token > reign.token, `seed ${seed}: tokens grow: ${told}`).toBe(true)
    expect(next.from, `seed ${seed}: reigns do not overlap: ${told}`).toBeGreaterThan(reign.to)
  }
  await Promise.all(kvs.map((one) => one.close()))
}

const LIMIT = { timeout: 60_000 + OUTAGES * 20_000 }
const openers: Readonly<Record<ServiceName, (url: string) => Promise<KVBase>>> = {
  etcd: (url) => openEtcdKV({ hosts: url, rootPath: 'outages' }),
  redis: (url) => openRedisKV({ url, rootPath: 'outages' }),
}

// Both at once: they mostly wait.
describe.concurrent('no two leaders with valid tokens at once', () => {
  for (const name of ['etcd', 'redis'] as const) {
    it.skipIf(!hasService(name))(`in ${OUTAGES} outages of ${name}`, LIMIT, async () => {
      const service = await ownService(name, name === 'redis' ? { appendonly: 'always' } : {})
      try {
        await survive(service, openers[name])
      } finally {
        await service.stop()
      }
    })
  }
})
