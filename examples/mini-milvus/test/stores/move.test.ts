/** A data folder moved into a cluster's stores and back: same rows, same files, resumable, and refused where it would harm. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { moveStores, type MoveOptions } from '../../src/cli/move-stores.ts'
import { systemClock } from '../../src/edge/system.ts'
import { openMemoryStores, type Stores } from '../../src/node/stores.ts'
import { UNFINISHED_MOVE } from '../../src/node/unfinished-move.ts'
import { runProgram, startProgram } from '../e2e/running-program.ts'
import { hasServices } from './services.edge.ts'
import { chosenCombinations, newClusterName } from './settings.ts'

const collection_name = 'moved'

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'timetick-move-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function withNode<T>(flags: readonly string[], run: (client: MilvusClient) => Promise<T>): Promise<T> {
  const node = await startProgram(flags)
  const client = new MilvusClient({ address: node.address, logLevel: 'error' })
  try {
    return await run(client)
  } finally {
    await client.closeConnection()
    await node.stop()
  }
}

/** Flushed rows with an index, rows only in the log, deletes of both. */
async function fill(client: MilvusClient): Promise<void> {
  await client.createCollection({ collection_name, dimension: 4, metric_type: 'L2', consistency_level: 'Strong' })
  const rows = (from: number, count: number): { id: number; vector: number[] }[] => Array.from({ length: count }, (_, i) => ({ id: from + i, vector: [from + i, 0, 0, 1] }))
  await client.insert({ collection_name, data: rows(0, 500) })
  await client.flushSync({ collection_names: [collection_name] })
  await client.insert({ collection_name, data: rows(500, 40) })
  await client.delete({ collection_name, ids: [3, 510] })
}

async function idsOf(client: MilvusClient): Promise<string[]> {
  await expect.poll(async () => (await client.count({ collection_name })).data, { timeout: 30_000 }).toBeGreaterThan(0)
  const found = await client.query({ collection_name, filter: 'id >= 0', output_fields: ['id'], limit: 1000 })
  return found.data.map((row) => String(row['id'])).sort((a, b) => Number(a) - Number(b))
}

const expected = Array.from({ length: 540 }, (_, id) => String(id)).filter((id) => id !== '3' && id !== '510')

describe.each(chosenCombinations)('mini-milvus move to $name', ({ parameters, services }) => {
  it.skipIf(!hasServices(...services))('there and back, all rows, and only into what is empty', { timeout: 180_000 }, async () => {
    const folder = await newFolder()
    const source = join(folder, 'source')
    const config = join(folder, 'cluster.yaml')
    const lines = Object.entries(parameters(newClusterName(), folder)).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    await writeFile(config, lines.join(''))
    await withNode(['--data-dir', source, '--set', 'indexNode.minRows=100'], fill)
    const there = await runProgram(['move', '--data-dir', source, '--to', config, '--json'])
    expect(there.stderr.replace(/^\d+ of .*\n/gm, '').replace(/\(node:\d+\) Warning: NodeVersionSupport[^]*/, '')).toBe('')
    const report = JSON.parse(there.stdout) as { objects: number; messages: number; keys: number }
    expect(report.objects).toBeGreaterThan(0)
    expect(report.messages).toBeGreaterThan(0)
    expect(await withNode(['--config', config], idsOf)).toEqual(expected)
    const again = await runProgram(['move', '--data-dir', source, '--to', config])
    expect(again.stderr).toContain('the target is not empty: it has ')
    expect(again.code).toBe(5)
    const back = join(folder, 'back')
    const returned = await runProgram(['move', '--config', config, '--to', back])
    expect(returned).toMatchObject({ code: 0, stdout: expect.stringMatching(/^moved \d+ objects .* all of it was read back and is the same\n$/) as string })
    expect(await withNode(['--data-dir', back], idsOf)).toEqual(expected)
    expect((await runProgram(['check', back])).stdout).toContain('all of it is readable')
  })

  it.skipIf(!hasServices(...services))('a node that runs is not moved', { timeout: 90_000 }, async () => {
    const folder = await newFolder()
    const config = join(folder, 'cluster.yaml')
    const lines = Object.entries(parameters(newClusterName(), folder)).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    await writeFile(config, lines.join(''))
    await withNode(['--config', config], async () => {
      const refused = await runProgram(['move', '--config', config, '--to', join(folder, 'target')])
      expect(refused.stderr).toContain('the source is running')
      expect(refused.code).toBe(4)
    })
  })
})

describe('a move', () => {
  async function two(): Promise<{ from: Stores; to: Stores; options: MoveOptions }> {
    const [from, to] = [await openMemoryStores(systemClock), await openMemoryStores(systemClock)]
    onTestFinished(async () => {
      await from.close()
      await to.close()
    })
    for (let i = 0; i < 250; i++) await from.kv.save(`meta/${i}`, `value ${i}`)
    await from.kv.save('meta/checkpoint/dml_0', 'a position')
    for (let i = 0; i < 20; i++) await from.storage.put(`segments/${i}`, new Uint8Array(1000 + i).fill(i))
    for (const channel of ['dml_0', 'dml_1']) {
      const producer = await from.mq.openProducer(channel)
      await producer.send(Array.from({ length: 700 }, (_, i) => Uint8Array.of(i & 255, i >> 8)))
      await producer.close()
    }
    return { from, to, options: { from, to, clock: systemClock, stillMs: 1, onProgress: () => undefined } }
  }

  it('moves everything but positions, and tells how far it is', async () => {
    const { to, options } = await two()
    const told: string[] = []
    expect(await moveStores({ ...options, onProgress: (done, all) => told.push(`${done}/${all}`) })).toMatchObject({ objects: 20, messages: 1400, keys: 250 })
    expect(told).toHaveLength(20)
    expect(told.at(-1)).toBe('20/20')
    expect(await to.kv.has('meta/checkpoint/dml_0')).toBe(false)
    expect(await to.kv.has(UNFINISHED_MOVE)).toBe(false)
    expect((await to.kv.loadWithPrefix('meta/')).keys).toHaveLength(250)
    await expect(moveStores(options)).rejects.toMatchObject({ code: 'MOVE_NOT_EMPTY' })
  })

  it('wherever it breaks off, it goes on, and until then the target says so', async () => {
    const { from, to, options } = await two()
    let puts = 0
    for (const failAt of [1, 5, 5]) {
      const storage = new Proxy(to.storage, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property, target)
          if (property === 'put' && ++puts > failAt) return () => Promise.reject(new Error('broken off'))
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
      puts = 0
      await expect(moveStores({ ...options, to: { ...to, storage } })).rejects.toThrow('broken off')
      expect(await to.kv.has(UNFINISHED_MOVE)).toBe(true)
    }
    const mq = new Proxy(to.mq, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target)
        if (property === 'createChannel') return (channel: string) => (channel === 'dml_1' ? Promise.reject(new Error('broken off')) : target.createChannel(channel))
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    await expect(moveStores({ ...options, to: { ...to, mq } })).rejects.toThrow('broken off')
    expect(await moveStores(options)).toMatchObject({ objects: 20, messages: 1400, keys: 250 })
    expect(await from.kv.has(UNFINISHED_MOVE)).toBe(false)
  })

  it('what is read back must be what was written', async () => {
    const { to, options } = await two()
    const storage = new Proxy(to.storage, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target)
        if (property === 'put') return (key: string, bytes: Uint8Array) => target.put(key, key === 'segments/3' ? bytes.slice(1) : bytes)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    await expect(moveStores({ ...options, to: { ...to, storage } })).rejects.toMatchObject({ code: 'MOVE_DIFFERS', message: expect.stringContaining('segments/3') as string })
  })

  it('processes that are registered keep a cluster from being moved', async () => {
    const { from, options } = await two()
    await from.kv.save('sessions/proxy/1', '{}')
    await expect(moveStores(options)).rejects.toMatchObject({ code: 'DATA_LOCKED' })
  })
})
