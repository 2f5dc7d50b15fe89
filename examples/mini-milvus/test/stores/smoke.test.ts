/** A node on each combination of servers: rows survive its kill, and it needs no folder but for copies. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startProgram } from '../e2e/running-program.ts'
import { hasServices } from './services.edge.ts'
import { combinations, newClusterName } from './settings.ts'

const collection_name = 'smoke'

describe.each(combinations)('a node on $name', ({ parameters, services }) => {
  it.skipIf(!hasServices(...services))('inserts, searches, deletes, flushes, and goes on after kill -9', { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'timetick-stores-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const flags = Object.entries(parameters(newClusterName(), folder)).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const first = await startProgram([...flags, '--set', 'indexNode.minRows=100'])
    expect(first.ready.dataDir).toBeUndefined()
    expect(first.ready.stores).toMatch(/^(etcd|redis), (kafka|pulsar|redis), (s3|shared) as /)
    const client = new MilvusClient({ address: first.address, logLevel: 'error' })
    await client.createCollection({ collection_name, dimension: 4, metric_type: 'L2', consistency_level: 'Strong' })
    const rowsFrom = (from: number, count: number): { id: number; vector: number[] }[] => Array.from({ length: count }, (_, i) => ({ id: from + i, vector: [from + i, 0, 0, 1] }))
    expect((await client.insert({ collection_name, data: rowsFrom(0, 300) })).status.error_code).toBe('Success')
    expect((await client.flushSync({ collection_names: [collection_name] })).status.error_code).toBe('Success')
    expect((await client.insert({ collection_name, data: rowsFrom(300, 20) })).status.error_code).toBe('Success')
    expect((await client.delete({ collection_name, ids: [7, 310] })).status.error_code).toBe('Success')
    expect((await client.count({ collection_name })).data).toBe(318)
    await client.closeConnection()
    await first.stop('SIGKILL')

    const second = await startProgram(flags)
    const again = new MilvusClient({ address: second.address, logLevel: 'error' })
    await expect.poll(async () => (await again.count({ collection_name })).data, { timeout: 30_000 }).toBe(318)
    const near = await again.search({ collection_name, data: [7.4, 0, 0, 1], limit: 2, output_fields: ['id'] })
    expect(near.results.map((hit) => hit.id)).toEqual(['8', '6'])
    await again.closeConnection()
    expect(await second.stop(), `${second.errors()}`).toBe(0)
  })
})
