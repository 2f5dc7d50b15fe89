/**
 * Processes that are stopped (SIGSTOP) for longer than their lease, with work in hand, and go on (SIGCONT) when others have their duties:
 * what they then still do changes nothing. `TIMETICK_RING=storm npx vitest run test/cluster/paused-processes.test.ts`.
 */
import { ConsistencyLevelEnum, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { hasServices, ring } from '../stores/services.edge.ts'
import { combinations, newClusterName } from '../stores/settings.ts'
import { type ClusterProcess, type RunningCluster, startCluster, until as untilWithin } from './processes.ts'
import { gaugeOf } from './read-gauge.ts'

const LAYOUT: readonly (readonly ClusterRole[])[] = [['proxy', 'query'], ['coordinator'], ['coordinator'], ['data'], ['data']]
const SHARDS = 4
const LOOPS = 6
/** Each insert has rows of every shard. */
const BATCH = 40
const collection_name = 'rows'
const stores = combinations.filter(({ key }) => key === 'redis' || key === 'etcd+kafka+s3')

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const isOk = (status: { readonly code?: unknown } | undefined): boolean => Number(status?.code) === 0

const until = <T>(what: string, run: () => Promise<T | undefined>): Promise<T> => untilWithin(what, run, { timeoutMs: 120_000, everyMs: 100 })

interface Scene {
  readonly cluster: RunningCluster
  readonly client: MilvusClient
  readonly data: readonly ClusterProcess[]
  readonly coordinators: readonly ClusterProcess[]
}

async function open({ parameters }: (typeof combinations)[number]): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'mini-milvus-paused-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const cluster = await startCluster('redis://unused', LAYOUT, { ...parameters(newClusterName(), folder), 'cluster.leaseTtl': '4s', 'rootCoord.dmlChannelNum': String(SHARDS) })
  cleanups.push(() => cluster.close())
  const client = new MilvusClient({ address: cluster.addresses()[0] ?? '', timeout: 40_000, maxRetries: 0, logLevel: 'error' })
  client.connectPromise.catch(() => undefined)
  cleanups.push(() => client.closeConnection())
  const withRole = (role: ClusterRole): ClusterProcess[] => cluster.processes.filter(({ roles }) => roles.includes(role))
  const fields = [{ name: 'id', data_type: 'Int64', is_primary_key: true }, { name: 'vec', data_type: 'FloatVector', dim: 2 }]
  const index_params = [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }]
  await until('the collection', async () => (isOk(await client.createCollection({ collection_name, shards_num: SHARDS, fields, index_params } as never)) ? true : undefined))
  await client.loadCollectionSync({ collection_name })
  await until('channels with both data nodes', async () => ((await Promise.all(withRole('data').map(channelsOf))).every((count) => count > 0) ? true : undefined))
  return { cluster, client, data: withRole('data'), coordinators: withRole('coordinator') }
}

const channelsOf = ({ program }: ClusterProcess): Promise<number> => gaugeOf(program.ready.metricsAddress, 'timetick_cluster_channels')
const isLeading = async ({ program }: ClusterProcess): Promise<boolean> => (await gaugeOf(program.ready.metricsAddress, 'timetick_cluster_leading')) === 1
/** What it asked of the log, or was asked to write, and what readers passed over, as the channel was another's by then. */
async function fencedAt({ program }: ClusterProcess): Promise<{ readonly append: number; readonly write: number; readonly read: number }> {
  const [append, write, read] = await Promise.all(['append', 'write', 'read'].map((at) => gaugeOf(program.ready.metricsAddress, `timetick_cluster_fenced{at="${at}"}`)))
  return { append: append ?? 0, write: write ?? 0, read: read ?? 0 }
}
const hasLease = async ({ program }: ClusterProcess): Promise<boolean> => (await gaugeOf(program.ready.metricsAddress, 'timetick_cluster_lease_left_ms')) > 0

/** Inserts that run all the time: each acknowledged row, and in what order one client was given its timestamps. */
function inserting(client: MilvusClient): { readonly acknowledged: Set<number>; readonly wrong: string[]; readonly begun: () => number; readonly doneSince: (begun: number) => boolean; stop(): Promise<void> } {
  const acknowledged = new Set<number>()
  const wrong: string[] = []
  const done = new Set<number>()
  let isStopping = false
  let calls = 0
  const loop = async (): Promise<void> => {
    for (let last = 0n; !isStopping; ) {
      const call = calls++
      const ids = Array.from({ length: BATCH }, (_, at) => call * BATCH + at)
      const answer = await client.insert({ collection_name, data: ids.map((id) => ({ id, vec: [id, 1] })) }).catch(() => undefined)
      if (answer === undefined || !isOk(answer.status)) {
        await pause(50)
        continue
      }
      const ts = BigInt(answer.timestamp)
      if (ts <= last) wrong.push(`timestamp ${ts} came behind ${last}`)
      last = ts
      for (const id of ids) acknowledged.add(id)
      done.add(call)
    }
  }
  const running = Promise.all(Array.from({ length: LOOPS }, loop))
  return {
    acknowledged, wrong,
    begun: () => calls,
    doneSince: (begun) => [...done].some((call) => call >= begun),
    async stop() {
      isStopping = true
      await running
    },
  }
}

async function allIds(client: MilvusClient, calls: number): Promise<number[]> {
  return until('a strong read', async () => {
    const found: number[] = []
    for (let from = 0; from < calls * BATCH; from += 10_000) {
      const { status, data } = await client.query({ collection_name, filter: `id >= ${from} and id < ${from + 10_000}`, output_fields: ['id'], limit: 16_384, consistency_level: ConsistencyLevelEnum.Strong })
      if (!isOk(status)) return undefined
      found.push(...data.map((row) => Number(row['id'])))
    }
    return found
  })
}

function expectOnce(seen: readonly number[], acknowledged: ReadonlySet<number>): void {
  const there = new Set(seen)
  const sorted = [...seen].sort((x, y) => x - y)
  expect(sorted.filter((id, at) => id === sorted[at - 1]).slice(0, 20), 'rows are there twice').toEqual([])
  expect([...acknowledged].filter((id) => !there.has(id)).slice(0, 20), 'acknowledged rows are gone').toEqual([])
  expect(acknowledged.size).toBeGreaterThan(BATCH)
}

describe.runIf(ring === 'storm' || ring === 'soak').each(stores)('on $name', (combination) => {
  it.skipIf(!hasServices(...combination.services))('a data node that is stopped for longer than its lease, under writes, writes nothing when it goes on', { timeout: 400_000 }, async () => {
    const { cluster, client, data } = await open(combination)
    const [victim, other] = data as [ClusterProcess, ClusterProcess]
    const inserts = inserting(client)
    await until('writes', async () => (inserts.doneSince(LOOPS) ? true : undefined))
    const before = await fencedAt(victim)
    victim.program.child.kill('SIGSTOP')
    cleanups.push(async () => victim.program.child.kill('SIGCONT'))
    // What is under way now waits in its sockets; it reads it when it goes on.
    await until('all channels with the other', async () => ((await channelsOf(other)) === SHARDS ? true : undefined))
    const begun = inserts.begun()
    await until('a write of all shards without it', async () => (inserts.doneSince(begun) ? true : undefined))
    victim.program.child.kill('SIGCONT')
    await until('a new lease', async () => ((await hasLease(victim)) ? true : undefined))
    const again = inserts.begun()
    await until('a write behind it', async () => (inserts.doneSince(again) ? true : undefined))
    await inserts.stop()
    // No log refuses a client that it knows: the owner itself does, by its clock, before it writes, and readers what it may have written none the less.
    const fenced = await fencedAt(victim)
    console.log(`${combination.name}: refused ${JSON.stringify(fenced)}; by readers elsewhere ${JSON.stringify(await Promise.all(cluster.processes.filter((one) => one !== victim).map(fencedAt)))}`)
    expect(fenced.append + fenced.write - before.append - before.write, 'nothing was refused').toBeGreaterThan(0)
    expect(inserts.wrong).toEqual([])
    expectOnce(await allIds(client, inserts.begun()), inserts.acknowledged)
  })

  it.skipIf(!hasServices(...combination.services))('a leader that is stopped for longer than its lease changes nothing when it goes on', { timeout: 400_000 }, async () => {
    const { client, coordinators } = await open(combination)
    const leader = await until('a leader', async () => {
      for (const one of coordinators) if (await isLeading(one)) return one
      return undefined
    })
    const standby = coordinators.find((one) => one !== leader) as ClusterProcess
    const inserts = inserting(client)
    const make = (name: string) => client.createCollection({ collection_name: name, dimension: 2 }).catch(() => undefined)
    for (const name of ['early_0', 'early_1']) expect(isOk(await make(name))).toBe(true)
    leader.program.child.kill('SIGSTOP')
    cleanups.push(async () => leader.program.child.kill('SIGCONT'))
    // These reach one that cannot answer: it finds them when it goes on, and does not lead by then.
    const stuck = Promise.all([...Array.from({ length: 6 }, (_, at) => make(`stuck_${at}`)), client.dropCollection({ collection_name: 'early_0' }).catch(() => undefined)])
    await until('another leader', async () => ((await isLeading(standby)) ? true : undefined))
    await until('DDL without it', async () => (isOk(await make('late')) ? true : undefined))
    await until('a drop without it', async () => (isOk(await client.dropCollection({ collection_name: 'early_1' }).catch(() => undefined)) ? true : undefined))
    await until('early_1 anew', async () => (isOk(await make('early_1')) ? true : undefined))
    const begun = inserts.begun()
    await until('a write without it', async () => (inserts.doneSince(begun) ? true : undefined))
    leader.program.child.kill('SIGCONT')
    const answers = await stuck
    await until('a new lease', async () => ((await hasLease(leader)) ? true : undefined))
    expect([await isLeading(leader), await isLeading(standby)]).toEqual([false, true])
    await inserts.stop()
    expect(inserts.wrong).toEqual([])
    expectOnce(await allIds(client, inserts.begun()), inserts.acknowledged)

    const { data } = await client.showCollections()
    const names = data.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining([collection_name, 'late', 'early_1']))
    answers.slice(0, 6).forEach((answer, at) => {
      if (isOk(answer)) expect(names).toContain(`stuck_${at}`)
    })
    if (isOk(answers[6])) expect(names).not.toContain('early_0')
    // Ids and timestamps of both terms: none is there twice, and who leads can still change everything.
    expect(new Set(data.map(({ id }) => id)).size).toBe(data.length)
    for (const name of names.filter((one) => one !== collection_name)) expect(isOk(await client.dropCollection({ collection_name: name }))).toBe(true)
    expect((await client.showCollections()).data.map(({ name }) => name)).toEqual([collection_name])
  })
})
