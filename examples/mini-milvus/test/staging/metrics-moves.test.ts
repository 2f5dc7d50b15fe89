/** What a stage does moves the metrics of staging; clients without number make no labels without number. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryKV } from '@timetick/kv/memory'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { MetaReader } from '../../src/coordinator/api.ts'
import { systemClock } from '../../src/edge/system.ts'
import { primaryKeyColumn } from '../../src/model/primary-keys.ts'
import { registerStagingGauges } from '../../src/node/metrics/staging-gauges.ts'
import { createLastCommits } from '../../src/staging/last-commits.ts'
import { openStaging } from '../../src/staging/open-staging.ts'
import { createSpillFolder } from '../../src/staging/spill.edge.ts'
import type { Staging } from '../../src/staging/staging.ts'
import { createCommitter } from '../../src/staging/committer.ts'
import { openTransactions } from '../../src/staging/transactions.ts'
import type { DmlWriter } from '../../src/writer/dml-writer.ts'
import { rows } from '../node/harness.ts'
import { points as collection } from './points.ts'

const insert = (ids: readonly number[]) => ({ collection, inserts: [{ partitionId: 7n, ...rows(ids, 1) }] })
const remove = (ids: readonly number[]) => ({ collection, deletes: [{ partitionId: 0n, keys: primaryKeyColumn(5, ids.map(BigInt)) }] })

let folder: string
let staging: Staging
let registry: Registry
let wall: number

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'staging-'))
  wall = 1_000_000
  let now = 100n
  const clock = { ...systemClock, now: () => wall }
  const writer: Pick<DmlWriter, 'commit'> = {
    async commit({ confirm, check }) {
      check()
      const transaction = { ts: ++now, channels: ['p'] }
      await confirm(transaction)
      return transaction
    },
  }
  const meta: Pick<MetaReader, 'onChange' | 'collectionById'> = { onChange: () => () => undefined, collectionById: () => collection }
  staging = await openStaging({
    maxClientBytes: 1e9, maxBytes: 1e9, spillBytes: 2_000, meta: meta as MetaReader, committer: createCommitter(writer, await openTransactions({ kv: createMemoryKV(), clock })), lastCommits: createLastCommits(),
    queryNode: () => ({ query: () => Promise.reject(new Error('nothing is read')), matchingKeys: () => Promise.reject(new Error('nothing is read')) }),
    now: async () => ++now, requestTick: () => undefined, clock, spill: createSpillFolder(join(folder, 'staging')), onWarning: (message) => expect.unreachable(message),
  })
  registry = new Registry()
  registerStagingGauges(registry, { staging, clock })
})
afterEach(async () => {
  await staging.close()
  await rm(folder, { recursive: true, force: true })
})

async function read(): Promise<ReadonlyMap<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

it('each of them moves with what clients do', async () => {
  await staging.stage('a', insert([1, 2, 3]))
  await staging.stage('a', remove([9]))
  wall += 4_000
  await staging.stage('b', insert(Array.from({ length: 200 }, (_, id) => id)))
  wall += 1_000
  const staged = await read()
  expect(staged.get('timetick_staged_rows{client="a"}')).toBe(3)
  expect(staged.get('timetick_staged_deletes{client="a"}')).toBe(1)
  expect(staged.get('timetick_staged_rows{client="b"}')).toBe(200)
  expect(staged.get('timetick_staged_spilled_bytes{client="a"}')).toBe(0)
  expect(staged.get('timetick_staged_spilled_bytes{client="b"}')).toBeGreaterThan(0)
  const bytes = ['a', 'b'].map((client) => staged.get(`timetick_staged_bytes{client="${client}"}`) ?? 0)
  for (const one of bytes) expect(one).toBeGreaterThan(0)
  expect(staged.get('timetick_staged_bytes_all')).toBe(bytes.reduce((sum, one) => sum + one, 0))
  expect(staged.get('timetick_staged_clients')).toBe(2)
  expect(staged.get('timetick_staged_oldest_seconds')).toBe(5)
  await staging.flush('a', [1n], new AbortController().signal)
  staging.discard('b')
  const after = await read()
  expect([...after].filter(([name]) => name.includes('client='))).toEqual([])
  for (const [name, value] of Object.entries({ commits_total: 1, committed_rows_total: 3, discards_total: 1, discarded_rows_total: 200, clients: 0, bytes_all: 0, oldest_seconds: 0 })) expect([name, after.get(`timetick_staged_${name}`)]).toEqual([name, value])
})

it('of a thousand clients the hundred with the most bytes are told apart, and all are counted', async () => {
  await staging.stage('oldest', insert([1]))
  wall += 60_000
  for (let client = 0; client < 1_000; client++) await staging.stage(`c${client}`, insert(client < 100 ? [1, 2] : [1]))
  const told = await read()
  const clients = [...told.keys()].filter((name) => name.startsWith('timetick_staged_rows{'))
  expect(clients).toHaveLength(100)
  for (const name of clients) expect(told.get(name)).toBe(2)
  expect(told.get('timetick_staged_clients')).toBe(1_001)
  expect(told.get('timetick_staged_oldest_seconds')).toBe(60)
  expect(told.size).toBeLessThan(420)
})
