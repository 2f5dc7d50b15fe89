/**
 * Exports from a cluster of processes: all rows of one moment, while another proxy's clients insert and delete, segments are merged, and a
 * data node is killed. `TIMETICK_RING=storm npx vitest run test/cluster/export-processes.test.ts`.
 */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { parquetReadObjects } from 'hyparquet'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { runProgram } from '../e2e/running-program.ts'
import { hasServices, ring } from '../stores/services.edge.ts'
import { combinations, newClusterName } from '../stores/settings.ts'
import { type RunningCluster, startCluster, until } from './processes.ts'

const LAYOUT: readonly (readonly ClusterRole[])[] = [['proxy'], ['proxy', 'query'], ['coordinator'], ['data'], ['data']]
const collection_name = 'moved'
const PARTS = 4
const PART = 1_000
const ROWS = PARTS * PART
/** Rows of a delete, and of an insert. */
const BATCH = 20

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const isOk = (status: { readonly code?: unknown } | undefined): boolean => Number(status?.code) === 0
const rowsFrom = (from: number, count: number): { id: number; vec: number[] }[] => Array.from({ length: count }, (_, at) => ({ id: from + at, vec: [from + at, 1, 2, 3] }))

interface Scene {
  readonly cluster: RunningCluster
  readonly clients: readonly MilvusClient[]
  readonly folder: string
}

async function open({ parameters }: (typeof combinations)[number]): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'mini-milvus-exports-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const cluster = await startCluster('redis://unused', LAYOUT, { ...parameters(newClusterName(), folder), 'cluster.leaseTtl': '4s', 'compaction.minSegments': '3' })
  cleanups.push(() => cluster.close())
  const clients = cluster.addresses().map((address) => new MilvusClient({ address, timeout: 30_000, maxRetries: 0, logLevel: 'error' }))
  for (const client of clients) {
    client.connectPromise.catch(() => undefined)
    cleanups.push(() => client.closeConnection())
  }
  return { cluster, clients, folder }
}

async function fill(client: MilvusClient): Promise<void> {
  const fields = [{ name: 'id', data_type: 'Int64', is_primary_key: true }, { name: 'vec', data_type: 'FloatVector', dim: 4 }] as const
  await until('the collection', async () => (isOk(await client.createCollection({ collection_name, shards_num: 2, fields: [...fields] })) ? true : undefined))
  for (let part = 0; part < PARTS; part++) {
    await until('rows', async () => (isOk((await client.insert({ collection_name, data: rowsFrom(part * PART, PART) })).status) ? true : undefined))
    await until('a flush', async () => (isOk((await client.flushSync({ collection_names: [collection_name] })).status) ? true : undefined))
  }
}

interface Changes {
  /** Of the rows there were, deletes of so many from the first on are done, and have begun. */
  readonly deleted: () => { readonly done: number; readonly begun: number }
  /** Behind them, so many more are done, and have begun. */
  readonly inserted: () => { readonly done: number; readonly begun: number }
  stop(): Promise<void>
}

/** One call after the other of each kind; one that fails is made again. */
function changing(client: MilvusClient): Changes {
  let isStopping = false
  const loop = (most: number, run: (from: number) => Promise<boolean>) => {
    const counts = { done: 0, begun: 0 }
    const running = (async () => {
      while ((!isStopping || counts.done < counts.begun) && counts.done < most) {
        counts.begun = counts.done + BATCH
        if (await run(counts.done).catch(() => false)) counts.done = counts.begun
        else await new Promise((resolve) => setTimeout(resolve, 50))
      }
    })()
    return { counts, running }
  }
  const deletes = loop(ROWS - PART, async (from) => isOk((await client.delete({ collection_name, ids: rowsFrom(from, BATCH).map(({ id }) => id) })).status))
  // Upserts, as one whose answer was lost is made again.
  const inserts = loop(Number.MAX_SAFE_INTEGER, async (from) => isOk((await client.upsert({ collection_name, data: rowsFrom(ROWS + from, BATCH) })).status))
  return {
    deleted: () => ({ ...deletes.counts }),
    inserted: () => ({ ...inserts.counts }),
    async stop() {
      isStopping = true
      await Promise.all([deletes.running, inserts.running])
    },
  }
}

async function exported(address: string, format: 'ndjson' | 'parquet', file: string): Promise<number[]> {
  await until(`an export as ${format}`, async () => {
    const { code, stderr } = await runProgram(['export', collection_name, '--format', format, '--address', address, '--output', file])
    if (code !== 0) throw new Error(`the export ended with ${code}: ${stderr}`)
    return true
  })
  const bytes = await readFile(file)
  if (format === 'ndjson') return bytes.toString().trimEnd().split('\n').map((line) => (JSON.parse(line) as { id: number }).id)
  const rows = (await parquetReadObjects({ file: new Uint8Array(bytes).buffer })) as { id: bigint }[]
  return rows.map(({ id }) => Number(id))
}

/** Changes run in order, so that those of one moment are those up to one call, of which the shards may have had a part each. */
async function expectOneMoment(changes: Changes, run: () => Promise<readonly number[]>): Promise<void> {
  const before = { deleted: changes.deleted(), inserted: changes.inserted() }
  const seen = await run()
  const after = { deleted: changes.deleted(), inserted: changes.inserted() }
  const there = new Set(seen)
  expect(there.size, 'rows are there twice').toBe(seen.length)
  const first = Math.min(...seen)
  expect(first).toBeGreaterThanOrEqual(before.deleted.done)
  expect(first).toBeLessThanOrEqual(after.deleted.begun)
  const last = Math.max(...seen) + 1
  expect(last).toBeGreaterThanOrEqual(ROWS + before.inserted.done)
  expect(last).toBeLessThanOrEqual(ROWS + after.inserted.begun)
  expect(rowsFrom(first + BATCH, last - first - 2 * BATCH).map(({ id }) => id).filter((id) => !there.has(id)), 'rows are gone').toEqual([])
}

describe.runIf(ring === 'storm' || ring === 'soak').each(combinations)('a cluster on $name', (combination) => {
  it.skipIf(!hasServices(...combination.services))('exports one moment by each proxy, while another changes rows and a data node is killed', { timeout: 400_000 }, async () => {
    const { cluster, clients, folder } = await open(combination)
    const [mine, others] = clients as [MilvusClient, MilvusClient]
    await fill(mine)
    const [first = '', second = ''] = cluster.addresses()
    const changes = changing(others)
    cleanups.push(() => changes.stop())
    await until('changes', async () => (changes.deleted().done > 0 && changes.inserted().done > 0 ? true : undefined))
    await expectOneMoment(changes, () => exported(first, 'ndjson', join(folder, 'one.ndjson')))
    await expectOneMoment(changes, () => exported(second, 'parquet', join(folder, 'two.parquet')))
    const victim = cluster.processes.findLast(({ roles }) => roles.includes('data'))
    await victim?.program.stop('SIGKILL')
    // Its channels are on their way to the other: what has not come into segments yet is awaited, not left out.
    await expectOneMoment(changes, () => exported(first, 'parquet', join(folder, 'three.parquet')))
    await changes.stop()
    const { deleted, inserted } = { deleted: changes.deleted().done, inserted: changes.inserted().done }
    const seen = await exported(second, 'ndjson', join(folder, 'four.ndjson'))
    const sure = rowsFrom(deleted, ROWS + inserted - deleted).map(({ id }) => id)
    expect(seen.sort((a, b) => a - b)).toEqual(sure)
  })
})
