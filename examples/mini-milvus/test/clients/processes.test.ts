/**
 * Real processes: clients that insert, upsert, delete and flush, readers beside them. In every run clients are killed, closed and cut off by
 * a reset, and the server is killed and started again, all at any point. Each client owns its keys, so that what it has flushed says exactly
 * what everyone must see of them. A soak is 30 runs: `TIMETICK_RING=soak npx vitest run test/clients/processes.test.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ConsistencyLevelEnum as Level, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type RunningProgram, startProgram } from '../e2e/running-program.ts'
import { seededRandom } from '../e2e/support.ts'
import { type Proxy, startProxy } from './proxy.ts'
import { NoReply, type SdkProcess, startSdkProcess } from './sdk-process.ts'

const KEYS = 30
/** A call whose connection was cut may have no other end. */
const CALL_MS = 30_000
/** The reader's; it has none of its own for the time before a call is sent. */
const READ_MS = 60_000
/** Until a client works again. */
const PATIENCE_MS = 240_000
const ring = process.env['TIMETICK_RING'] ?? ''
const rounds = { ci: 4, soak: 30 }[ring] ?? 1
const CLIENTS = rounds > 1 ? 4 : 3
const TURNS = rounds > 1 ? 8 : 4
const seed = Number(process.env['SEED'] ?? 11)

/** Keys and what is in `v` of their rows. */
type Rows = ReadonlyMap<number, number>

interface Owner {
  readonly index: number
  process: SdkProcess
  /** Its connections go through it. */
  readonly proxy: Proxy
  name: string
  /** It was killed, closed or cut off: what becomes of its calls is not known. */
  isCut: boolean
  closed: { readonly promise: Promise<void>; readonly resolve: () => void }
  /** What each of its flushes left of its keys, from the first; everyone sees that of `sure`, or a later one that is under way. */
  readonly history: string[]
  sure: number
  staged: Map<number, number>
  /** The same with the call that was under way when it was cut off. */
  doubtful: Map<number, number> | undefined
}

const ENDS = ['killed', 'closed', 'reset'] as const
type End = (typeof ENDS)[number]

/** Undefined: not in time. */
function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms)
    work.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}

function told(what: string): void {
  if (ring === 'soak') process.stderr.write(`${what}\n`)
}

const text = (rows: Rows): string => JSON.stringify([...rows].sort(([a], [b]) => a - b))

function opened(): Owner['closed'] {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}

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
  let marks = 1_000_000
  /** Counted up at each kill of the server: what was under way then is not known. */
  let life = 0

  const connectReader = async (): Promise<void> => {
    reader = new MilvusClient({ address: `127.0.0.1:${port}`, logLevel: 'error', telemetry: { enabled: false } })
    await within(reader.connectPromise, READ_MS)
  }

  const startServer = async (): Promise<void> => {
    server = await startProgram(['--data-dir', folder, '--port', String(port)])
  }

  beforeAll(async () => {
    port = await freePort()
    await startServer()
    await connectReader()
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
    // In short, who is not killed shares a process.
    const first = startSdkProcess()
    const processOf = (index: number): Promise<SdkProcess> => (index === 0 || (rounds === 1 && index !== 1) ? first : startSdkProcess())
    owners = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, index) => {
        const proxy = await startProxy(`127.0.0.1:${port}`)
        const owner: Owner = { index, process: await processOf(index), proxy, name: '', isCut: false, closed: opened(), history: [text(new Map())], sure: 0, staged: new Map(), doubtful: undefined }
        await reconnect(owner)
        return owner
      }),
    )
  }, 120_000)

  afterAll(async () => {
    for (const { process: child, proxy } of owners) {
      await child.kill()
      await proxy.close()
    }
    await within(reader.closeConnection(), READ_MS)
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  async function reconnect(owner: Owner): Promise<void> {
    owner.name = `client-${names++}`
    const config = { address: owner.proxy.address, timeout: CALL_MS, telemetry: { enabled: false } }
    await vi.waitFor(() => owner.process.connect(owner.name, config), { timeout: PATIENCE_MS })
    owner.isCut = false
    owner.closed = opened()
  }

  const isDone = (answer: Record<string, unknown>): boolean => ((answer['status'] ?? answer) as { error_code?: string }).error_code === 'Success'

  /** What is visible of the owner's keys, to a reader that asks at any level. */
  async function seen({ index }: Owner, consistency_level: Level): Promise<Rows | undefined> {
    const filter = `id >= ${index * 1000} and id < ${(index + 1) * 1000}`
    try {
      const asked = reader.query({ collection_name, filter, output_fields: ['id', 'v'], limit: 10_000, consistency_level, timeout: 5000 })
      const found = await within(asked, READ_MS)
      if (found === undefined) {
        told(`no reply to a query within ${READ_MS} ms`)
        await connectReader()
        return undefined
      }
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
    const write = async (method: string, request: object, apply: (rows: Map<number, number>) => void): Promise<void> => {
      const answer = await call(method, request)
      if (before !== life) return
      if (owner.isCut) apply((owner.doubtful = new Map(owner.staged)))
      else if (isDone(answer)) apply(owner.staged)
    }
    const failed = (error: unknown): Record<string, unknown> => {
      if (!(error instanceof NoReply)) return {}
      // What it did is in doubt, and the client may be stuck: it begins anew.
      told(error.message)
      if (before === life) owner.isCut = true
      return {}
    }
    // A client that was closed answers its callers no more.
    const call = (method: string, request: object): Promise<Record<string, unknown>> =>
      Promise.race([owner.process.call(owner.name, method, { collection_name, ...request }).catch(failed), owner.closed.promise.then(() => ({}))])
    const keys = Array.from({ length: 1 + pick(6) }, () => owner.index * 1000 + pick(KEYS))
    const version = pick(1_000_000)
    const kind = pick(10)
    if (kind < 5) {
      const rows = [...new Set(keys)].map((id) => ({ id, v: version, vector: [id, 1] }))
      await write('upsert', { data: rows }, (staged) => {
        for (const { id } of rows) staged.set(id, version)
      })
    } else if (kind < 7) {
      const byKey = pick(2) === 0
      const filter = byKey ? `id in [${keys.join(',')}]` : `id >= ${keys[0]} and id <= ${(keys[0] ?? 0) + 4} and v >= 0`
      const gone = byKey ? keys : [0, 1, 2, 3, 4].map((more) => (keys[0] ?? 0) + more)
      await write('delete', { filter }, (staged) => {
        for (const id of gone) staged.delete(id)
      })
    } else {
      const flush = owner.history.push(text(owner.staged)) - 1
      const answer = await call('flush', { collection_names: [collection_name] })
      if (before === life && !owner.isCut && isDone(answer)) owner.sure = flush
    }
  }

  /** The client goes, whatever it is doing. */
  async function cut(owner: Owner, end: End): Promise<void> {
    owner.isCut = true
    if (end === 'reset') return owner.proxy.reset()
    if (end === 'closed') {
      // Its answer waits for the calls that are under way.
      void owner.process.closeClient(owner.name).catch(() => undefined)
      return owner.closed.resolve()
    }
    await owner.process.kill()
    owner.process = await startSdkProcess()
  }

  /**
   * The client begins anew, as another one; what was not flushed is dropped. Commits are one after the other: when the first flush of the new
   * one has returned, every earlier one has come or never will.
   */
  async function begin(owner: Owner): Promise<void> {
    // A client with a call that never ends never ends itself; it flushes nothing any more.
    if (!owner.isCut) await owner.process.closeClient(owner.name).catch((error: unknown) => told(String(error)))
    await reconnect(owner)
    const [id, v] = [owner.index * 1000 + 999, ++marks]
    const attempt = async (): Promise<boolean> =>
      isDone(await owner.process.call(owner.name, 'upsert', { collection_name, data: [{ id, v, vector: [id, 1] }] })) &&
      isDone(await owner.process.call(owner.name, 'flush', { collection_names: [collection_name] }))
    await expect.poll(() => attempt().catch(() => false), { timeout: PATIENCE_MS }).toBe(true)
    await expect.poll(() => seen(owner, Level.Strong), { timeout: PATIENCE_MS }).toBeDefined()
    const rows = new Map(await seen(owner, Level.Strong))
    expect(rows.get(id)).toBe(v)
    const without = (content: Iterable<readonly [number, number]>): string => text(new Map([...content].filter(([key]) => key !== id)))
    const before = owner.history.slice(owner.sure).map((content) => without(JSON.parse(content) as [number, number][]))
    if (!before.includes(without(rows))) expect({ seed, client: owner.index, seen: without(rows) }).toEqual({ seed, client: owner.index, oneOf: before })
    owner.sure = owner.history.push(text(rows)) - 1
    owner.staged = rows
    owner.doubtful = undefined
  }

  /** A connection that was reset comes back; it may have been too late, and then what was staged is dropped, all of it. */
  async function comeBack(owner: Owner): Promise<void> {
    await expect.poll(() => owner.process.call(owner.name, 'listCollections').then(isDone, () => false), { timeout: PATIENCE_MS }).toBe(true)
    owner.history.push(text(owner.staged), text(owner.doubtful ?? owner.staged))
    await owner.process.call(owner.name, 'flush', { collection_names: [collection_name] }).catch(() => ({}))
    owner.isCut = false
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

  it(`${rounds} times: what is visible is always what one flush of each client left`, { timeout: 60_000 + rounds * 120_000 }, async () => {
    let reads = 0
    for (let round = 0; round < rounds; round++) {
      told(`${new Date().toISOString()} run ${round} of ${rounds}, ${reads} reads so far`)
      let running = CLIENTS
      const works = owners.map(async (owner) => {
        const begun = life
        for (let turn = 0; turn < TURNS && life === begun && !owner.isCut; turn++) await step(owner)
        running--
      })
      const reading = read(() => running === 0)
      // Somewhere in the middle of the calls.
      const soon = async (): Promise<void> => {
        for (let wait = pick(12); wait > 0; wait--) await seen(owners[0] as Owner, Level.Eventually)
      }
      const ends = owners.slice(1).map((owner, index) => ({ owner, end: ENDS[(index + round) % ENDS.length] as End }))
      for (const { owner, end } of ends) {
        await soon()
        await cut(owner, end)
      }
      await Promise.all(works)
      reads += await reading
      const resets = ends.filter(({ end }) => end === 'reset').map(({ owner }) => owner)
      await Promise.all(resets.map(comeBack))
      await Promise.all(owners.filter((owner) => owner.isCut || ends.some((one) => one.owner === owner)).map(begin))
      // Once more, and the server is killed.
      running = CLIENTS
      const last = owners.map(async (owner) => {
        const begun = life
        for (let turn = 0; turn < TURNS && life === begun && !owner.isCut; turn++) await step(owner)
        running--
      })
      const reading2 = read(() => running === 0)
      await soon()
      life++
      await server.stop('SIGKILL')
      await startServer()
      await Promise.all(last)
      reads += await reading2
      await Promise.all(owners.map(begin))
    }
    for (const owner of owners) {
      expect(isDone(await owner.process.call(owner.name, 'flush', { collection_names: [collection_name] }))).toBe(true)
      expect({ seed, rows: text((await seen(owner, Level.Eventually)) ?? new Map()) }).toEqual({ seed, rows: text(owner.staged) })
    }
    expect(reads).toBeGreaterThan(0)
  })
})
