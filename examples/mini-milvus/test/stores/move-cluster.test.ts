/** A data folder moved into a cluster of processes, which writes, and back: what was written in either place is there. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { startCluster } from '../cluster/processes.ts'
import { runProgram } from '../e2e/running-program.ts'
import { startProcess } from '../e2e/program-process.ts'
import { hasServices, ring, serviceUrl } from './services.edge.ts'
import { combinations, newClusterName } from './settings.ts'

const collection_name = 'moved'
const LAYOUT: readonly (readonly ClusterRole[])[] = [['coordinator', 'data'], ['proxy', 'query'], ['query']]

async function withClient<T>(address: string, run: (client: MilvusClient) => Promise<T>): Promise<T> {
  const client = new MilvusClient({ address, logLevel: 'error' })
  try {
    return await run(client)
  } finally {
    await client.closeConnection()
  }
}

/** Under rule `flush`: rows that come and rows that go with one commit, and others that nobody ever flushes. */
async function commit(address: string, from: number, count: number, ids: readonly number[]): Promise<void> {
  const client = new MilvusClient({ address, logLevel: 'error', option: { visibility: 'flush' } })
  try {
    await client.insert({ collection_name, data: rowsFrom(from, count) })
    await client.delete({ collection_name, ids: [...ids] })
    await client.flushSync({ collection_names: [collection_name] })
    await client.insert({ collection_name, data: rowsFrom(5_000, 10) })
  } finally {
    await client.closeConnection()
  }
}

const rowsFrom = (from: number, count: number): { id: number; vector: number[] }[] => Array.from({ length: count }, (_, i) => ({ id: from + i, vector: [from + i, 0, 0, 1] }))

async function idsOf(client: MilvusClient, count: number): Promise<number[]> {
  await expect.poll(async () => (await client.count({ collection_name })).data, { timeout: 60_000 }).toBe(count)
  const found = await client.query({ collection_name, filter: 'id >= 0', output_fields: ['id'], limit: 1000 })
  return found.data.map((row) => Number(row['id'])).sort((a, b) => a - b)
}

const without = (count: number, ...gone: number[]): number[] => Array.from({ length: count }, (_, id) => id).filter((id) => !gone.includes(id))
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

// Processes: where the long rings run. The quickest servers stand for all in CI.
const isChosen = (key: string): boolean => ring === 'soak' || (ring === 'ci' && key === 'redis')

describe.each(combinations)('a folder that becomes a cluster on $name', ({ key, parameters, services }) => {
  it.runIf(isChosen(key) && hasServices(...services))('and a folder again, with what the cluster wrote', { timeout: 300_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'timetick-move-cluster-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const [source, back, config] = [join(folder, 'source'), join(folder, 'back'), join(folder, 'cluster.yaml')]
    const settings = parameters(newClusterName(), folder)
    await writeFile(config, Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join(''))

    const alone = await startProcess(['--data-dir', source])
    await withClient(alone.address, async (client) => {
      await client.createCollection({ collection_name, dimension: 4, metric_type: 'L2', consistency_level: 'Strong' })
      await client.insert({ collection_name, data: rowsFrom(0, 300) })
      await client.flushSync({ collection_names: [collection_name] })
      await client.insert({ collection_name, data: rowsFrom(300, 40) })
      await client.delete({ collection_name, ids: [3, 310] })
    })
    await commit(alone.address, 1_000, 20, [5, 311])
    expect(await alone.stop()).toBe(0)
    expect(await runProgram(['move', '--data-dir', source, '--to', config])).toMatchObject({ code: 0 })

    const cluster = await startCluster(serviceUrl('redis'), LAYOUT, { 'rootCoord.dmlChannelNum': '4', ...settings })
    onTestFinished(() => cluster.close())
    const address = cluster.addresses()[0] ?? ''
    const written = [...without(360, 3, 4, 5, 6, 310, 311, 320), ...range(1_001, 19), ...range(2_000, 20)]
    await withClient(address, async (client) => {
      expect(await idsOf(client, 356)).toEqual([...without(340, 3, 5, 310, 311), ...range(1_000, 20)])
      await client.insert({ collection_name, data: rowsFrom(340, 20) })
      await client.delete({ collection_name, ids: [4, 320] })
      await commit(address, 2_000, 20, [6, 1_000])
      expect(await idsOf(client, written.length)).toEqual(written)
    })
    // In order: who is registered keeps a cluster from being moved.
    for (const { program } of cluster.processes.toReversed()) expect(await program.stop()).toBe(0)
    expect(await runProgram(['move', '--config', config, '--to', back])).toMatchObject({ code: 0 })

    const again = await startProcess(['--data-dir', back])
    await withClient(again.address, async (client) => {
      expect(await idsOf(client, written.length)).toEqual(written)
    })
    expect(await again.stop()).toBe(0)
  })
})
