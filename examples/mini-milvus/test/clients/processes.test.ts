/**
 * Real processes: clients that insert, upsert, delete and flush, readers beside them, clients and the server killed at any point. Each
 * client owns its keys, so that what it has flushed says exactly what everyone must see of them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ConsistencyLevelEnum as Level, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningProgram, startProgram } from '../e2e/running-program.ts'
import { seededRandom } from '../e2e/support.ts'
import { type SdkProcess, startSdkProcess } from './sdk-process.ts'

const CLIENTS = 4
const KEYS = 30
const rounds = { ci: 6, soak: 30 }[process.env['TIMETICK_RING'] ?? ''] ?? 1
const seed = Number(process.env['SEED'] ?? 11)

/** Keys and what is in `v` of their rows. */
type Rows = ReadonlyMap<number, number>

interface Owner {
  readonly index: number
  process: SdkProcess
  name: string
  /** What each of its flushes left of its keys, from the first; everyone sees that of `sure`, or a later one that is under way. */
  readonly history: string[]
  sure: number
  staged: Map<number, number>
}

const text = (rows: Rows): string => JSON.stringify([...rows].sort(([a], [b]) => a - b))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('clients in processes of their own, and a server that dies', () => {
  const random = seededRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const folder = mkdtempSync(path.join(tmpdir(), 'mini-milvus-processes-'))
  const collection_name = 'owned'
  let port = 0
  let server: RunningProgram
  let reader: MilvusClient
  let owners: Owner[] = []
  let names = 0
  /** Counted up at each kill of the server: what was under way then is not known. */
  let life = 0

  const startServer = async (): Promise<void> => {
    server = await startProgram(['--data-dir', folder, '--port', String(port)])
  }

  beforeAll(async () => {
    port = await freePort()
    await startServer()
    reader = new MilvusClient({ address: `127.0.0.1:${port}`, logLevel: 'error', telemetry: { enabled: false } })
    await reader.connectPromise
    await reader.createCollection({
      collection_name,
      shards_num: 2,
      properties: { 'timetick.visibility': 'flush' },
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'v', data_type: DataType.Int64 },
        { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
      ],
    })
    await reader.createIndex({ collection_name, field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' })
    await reader.loadCollectionSync({ collection_name })
    owners = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, index) => {
        const owner: Owner = { index, process: await startSdkProcess(), name: '', history: [text(new Map())], sure: 0, staged: new Map() }
        await reconnect(owner)
        return owner
      }),
    )
  }, 120_000)

  afterAll(async () => {
    for (const { process: child } of owners) await child.kill()
    await reader.closeConnection()
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  async function reconnect(owner: Owner): Promise<void> {
    owner.name = `client-${names++}`
    await owner.process.connect(owner.name, { address: `127.0.0.1:${port}`, telemetry: { enabled: false } })
  }

  const isDone = (answer: Record<string, unknown>): boolean => ((answer['status'] ?? answer) as { error_code?: string }).error_code === 'Success'

  /** What is visible of the owner's keys, to a reader that asks at any level. */
  async function seen({ index }: Owner, consistency_level: Level): Promise<Rows | undefined> {
    const filter = `id >= ${index * 1000} and id < ${(index + 1) * 1000}`
    try {
      const found = await reader.query({ collection_name, filter, output_fields: ['id', 'v'], limit: 10_000, consistency_level, timeout: 5000 })
      if (found.status.error_code !== 'Success') return undefined
      return new Map(found.data.map(({ id, v }) => [Number(id), Number(v)]))
    } catch {
      return undefined
    }
  }

  /** What may be seen is what was certain when the question was sent, or came until its answer. */
  function checkSeen({ index, history }: Owner, rows: Rows, from: number): void {
    const oneOf = history.slice(from)
    if (!oneOf.includes(text(rows))) expect({ seed, client: index, seen: text(rows) }).toEqual({ seed, client: index, oneOf })
  }

  /** One operation of a client. */
  async function step(owner: Owner): Promise<void> {
    const before = life
    const keys = Array.from({ length: 1 + pick(6) }, () => owner.index * 1000 + pick(KEYS))
    const version = pick(1_000_000)
    const kind = pick(10)
    if (kind < 5) {
      const rows = [...new Set(keys)].map((id) => ({ id, v: version, vector: [id, 1] }))
      const answer = await owner.process.call(owner.name, 'upsert', { collection_name, data: rows }).catch(() => ({}))
      if (before === life && isDone(answer)) for (const { id } of rows) owner.staged.set(id, version)
    } else if (kind < 7) {
      const byKey = pick(2) === 0
      const filter = byKey ? `id in [${keys.join(',')}]` : `id >= ${keys[0]} and id <= ${(keys[0] ?? 0) + 4} and v >= 0`
      const gone = byKey ? keys : [0, 1, 2, 3, 4].map((more) => (keys[0] ?? 0) + more)
      const answer = await owner.process.call(owner.name, 'delete', { collection_name, filter }).catch(() => ({}))
      if (before === life && isDone(answer)) for (const id of gone) owner.staged.delete(id)
    } else {
      const flush = owner.history.push(text(owner.staged)) - 1
      const answer = await owner.process.call(owner.name, 'flush', { collection_names: [collection_name] }).catch(() => ({}))
      if (before === life && isDone(answer)) owner.sure = flush
    }
  }

  /** Staged work that is not known to be there, or was with a client that died, is dropped: the client begins anew. */
  async function settle(owner: Owner): Promise<void> {
    await expect.poll(() => seen(owner, Level.Strong), { timeout: 60_000 }).toBeDefined()
    const rows = (await seen(owner, Level.Strong)) ?? new Map<number, number>()
    checkSeen(owner, rows, owner.sure)
    owner.sure = owner.history.push(text(rows)) - 1
    owner.staged = new Map(rows)
  }

  async function killClient(owner: Owner): Promise<void> {
    await owner.process.kill()
    owner.process = await startSdkProcess()
    await reconnect(owner)
    await settle(owner)
  }

  /** The client closes and another one of its process begins. */
  async function reopen(owner: Owner): Promise<void> {
    await owner.process.closeClient(owner.name)
    await reconnect(owner)
    await settle(owner)
  }

  async function read(until: () => boolean): Promise<number> {
    let reads = 0
    while (!until()) {
      const owner = owners[pick(CLIENTS)] as Owner
      const from = owner.sure
      const rows = await seen(owner, pick(2) === 0 ? Level.Strong : Level.Eventually)
      if (rows === undefined) continue
      reads++
      checkSeen(owner, rows, from)
    }
    return reads
  }

  it(`${rounds} times: what is visible is always what one flush of each client left`, { timeout: 30_000 + rounds * 20_000 }, async () => {
    let reads = 0
    for (let round = 0; round < rounds; round++) {
      let running = CLIENTS
      const works = owners.map(async (owner) => {
        const begun = life
        for (let turn = 0; turn < 8 && life === begun; turn++) await step(owner)
        running--
      })
      const reading = read(() => running === 0)
      const killServer = round % 2 === 0
      if (killServer) {
        // Somewhere in the middle of the calls.
        for (let wait = pick(15); wait > 0; wait--) await seen(owners[0] as Owner, Level.Eventually)
        life++
        await server.stop('SIGKILL')
        await startServer()
      }
      await Promise.all(works)
      reads += await reading
      const killed = owners[pick(CLIENTS)] as Owner
      await killClient(killed)
      if (killServer) await Promise.all(owners.filter((owner) => owner !== killed).map(reopen))
    }
    for (const owner of owners) {
      expect(isDone(await owner.process.call(owner.name, 'flush', { collection_names: [collection_name] }))).toBe(true)
      expect({ seed, rows: text((await seen(owner, Level.Eventually)) ?? new Map()) }).toEqual({ seed, rows: text(owner.staged) })
    }
    expect(reads).toBeGreaterThan(0)
  })
})
