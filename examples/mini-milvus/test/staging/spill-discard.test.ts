/** Staged rows on the way to disk when their client goes, or when the disk takes nothing. */
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, expect, it } from 'vitest'
import type { MetaReader } from '../../src/coordinator/api.ts'
import { systemClock } from '../../src/edge/system.ts'
import { createLastCommits } from '../../src/staging/last-commits.ts'
import { openStaging } from '../../src/staging/open-staging.ts'
import type { SpillFile, SpillFolder } from '../../src/staging/spill.ts'
import type { Staging } from '../../src/staging/staging.ts'
import { createCommitter } from '../../src/staging/committer.ts'
import { openTransactions } from '../../src/staging/transactions.ts'
import type { DmlWriter } from '../../src/writer/dml-writer.ts'
import { rows } from '../node/harness.ts'
import { points as collection } from './points.ts'

const insert = (first: number) => ({ collection, inserts: [{ partitionId: 7n, ...rows(Array.from({ length: 50 }, (_, i) => first + i), 1) }] })
const signal = new AbortController().signal

/** A disk that can be slow and full. */
class Disk implements SpillFolder {
  readonly open = new Set<SpillFile>()
  isFull = false
  appends = 0
  /** What everybody waits for. */
  gate: Promise<void> = Promise.resolve()

  async create(): Promise<SpillFile> {
    await this.gate
    let content = new Uint8Array(0)
    const file: SpillFile = {
      append: async (bytes) => {
        this.appends++
        if (this.isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        const offset = content.length
        content = Uint8Array.from([...content, ...bytes])
        return offset
      },
      read: async (offset, length) => content.slice(offset, offset + length),
      close: async () => void this.open.delete(file),
    }
    this.open.add(file)
    return file
  }

  async clear(): Promise<void> {}
}

let staging: Staging
let warnings: string[]
let committed: number
async function start(disk: Disk, spillBytes = 500): Promise<void> {
  let now = 100n
  warnings = []
  committed = 0
  const writer: Pick<DmlWriter, 'commit'> = {
    async commit({ writes, confirm, check }) {
      check()
      const transaction = { ts: ++now, channels: ['p'] }
      await confirm(transaction)
      committed += writes.reduce((sum, { inserts }) => sum + inserts.reduce((all, { keys }) => all + keys.length, 0), 0)
      return transaction
    },
  }
  staging = await openStaging({
    maxClientBytes: 1e9, maxBytes: 1e9, spillBytes, committer: createCommitter(writer, await openTransactions({ kv: createMemoryKV(), clock: systemClock })), lastCommits: createLastCommits(),
    meta: { onChange: () => () => undefined, collectionById: () => collection } as unknown as MetaReader,
    queryNode: () => ({ query: () => Promise.reject(new Error('nothing is read')), matchingKeys: () => Promise.reject(new Error('nothing is read')) }),
    now: async () => ++now, requestTick: () => undefined, clock: systemClock, spill: disk, onWarning: (message) => void warnings.push(message),
  })
}
afterEach(() => staging.close())

it('a client that goes while its file is made leaves none behind', async () => {
  const disk = new Disk()
  // The second write is the first that is too much.
  await start(disk, 2_000)
  let go = (): void => undefined
  disk.gate = new Promise((resolve) => (go = resolve))
  const staged = [0, 100].map((first) => staging.stage('a', insert(first)))
  // Its file is being made.
  await Promise.resolve()
  staging.discard('a')
  go()
  await Promise.all(staged)
  expect(disk.open.size).toBe(0)
  expect(staging.totals()).toMatchObject({ clients: 0, bytes: 0, spilledBytes: 0 })
  // Who comes again under the name begins anew.
  await staging.stage('a', insert(300))
  await staging.stage('a', insert(400))
  await staging.flush('a', undefined, signal)
  expect(committed).toBe(100)
  expect(disk.open.size).toBe(0)
})

it('a full disk costs memory, no rows, and is used again when there is room', async () => {
  const disk = new Disk()
  disk.isFull = true
  await start(disk)
  for (const first of [0, 100, 200]) await staging.stage('a', insert(first))
  expect(warnings).not.toEqual([])
  expect(staging.totals()).toMatchObject({ rows: 150, spilledBytes: 0 })
  disk.isFull = false
  await staging.stage('a', insert(300))
  expect(staging.totals().spilledBytes).toBeGreaterThan(0)
  disk.isFull = true
  await staging.stage('a', insert(400))
  await staging.flush('a', undefined, signal)
  expect(committed).toBe(250)
  expect(disk.open.size).toBe(0)
  // Gone while it is full.
  await staging.stage('b', insert(500))
  await staging.stage('b', insert(600))
  staging.discard('b')
  await expect.poll(() => disk.open.size).toBe(0)
})
