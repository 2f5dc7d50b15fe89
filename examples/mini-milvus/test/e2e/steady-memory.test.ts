/** Story D8: collections that come and go, and rows that are upserted again and again, leave neither memory nor handles behind. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const ROUNDS = { ci: 120, soak: 10_000 }[process.env['TIMETICK_RING'] ?? ''] ?? 8
const UPSERTS = { ci: 20, soak: 50 }[process.env['TIMETICK_RING'] ?? ''] ?? 2
const fields = [
  { name: 'id', data_type: 5, is_primary_key: true },
  { name: 'vec', data_type: 101, dim: 8 },
]
const index_params = [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }]
const rows = (version: number): { id: number; vec: number[] }[] => Array.from({ length: 1000 }, (_, id) => ({ id, vec: Array.from({ length: 8 }, () => version) }))

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
let folder = ''
let test: TestNode

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-steady-'))
  test = await startTestNode({ dataDir: folder, parameters: { 'compaction.minSegments': 2 } })
})
afterAll(async () => {
  await test?.close()
  await rm(folder, { recursive: true, force: true })
})

async function comeAndGo(rounds: number): Promise<void> {
  const { client } = test
  for (let round = 0; round < rounds; round++) {
    const collection_name = `c${round % 7}`
    await client.createCollection({ collection_name, fields, index_params, consistency_level: 'Strong' })
    await client.loadCollectionSync({ collection_name })
    await client.insert({ collection_name, data: rows(round).slice(0, 20) })
    await client.dropCollection({ collection_name })
  }
}

async function upsertAll(times: number): Promise<void> {
  const { client } = test
  for (let version = 0; version < times; version++) {
    await client.upsert({ collection_name: 'kept', data: rows(version) })
    await client.flushSync({ collection_names: ['kept'] })
  }
}

/** The least of a few looks: what is under way is not kept. */
async function used(): Promise<{ readonly heapMb: number; readonly handles: number }> {
  let heapMb = Infinity
  let handles = Infinity
  for (let look = 0; look < 5; look++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    collect()
    const { heapUsed } = process.memoryUsage()
    heapMb = Math.min(heapMb, heapUsed / 2 ** 20)
    handles = Math.min(handles, process.getActiveResourcesInfo().filter((kind) => kind !== 'Timeout' && kind !== 'Immediate').length)
  }
  return { heapMb, handles }
}

it(`D8: after ${ROUNDS} collections and ${UPSERTS} upserts of all rows heap and handles are what they were`, { timeout: 30 * 60_000 }, async () => {
  await test.client.createCollection({ collection_name: 'kept', fields, index_params, consistency_level: 'Strong' })
  await test.client.loadCollectionSync({ collection_name: 'kept' })
  // What is made once is made now.
  await comeAndGo(7)
  await upsertAll(2)
  const before = await used()
  await comeAndGo(ROUNDS)
  await upsertAll(UPSERTS)
  const after = await used()
  // 5 %, and what a test of vitest itself moves by.
  expect(after.heapMb).toBeLessThan(before.heapMb * 1.05 + 4)
  expect(after.handles).toBeLessThanOrEqual(before.handles + 1)
  expect(Number((await test.client.count({ collection_name: 'kept' })).data)).toBe(1000)
})
