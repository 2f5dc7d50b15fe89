/** Staging over a node of its own: bounds, disk, discards. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import type { QueryNodeApi } from '../../src/querynode/api.ts'
import { createCommitter } from '../../src/staging/committer.ts'
import { createLastCommits } from '../../src/staging/last-commits.ts'
import { openStaging } from '../../src/staging/open-staging.ts'
import { createSpillFolder } from '../../src/staging/spill.edge.ts'
import type { Staging } from '../../src/staging/staging.ts'
import { openTransactions, TransactionError } from '../../src/staging/transactions.ts'
import type { DmlCommit, DmlWriter } from '../../src/writer/dml-writer.ts'
import type { MetaReader } from '../../src/coordinator/api.ts'
import { primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import { rows } from '../node/harness.ts'
import { points as collection } from './points.ts'

const signal = new AbortController().signal
const insert = (ids: readonly number[], partitionId = 7n) => ({ collection, inserts: [{ partitionId, ...rows(ids, 1) }] })
const remove = (ids: readonly number[]) => ({ collection, deletes: [{ partitionId: 0n, keys: primaryKeyColumn(5, ids.map(BigInt)) }] })

describe('staging', () => {
  let folder: string
  let staging: Staging
  let commits: DmlCommit['writes'][]
  let fail: Error | undefined
  let now: bigint
  const open = async (limits: { maxClientBytes?: number; maxBytes?: number; spillBytes?: number }): Promise<void> => {
    const transactions = await openTransactions({ kv: createMemoryKV(), clock: systemClock })
    const writer: Pick<DmlWriter, 'commit'> = {
      async commit({ writes, confirm, check }) {
        if (fail !== undefined) throw fail
        check()
        const transaction = { ts: ++now, channels: ['p'] }
        await confirm(transaction)
        commits.push(writes)
        return transaction
      },
    }
    const meta: Pick<MetaReader, 'onChange' | 'collectionById'> = { onChange: () => () => undefined, collectionById: () => collection }
    const bounds = { maxClientBytes: 1e9, maxBytes: 1e9, spillBytes: 1e9, ...limits }
    const nobody = { query: () => Promise.reject(new Error('nothing is read')), matchingKeys: () => Promise.reject(new Error('nothing is read')) } satisfies Pick<QueryNodeApi, 'query' | 'matchingKeys'>
    staging = await openStaging({
      ...bounds,
      meta: meta as MetaReader,
      committer: createCommitter(writer, transactions), lastCommits: createLastCommits(),
      queryNode: () => nobody,
      now: async () => ++now,
      requestTick: () => undefined,
      clock: systemClock,
      spill: createSpillFolder(join(folder, 'staging')),
      onWarning: (message) => expect.unreachable(message),
    })
  }
  const committed = (): { keys: unknown[]; deletes: unknown[] } => {
    const writes = commits.flat()
    return { keys: writes.flatMap(({ inserts }) => inserts.flatMap(({ keys }) => primaryKeyList(keys))), deletes: writes.flatMap(({ deletes }) => deletes.flatMap(({ keys }) => primaryKeyList(keys))) }
  }
  const files = (): Promise<string[]> => readdir(join(folder, 'staging')).catch(() => [])

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'staging-'))
    commits = []
    fail = undefined
    now = 100n
  })
  afterEach(async () => {
    await staging.close()
    expect(await files()).toEqual([])
    await rm(folder, { recursive: true, force: true })
  })

  it('commits what a client staged, in order and once', async () => {
    await open({})
    await staging.stage('a', insert([1, 2, 3]))
    await staging.stage('a', remove([2, 9]))
    await staging.stage('a', insert([2]))
    await staging.stage('b', insert([5]))
    expect(staging.hasWork(1n)).toBe(true)
    expect(await staging.flush('a', [1n], signal)).toBeGreaterThan(100n)
    expect(await staging.flush('a', [1n], signal)).toBe(0n)
    expect(committed()).toEqual({ keys: [1n, 3n, 2n], deletes: [2n, 9n] })
    expect(staging.stats().map(({ client, rows: count }) => [client, count])).toEqual([['b', 1]])
    expect(staging.lastCommit(1n)).toBeGreaterThan(100n)
  })

  it('keeps the stage of a flush that failed or was cancelled', async () => {
    await open({})
    await staging.stage('a', insert([1]))
    fail = new Error('the log is away')
    await expect(staging.flush('a', undefined, signal)).rejects.toThrow('the log is away')
    await expect(staging.flush('a', undefined, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    fail = undefined
    await staging.flush('a', undefined, signal)
    expect(committed().keys).toEqual([1n])
  })

  it('gives up what may have been committed: another flush must not write it again', async () => {
    await open({})
    await staging.stage('a', insert([1]))
    fail = new TransactionError('no answer', 'unknown', undefined)
    await expect(staging.flush('a', undefined, signal)).rejects.toThrow('not known whether it counts')
    fail = undefined
    await staging.stage('a', insert([2]))
    await staging.flush('a', undefined, signal)
    expect(committed().keys).toEqual([2n])
  })

  it('refuses what is beyond the bound of a client and of all, and takes it when there is room', async () => {
    await open({ maxClientBytes: 3_000, maxBytes: 5_000 })
    await staging.stage('a', insert([1, 2]))
    await expect(staging.stage('a', insert(Array.from({ length: 100 }, (_, id) => id)))).rejects.toMatchObject({ code: 8 })
    for (const client of ['b', 'c', 'd', 'e', 'f', 'g', 'h']) await staging.stage(client, insert([1]))
    const refused = staging.stage('z', insert(Array.from({ length: 60 }, (_, id) => id)))
    await expect(refused).rejects.toMatchObject({ code: 8 })
    for (const client of ['b', 'c', 'd', 'e', 'f', 'g', 'h']) staging.discard(client)
    await staging.stage('z', insert(Array.from({ length: 60 }, (_, id) => id)))
    expect(staging.totals()).toMatchObject({ clients: 2, rows: 62, discards: 7, discardedRows: 7 })
  })

  it('writes to disk what is too much for memory, and reads it again', async () => {
    await open({ spillBytes: 4_000 })
    const ids = Array.from({ length: 400 }, (_, id) => id)
    for (let from = 0; from < 400; from += 50) await staging.stage('a', insert(ids.slice(from, from + 50)))
    const [stage] = staging.stats()
    expect(stage?.spilledBytes).toBeGreaterThan(0)
    expect(await files()).toHaveLength(1)
    await staging.stage('a', remove([0, 399]))
    await staging.flush('a', undefined, signal)
    expect(committed().keys).toEqual(ids.slice(1, 399).map(BigInt))
    await expect.poll(files).toEqual([])
  })

  it('drops what a client, a collection or a partition had, with its file', async () => {
    await open({ spillBytes: 1_000 })
    for (let from = 0; from < 5; from++) await staging.stage('a', insert([from * 2, from * 2 + 1], from % 2 === 0 ? 7n : 8n))
    await staging.stage('b', insert([100], 8n))
    staging.discardCollection(1n, 8n)
    await staging.flush('a', undefined, signal)
    expect(committed().keys).toEqual([0n, 1n, 4n, 5n, 8n, 9n])
    await staging.stage('a', insert([1]))
    staging.discard('a')
    await expect(staging.flush('a', undefined, signal)).rejects.toMatchObject({ code: 1 })
    await staging.stage('a', insert([2]))
    staging.discardCollection(1n)
    expect([staging.hasWork(1n), staging.totals().bytes]).toEqual([false, 0])
  })

  it('says who must wait while a rule is changed, until the last change of it is over', async () => {
    await open({})
    let finish = (): void => undefined
    const first = staging.whileStill([1n, 2n], () => new Promise<string>((resolve) => (finish = () => resolve('done'))))
    const order: string[] = []
    let endSecond = (): void => undefined
    const second = staging.whileStill([2n], () => new Promise<void>((resolve) => (order.push('second'), (endSecond = resolve))))
    const waiting = staging.settled(1n)?.then(() => order.push('settled'))
    expect([waiting === undefined, staging.settled(3n)]).toEqual([false, undefined])
    expect(order).toEqual(['second'])
    finish()
    expect(await first).toBe('done')
    await waiting
    expect(order).toEqual(['second', 'settled'])
    const third = staging.settled(2n)?.then(() => order.push('third'))
    endSecond()
    await Promise.all([second, third])
    expect(order).toEqual(['second', 'settled', 'third'])
    expect([staging.settled(1n), staging.settled(2n)]).toEqual([undefined, undefined])
    await expect(staging.whileStill([1n], () => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
    expect(staging.settled(1n)).toBeUndefined()
  })
})
