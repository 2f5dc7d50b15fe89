/** Several nodes in one process, and a process that ends by itself after close. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { describe, expect, it } from 'vitest'
import { startMiniMilvus } from '../../src/index.ts'
import { startTestNode } from './support.ts'

const collection_name = 'mine'

describe('nodes side by side', () => {
  it('know nothing of each other, and start and stop quickly', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => startTestNode()))
    await Promise.all(
      nodes.map(async ({ client }, n) => {
        await client.createCollection({ collection_name, dimension: 2, consistency_level: 'Strong' })
        await client.insert({ collection_name, data: Array.from({ length: 10 * (n + 1) }, (_, id) => ({ id, vector: [id, n] })) })
      }),
    )
    const counts = await Promise.all(nodes.map(async ({ client }) => (await client.count({ collection_name })).data))
    expect(counts).toEqual([10, 20, 30])
    await nodes[0]?.close()
    expect((await nodes[1]?.client.count({ collection_name }))?.data).toBe(20)
    await Promise.all([nodes[1]?.close(), nodes[2]?.close()])
  })

  it('frees its port at once', async () => {
    const first = await startMiniMilvus({ inMemory: true, port: 0 })
    await first.close()
    await first.close()
    const second = await startMiniMilvus({ inMemory: true, port: first.port })
    const client = new MilvusClient({ address: second.address, logLevel: 'error' })
    expect((await client.checkHealth()).isHealthy).toBe(true)
    await client.closeConnection()
    await second.close()
  })

  it('leave nothing that keeps the process alive', async () => {
    const script = fileURLToPath(new URL('two-nodes.mjs', import.meta.url))
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const code = await new Promise((resolve) => child.once('exit', resolve))
    expect(code).toBe(0)
    const { closedAtMs, exitedAtMs, handles } = JSON.parse(output) as { closedAtMs: number; exitedAtMs: number; handles: string[] }
    expect(handles).toEqual([])
    expect(exitedAtMs - closedAtMs).toBeLessThan(5_000)
  })
})
