/** Query nodes as processes: they share what is loaded, and join, leave and die under searches that must see everything, once. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { callAs, type Caller } from '../e2e/call-as.ts'
import { hasServices, ring } from '../stores/services.edge.ts'
import { combinations, newClusterName } from '../stores/settings.ts'
import { type RunningCluster, startCluster } from './processes.ts'

const isLong = ring === 'storm' || ring === 'soak'
/** In CI on Redis alone, which is the quickest. */
const isAsked = (key: string): boolean => isLong || (key === 'redis' && ((ring !== 'default' && process.env['TIMETICK_REDIS_URL'] !== undefined) || process.env['REQUIRE_SERVICES'] === '1'))

const LAYOUT: readonly (readonly ClusterRole[])[] = [['proxy'], ['coordinator', 'data'], ['query'], ['query']]
const SETTINGS = { 'queryCoord.grace': '500ms', 'queryCoord.interval': '200ms', 'compaction.minSegments': '1000', 'queryCoord.tolerance': '0.05' }
const collection_name = 'spread'
const SEGMENTS = 20
const ROWS = SEGMENTS * 10

let cluster: RunningCluster | undefined
let client: MilvusClient
let caller: Caller
let folder: string
afterEach(async () => {
  caller.close()
  await client.closeConnection()
  await cluster?.close()
  cluster = undefined
  await rm(folder, { recursive: true, force: true })
})

async function open({ parameters }: (typeof combinations)[number]): Promise<RunningCluster> {
  folder = await mkdtemp(join(tmpdir(), 'mini-milvus-query-'))
  const running = await startCluster('redis://unused', LAYOUT, { ...parameters(newClusterName(), folder), ...SETTINGS, 'cluster.leaseTtl': '8s' })
  cluster = running
  const [address = ''] = running.addresses()
  client = new MilvusClient({ address, timeout: 60_000, maxRetries: 0, logLevel: 'error' })
  caller = callAs(address, undefined)
  return running
}

/** Segments of ten rows each, and ten rows more that grow. */
async function fill(): Promise<void> {
  const made = await client.createCollection({
    collection_name,
    shards_num: 2,
    // Of all reads: the client does not send a level of 0.
    consistency_level: 'Strong',
    fields: [{ name: 'id', data_type: 'Int64', is_primary_key: true }, { name: 'vec', data_type: 'FloatVector', dim: 4 }],
    index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
  } as never)
  expect(made.error_code).toBe('Success')
  for (let from = 0; from <= ROWS; from += 20) {
    const { status } = await client.insert({ collection_name, data: Array.from({ length: from === ROWS ? 10 : 20 }, (_, i) => rowOf(from + i)) })
    expect(status.code).toBe(0)
    if (from < ROWS) await client.flushSync({ collection_names: [collection_name] })
  }
}

const rowOf = (id: number): { id: number; vec: number[] } => ({ id, vec: [id, 1, 2, 3] })
const EVERY = Array.from({ length: ROWS + 10 }, (_, id) => id)

async function segmentsByNode(): Promise<Map<bigint, Set<bigint>>> {
  const { infos } = (await caller.call('GetQuerySegmentInfo', { collectionName: collection_name })) as { infos: readonly { segmentID: bigint; nodeIds: readonly bigint[] }[] }
  const held = new Map<bigint, Set<bigint>>()
  for (const { segmentID, nodeIds } of infos) for (const id of nodeIds) held.set(id, (held.get(id) ?? new Set()).add(segmentID))
  return held
}

const sizes = async (): Promise<number[]> => [...(await segmentsByNode()).values()].map(({ size }) => size).sort((a, b) => a - b)

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 90_000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what} did not come`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function searchAll(): Promise<readonly number[]> {
  const { results, status } = await client.search({ collection_name, data: [0, 0, 0, 0], limit: 1_000, output_fields: ['id'] })
  if (status.code !== 0) throw new Error(status.reason)
  return results.map(({ id }) => Number(id)).sort((a, b) => a - b)
}

/** Searches, one after the other, beside upserts that change no row, until told to stop. */
function searching(): { stop(): Promise<{ readonly searches: number; readonly failures: readonly string[]; readonly wrong: readonly string[] }> } {
  let isStopping = false
  let searches = 0
  const failures: string[] = []
  const wrong: string[] = []
  const loop = async (): Promise<void> => {
    while (!isStopping) {
      try {
        const seen = await searchAll()
        searches++
        if (seen.length !== EVERY.length || seen.some((id, i) => id !== EVERY[i])) wrong.push(`${seen.length} rows: ${JSON.stringify(EVERY.filter((id) => !seen.includes(id)))} are missing, ${JSON.stringify(seen.filter((id, i) => seen[i - 1] === id))} are twice`)
      } catch (error) {
        failures.push(String(error))
      }
    }
  }
  const upserts = async (): Promise<void> => {
    for (let id = 0; !isStopping; id = (id + 7) % EVERY.length) {
      await client.upsert({ collection_name, data: [rowOf(id)] }).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const running = Promise.all([loop(), loop(), upserts()])
  return {
    async stop() {
      isStopping = true
      await running
      return { searches, failures, wrong }
    },
  }
}

describe.each(combinations)('query nodes as processes on $name', (combination) => {
  it.runIf(isAsked(combination.key) && hasServices(...combination.services))('take 20 segments over onto a new node, and give them back before they stop, without a failed search', { timeout: 300_000 }, async () => {
    const running = await open(combination)
    await fill()
    await client.loadCollectionSync({ collection_name })
    await until('all segments on two nodes', async () => (await sizes()).reduce((a, b) => a + b, 0) === SEGMENTS)
    expect(await sizes()).toEqual([SEGMENTS / 2, SEGMENTS / 2])
    expect(await searchAll()).toEqual(EVERY)

    const searches = searching()
    const joined = await running.add(['query'])
    await until('segments on the node that joined', async () => (await sizes()).length === 3 && ((await sizes())[0] ?? 0) >= 5)
    // No node holds everything, and together they do, once.
    const held = await segmentsByNode()
    expect(Math.max(...[...held.values()].map(({ size }) => size))).toBeLessThan(SEGMENTS)
    expect(new Set([...held.values()].flatMap((ids) => [...ids])).size).toBeGreaterThanOrEqual(SEGMENTS)

    const [from = 0n] = [...held].sort(([, a], [, b]) => b.size - a.size).map(([id]) => id)
    const [to = 0n] = [...held.keys()].filter((id) => id !== from)
    const [moved = 0n] = held.get(from) ?? []
    expect(await caller.call('LoadBalance', { collectionName: collection_name, src_nodeID: from, dst_nodeIDs: [to], sealed_segmentIDs: [moved] })).toMatchObject({ code: 0 })

    const leaving = running.processes.find(({ roles, program }) => roles.includes('query') && program !== joined.program)
    expect(await leaving?.program.stop('SIGTERM')).toBe(0)
    const { searches: count, failures, wrong } = await searches.stop()
    expect({ failures, wrong }).toEqual({ failures: [], wrong: [] })
    expect(count).toBeGreaterThan(5)
    expect((await segmentsByNode()).size).toBe(2)
  })

  it.runIf(isAsked(combination.key) && hasServices(...combination.services))('are killed, and no search misses or doubles a row, with two replicas and with one', { timeout: 300_000 }, async () => {
    const running = await open(combination)
    await fill()
    await client.loadCollectionSync({ collection_name, replica_number: 2 })
    const { replicas } = (await caller.call('GetReplicas', { collection_name, with_shard_nodes: true })) as { replicas: readonly { node_ids: readonly bigint[] }[] }
    expect(replicas.map(({ node_ids }) => node_ids.length)).toEqual([1, 1])
    const searches = searching()
    const victim = running.processes.find(({ roles }) => roles.includes('query'))
    if (victim !== undefined) await running.replace(victim)
    await until('both replicas on two nodes again', async () => (await sizes()).filter((size) => size >= SEGMENTS).length === 2)
    const { searches: count, failures, wrong } = await searches.stop()
    expect(wrong).toEqual([])
    // The other replica answers.
    expect(failures).toEqual([])
    expect(count).toBeGreaterThan(5)

    await client.releaseCollection({ collection_name })
    await client.loadCollectionSync({ collection_name })
    const alone = searching()
    const second = running.processes.findLast(({ roles }) => roles.includes('query'))
    await second?.program.stop('SIGKILL')
    await until('everything on the one that is left', async () => (await sizes()).some((size) => size >= SEGMENTS))
    expect(await searchAll()).toEqual(EVERY)
    expect((await alone.stop()).wrong).toEqual([])
  })
})
