/**
 * A storm: random processes of a cluster are killed, paused and cut off, and then each server of its stores is started anew, under
 * inserts, deletes, strong searches, flushes and DDL. One storm: `SEED=17 TIMETICK_RING=storm npx vitest run test/cluster/storm.test.ts`.
 * STORM names its stores (`redis`, `etcd+kafka+s3`, `etcd+pulsar+s3`, or `all`), STORM_LAYOUT is `six` or `nine` processes, STORM_SECONDS how long it blows,
 * STORM_TIMELINE=1 tells when what happened and which calls failed.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { seededRandom } from '../e2e/support.ts'
import { startStopwatch } from './kept-waiting.ts'
import { collection_name, StormClients } from './storm-clients.ts'
import { newStormFolder, openStormStores, STORM_KINDS, StormProcess, type StormStores } from './storm-cluster.ts'

const ring = process.env['TIMETICK_RING'] ?? 'default'
const seed = Number(process.env['SEED'] ?? (ring === 'soak' ? Date.now() % 1_000_000 : 7))
const LEASE_MS = 3_000
const EVERY_MS = 3_000
/** Behind the lease, where every process has a processor when it needs one. */
const BACK_IN_MS = 5_000
/** Nothing waits longer. */
const GIVE_UP_MS = 120_000
/** A storm goes on until so much has happened, however slow the machine is. */
const LEAST = { troubles: 5, inserts: 20, searches: 10 }

const SMALL: readonly (readonly ClusterRole[])[] = [['coordinator', 'data'], ['coordinator', 'data'], ['query'], ['query'], ['proxy'], ['proxy']]
const FULL: readonly (readonly ClusterRole[])[] = [['coordinator'], ['coordinator'], ['data'], ['data'], ['query'], ['query'], ['query'], ['proxy'], ['proxy']]
const LAYOUTS: Readonly<Record<string, typeof FULL>> = { six: SMALL, nine: FULL }
/** In CI the short one on Redis. */
const wanted = process.env['STORM'] ?? (ring === 'soak' ? 'all' : 'redis')
const storms = STORM_KINDS.map((kind) => ({
  kind,
  layout: LAYOUTS[process.env['STORM_LAYOUT'] ?? (ring === 'soak' && kind !== 'redis' ? 'nine' : 'six')] ?? [],
  ms: 1_000 * Number(process.env['STORM_SECONDS'] ?? (ring === 'soak' ? 120 : 20)),
  isWanted: ['ci', 'storm', 'soak'].includes(ring) && (wanted === 'all' || wanted === kind),
}))

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function startAll(stores: StormStores, layout: readonly (readonly ClusterRole[])[]): Promise<StormProcess[]> {
  const more = { 'cluster.name': 'storm', 'cluster.secret': 'of-the-storm', 'cluster.leaseTtl': `${LEASE_MS}ms`, 'rootCoord.dmlChannelNum': '4', 'engine.threads': '1' }
  const started = await Promise.allSettled(layout.map((roles, index) => StormProcess.start(`${roles.join('+')}-${index}`, roles, stores, more)))
  const processes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  for (const one of processes) cleanups.push(() => one.close())
  const failed = started.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return processes
}

async function until<T>(what: string, clients: StormClients, run: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + GIVE_UP_MS
  for (;;) {
    const found = await run()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`seed ${seed}: ${what} did not come: ${clients.lastReason}`)
    await pause(500)
  }
}

/** Something happens to one process, and ends after a while. */
async function trouble(process: StormProcess, random: () => number): Promise<string> {
  const kind = ['kill', 'pause', 'reset', 'silence'][Math.floor(random() * 4)] ?? 'kill'
  const ms = Math.floor(500 + random() * (LEASE_MS + 2_000))
  if (kind === 'kill') {
    await process.kill()
    await pause(Math.min(ms, 1_000))
    await process.again()
  } else if (kind === 'pause') {
    process.signal('SIGSTOP')
    await pause(ms)
    process.signal('SIGCONT')
  } else {
    process.cut(kind === 'reset' ? 'reset' : 'silence')
    await pause(ms)
    process.mend()
  }
  return `${kind} ${process.name} for ${ms} ms`
}

/** How long until a write and a strong read of it go through each proxy. */
async function backAfter(clients: StormClients, processes: readonly StormProcess[]): Promise<number> {
  const proxies = processes.filter(({ roles }) => roles.includes('proxy'))
  const opened = proxies.map((_, index) => clients.open(index))
  const watch = await startStopwatch([process.pid, ...processes.flatMap(({ pid }) => pid ?? [])])
  await Promise.all(
    opened.map((client, index) =>
      until(`service of proxy ${index}`, clients, async () => {
        const written = await clients.call('delete', () => client.delete({ collection_name, ids: [-1] }), ({ status }) => status)
        return written === undefined ? undefined : clients.allIds(client)
      }),
    ),
  )
  const ms = await watch.elapsedMs()
  for (const client of opened) await client.closeConnection()
  return ms
}

describe.each(storms)('a storm over a cluster on $kind', ({ kind, layout, ms, isWanted }) => {
  it.runIf(isWanted)(`loses nothing, doubles nothing, hides nothing, hangs nowhere (seed ${seed})`, { timeout: 900_000 }, async () => {
    expect(layout.length).toBeGreaterThan(0)
    const random = seededRandom(seed)
    const folder = await newStormFolder()
    cleanups.push(() => folder.remove())
    const stores = await openStormStores(kind, folder.path)
    for (const service of stores.services.values()) cleanups.push(() => service.stop())
    const processes = await startAll(stores, layout)
    const proxies = processes.filter(({ roles }) => roles.includes('proxy'))
    const clients = new StormClients(() => proxies.map(({ address }) => address), random)
    const first = clients.open(0)
    cleanups.push(() => first.closeConnection())
    // The client takes a search's own level for none when it is Strong (0), and asks the collection.
    const fields = [{ name: 'id', data_type: 'Int64', is_primary_key: true }, { name: 'vec', data_type: 'FloatVector', dim: 4 }] as const
    await until('the collection', clients, () => clients.call('create', () => first.createCollection({ collection_name, shards_num: 2, consistency_level: 'Strong', fields: [...fields] }), (status) => status))
    await until('the index', clients, () => clients.call('index', () => first.createIndex({ collection_name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }), (status) => status))
    await until('the load', clients, () => clients.call('load', () => first.loadCollectionSync({ collection_name }), (status) => status))
    clients.start()

    const log: string[] = []
    const troubles: Promise<unknown>[] = []
    const isEnough = (): boolean => log.length >= LEAST.troubles && clients.counts.inserts >= LEAST.inserts && clients.counts.searches >= LEAST.searches
    for (const begun = Date.now(); Date.now() < begun + ms || (!isEnough() && Date.now() < begun + GIVE_UP_MS); ) {
      const able = processes.filter(({ isTroubled }) => !isTroubled)
      const victim = able[Math.floor(random() * able.length)]
      if (victim !== undefined) {
        victim.isTroubled = true
        troubles.push(trouble(victim, random).then((text) => {
          log.push(text)
          clients.note(`-- ended: ${text}`)
          victim.isTroubled = false
        }))
      }
      await pause(EVERY_MS)
    }
    await Promise.all(troubles)
    const back = new Map([['after the last trouble', await backAfter(clients, processes)]])
    for (const [name, service] of stores.services) {
      clients.note(`-- ${name} starts anew`)
      await service.restart()
      back.set(`${name} started anew`, await backAfter(clients, processes))
    }
    await clients.stop()

    const atTheEnd = await Promise.all(proxies.map(async (_, index) => {
      const client = clients.open(index)
      const seen = await until('all rows', clients, () => clients.allIds(client))
      await client.closeConnection()
      return seen
    }))
    const told = `seed ${seed}, ${kind}, ${layout.length} processes, ${ms} ms\n${log.join('\n')}\n${[...back].map(([what, ms]) => `${what}: back in ${ms} ms`).join('\n')}\n${JSON.stringify(clients.counts)}\n${clients.reasons().slice(0, 20).join('\n')}\ndeleted rows that are there at the end: ${atTheEnd.map((seen) => seen.filter((id) => clients.deleted.has(id)).join(' ') || 'none').join('; ')}`
    console.log(told)
    if (process.env['STORM_TIMELINE'] === '1') console.log(clients.timeline.join('\n'))
    if (clients.violations.length > 0 || [...back.values()].some((late) => late > LEASE_MS + BACK_IN_MS)) for (const { name, errors } of processes) console.log(`${name}: ${errors.slice(-20_000)}`)
    expect(clients.violations, `${told}`).toEqual([])
    expect([...back].filter(([, ms]) => ms > LEASE_MS + BACK_IN_MS), `service came back late; ${told}`).toEqual([])
    for (const seen of atTheEnd) {
      const there = new Set(seen)
      expect(there.size, `a row is there twice; ${told}`).toBe(seen.length)
      expect([...clients.acknowledged].filter((id) => !there.has(id) && !clients.deleting.has(id)), `acknowledged rows are gone; ${told}`).toEqual([])
      expect([...clients.deleted].filter((id) => there.has(id)), `deleted rows are there; ${told}`).toEqual([])
    }
    expect(isEnough(), `${told}`).toBe(true)
  })
})
