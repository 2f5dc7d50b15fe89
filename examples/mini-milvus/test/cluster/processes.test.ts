/** Processes of a cluster on a real server, each killed under load: what was acknowledged is there, once. */
import { ConsistencyLevelEnum, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterEach, describe, expect, it } from 'vitest'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { runProgram } from '../e2e/running-program.ts'
import { type RunningCluster, startCluster, until } from './processes.ts'

const redis = process.env['TIMETICK_REDIS_URL']
const LAYOUT: readonly (readonly ClusterRole[])[] = [['proxy'], ['proxy'], ['coordinator'], ['coordinator'], ['data'], ['data'], ['query'], ['query']]
const collection_name = 'rows'

let cluster: RunningCluster | undefined
const clients: MilvusClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) await client.closeConnection()
  await cluster?.close()
  cluster = undefined
})

/** Its first call is its own: that it fails while a proxy is gone is no news. */
function openClient(address: string): MilvusClient {
  const client = new MilvusClient({ address, timeout: 20_000, maxRetries: 0 })
  client.connectPromise.catch(() => undefined)
  return client
}

function connect(address: string): MilvusClient {
  const client = openClient(address)
  clients.push(client)
  return client
}

const ok = (status: { readonly error_code?: unknown; readonly code?: unknown } | undefined): boolean => Number(status?.code) === 0

// A minute of processes: where the long rings run, or all services are asked for.
const isAsked = (redis !== undefined && process.env['TIMETICK_RING'] !== undefined) || process.env['REQUIRE_SERVICES'] === '1'

describe.runIf(isAsked)('a cluster of processes on Redis', () => {
  it('keeps each acknowledged row once while one process of each role is killed', { timeout: 300_000 }, async () => {
    cluster = await startCluster(redis ?? '', LAYOUT)
    const running = cluster
    const first = connect(running.addresses()[0] ?? '')
    await until('the collection', async () => {
      const made = await first.createCollection({ collection_name, shards_num: 2, fields: [{ name: 'id', data_type: 'Int64', is_primary_key: true }, { name: 'vec', data_type: 'FloatVector', dim: 4 }] })
      return ok(made) ? made : undefined
    })
    await until('the index', async () => (ok(await first.createIndex({ collection_name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })) ? true : undefined))
    await until('the load', async () => (ok(await first.loadCollectionAsync({ collection_name })) ? true : undefined))

    const acknowledged = new Set<number>()
    let next = 0
    let isStopping = false
    const load = async (pick: () => string): Promise<void> => {
      while (!isStopping) {
        const address = pick()
        const client = openClient(address)
        for (let turn = 0; turn < 20 && !isStopping; turn++) {
          const ids = Array.from({ length: 5 }, () => next++)
          const answered = await client.insert({ collection_name, data: ids.map((id) => ({ id, vec: [id, 1, 2, 3] })) }).catch(() => undefined)
          if (ok(answered?.status)) for (const id of ids) acknowledged.add(id)
          else break
        }
        await client.closeConnection()
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    const writers = [0, 1].map((index) => load(() => running.addresses()[index] ?? ''))
    for (const role of ['data', 'coordinator', 'query', 'proxy'] as const) {
      const before = acknowledged.size
      const victim = running.processes.find(({ roles }) => roles.includes(role))
      if (victim !== undefined) await running.replace(victim)
      await until(`an acknowledged write after ${role} was killed`, async () => (acknowledged.size > before ? true : undefined))
    }
    isStopping = true
    await Promise.all(writers)

    const reader = connect(running.addresses()[1] ?? '')
    const rows = await until('a strong read', async () => {
      const found = await reader.query({ collection_name, filter: 'id >= 0', output_fields: ['id'], limit: 16_384, consistency_level: ConsistencyLevelEnum.Strong })
      return ok(found.status) ? found.data : undefined
    })
    const seen = rows.map((row) => Number(row['id']))
    expect(acknowledged.size).toBeGreaterThan(50)
    expect(new Set(seen).size).toBe(seen.length)
    const there = new Set(seen)
    expect([...acknowledged].filter((id) => !there.has(id))).toEqual([])

    // In order, a data node gives its channels back: the other has them at once.
    const leaving = running.processes.findLast(({ roles }) => roles.includes('data'))
    expect(await leaving?.program.stop('SIGTERM')).toBe(0)
    await until('a write without it', async () => (ok((await reader.insert({ collection_name, data: [{ id: next++, vec: [0, 0, 0, 0] }] })).status) ? true : undefined))
  })
})

describe('the flags of a cluster', () => {
  it('refuse roles that there are not, and stores that no other process sees', async () => {
    const wrong = await runProgram(['--role', 'prince'])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('expected proxy, coordinator, data, query or all')])
    const alone = await runProgram(['--role', 'proxy', '--in-memory', '--port', '0'])
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('metastore.type')])
  })
})
