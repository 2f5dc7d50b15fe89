/** Two clusters on one etcd, one broker, one bucket: neither sees, touches or lists what is the other's. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { openStores, type Stores } from '../../src/node/stores.ts'
import { hasServices } from './services.edge.ts'
import { chosenCombinations, newClusterName, type Combination } from './settings.ts'

interface Everything {
  readonly keys: readonly string[]
  readonly channels: readonly string[]
  readonly objects: readonly string[]
}

async function stores({ parameters }: Combination, clusterName: string, folder: string): Promise<Stores> {
  const table = createParameters({})
  for (const [key, value] of Object.entries(parameters(clusterName, folder))) table.save(key, value)
  return openStores(table, systemClock)
}

async function everything({ kv, mq, storage }: Stores): Promise<Everything> {
  const keys: string[] = []
  for (let startAfter: string | undefined, more = true; more; ) {
    const page = await kv.loadWithPrefix('', { limit: 1000, startAfter })
    keys.push(...page.keys)
    startAfter = page.keys.at(-1)
    more = page.more
  }
  return { keys, channels: (await mq.listChannels()).sort(), objects: (await storage.list('')).map(({ key }) => key) }
}

async function fill({ address }: MiniMilvus, collection_name: string, rows: number): Promise<void> {
  const client = new MilvusClient({ address, logLevel: 'error' })
  onTestFinished(async () => void (await client.closeConnection()))
  await client.createCollection({ collection_name, dimension: 2, metric_type: 'L2', consistency_level: 'Strong' })
  await client.insert({ collection_name, data: Array.from({ length: rows }, (_, id) => ({ id, vector: [id, 1] })) })
  await client.flushSync({ collection_names: [collection_name] })
  expect((await client.count({ collection_name })).data).toBe(rows)
  expect((await client.showCollections()).data.map(({ name }) => name)).toEqual([collection_name])
}

describe.each(chosenCombinations)('two clusters on $name', (combination) => {
  it.skipIf(!hasServices(...combination.services))('never see each other’s keys, channels or objects', { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'timetick-clusters-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const name = newClusterName()
    // The names begin alike: whatever is cut or joined wrongly shows.
    const names = [name, `${name}-b`, `${name}_b`] as const
    const empty = await stores(combination, names[2], folder)
    expect(await everything(empty)).toEqual({ keys: [], channels: [], objects: [] })
    const nodes = await Promise.all(
      names.slice(0, 2).map((clusterName) => startMiniMilvus({ port: 0, parameters: combination.parameters(clusterName, folder) })),
    )
    const [one, two] = nodes as [MiniMilvus, MiniMilvus]
    await fill(one, 'first', 30)
    await fill(two, 'second', 50)
    await one.close()
    await two.close()
    const [first, second] = [await stores(combination, names[0], folder), await stores(combination, names[1], folder)]
    const before = await everything(first)
    expect(before.channels).toEqual(['dml_0', 'dml_1', 'dml_2', 'dml_3'])
    expect(before.keys.length).toBeGreaterThan(5)
    expect(before.objects.length).toBeGreaterThan(0)
    expect(before.keys.filter((key) => key.includes(names[1]))).toEqual([])
    const others = await everything(second)
    expect(others.channels).toEqual(before.channels)
    // Objects have the same names in both, and each its own.
    const [object = ''] = before.objects
    expect(others.objects).toContain(object)
    expect(await second.storage.get(object)).not.toEqual(await first.storage.get(object))
    // All of one cluster goes, and the other has all that it had.
    await second.kv.removeWithPrefix('')
    await second.storage.deletePrefix('')
    for (const channel of others.channels) await second.mq.deleteChannel(channel)
    expect(await everything(first)).toEqual(before)
    expect(await everything(empty)).toEqual({ keys: [], channels: [], objects: [] })
    for (const opened of [empty, first, second]) await opened.close()
    const again = await startMiniMilvus({ port: 0, parameters: combination.parameters(names[0], folder) })
    const client = new MilvusClient({ address: again.address, logLevel: 'error' })
    await expect.poll(async () => (await client.count({ collection_name: 'first' })).data, { timeout: 30_000 }).toBe(30)
    await client.closeConnection()
    await again.close()
  })
})
