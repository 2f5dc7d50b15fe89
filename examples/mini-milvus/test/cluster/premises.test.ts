/**
 * The premises of rule `flush` by their names, where C1 and C2 are connected to two proxies of a cluster: what C1 flushed C2's next read
 * sees, and never half of it; what C1 did not flush goes with it, or with its proxy.
 */
import { ConsistencyLevelEnum as Level, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ring } from '../stores/services.edge.ts'
import { type ServedCluster, startServedCluster } from './served-cluster.ts'

const collection_name = 'premises'
const slow = { timeout: 30_000 }

interface Row {
  readonly id: number
  readonly vector: readonly number[]
}

let cluster: ServedCluster
let next = 0
let open: MilvusClient[] = []

/** Fresh rows, over all shards. */
function data(count = 20): Row[] {
  return Array.from({ length: count }, () => ({ id: next++, vector: [next, 1] }))
}

/** C1 and C2, each at another proxy. */
async function connect(at: number, config: object = {}): Promise<MilvusClient> {
  const client = new MilvusClient({ address: cluster.proxies[at]?.address ?? '', logLevel: 'error', ...config })
  await client.connectPromise
  open.push(client)
  return client
}

const filterOf = (rows: readonly Row[]): string => `id in [${rows.map(({ id }) => id).join(',')}]`

/** How many of the rows the query sees. */
async function query(client: MilvusClient, rows: readonly Row[], consistency_level: Level = Level.Strong, name = collection_name): Promise<number> {
  const found = await client.query({ collection_name: name, filter: filterOf(rows), output_fields: ['id'], limit: 1000, consistency_level })
  expect(found.status).toMatchObject({ error_code: 'Success' })
  return found.data.length
}

async function insert(client: MilvusClient, rows: readonly Row[], name = collection_name): Promise<void> {
  const { status, insert_cnt } = await client.insert({ collection_name: name, data: rows as never })
  expect([status.error_code, status.reason, Number(insert_cnt)]).toEqual(['Success', '', rows.length])
}

async function remove(client: MilvusClient, rows: readonly Row[]): Promise<void> {
  expect((await client.delete({ collection_name, filter: filterOf(rows) })).status.error_code).toBe('Success')
}

async function flush(client: MilvusClient, name = collection_name): Promise<void> {
  expect((await client.flush({ collection_names: [name] })).status).toMatchObject({ error_code: 'Success' })
}

async function make(client: MilvusClient, name: string): Promise<void> {
  await client.createCollection({
    collection_name: name,
    shards_num: 2,
    properties: { 'timetick.visibility': 'flush' },
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
    ],
  })
  await client.createIndex({ collection_name: name, field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' })
  await client.loadCollectionSync({ collection_name: name })
}

/** The others take their time. */
const isShort = ring === 'default'
const levels = [Level.Strong, Level.Session, Level.Bounded, Level.Eventually]

beforeAll(async () => {
  cluster = await startServedCluster({ 'clients.grace': '300ms', 'staging.spillBytes': '4096' })
  await make(await connect(0), collection_name)
}, 90_000)

afterEach(async () => {
  for (const client of open.splice(0)) await client.closeConnection()
})

afterAll(() => cluster.close(), 60_000)

describe('one client keeps the order of its operations, different clients have none', slow, () => {
  it('what C1 at one proxy flushed, C2’s next read at the other sees, at every level', async () => {
    const [C1, C2] = [await connect(0), await connect(1)]
    for (const level of isShort ? [Level.Eventually] : levels) {
      const [D_A, D_B] = [data(), data()]
      await insert(C1, D_A)
      await flush(C1)
      expect(await query(C2, D_A, level)).toBe(D_A.length)
      await insert(C2, D_B)
      await flush(C2)
      expect(await query(C1, D_B, level)).toBe(D_B.length)
    }
  })

  it.skipIf(isShort)('C1 does not wait for the flush before it sends Q1, and Q1 sees D_A', async () => {
    const C1 = await connect(1)
    await query(C1, data(1))
    for (let round = 0; round < 2; round++) {
      const D_A = data()
      await insert(C1, D_A)
      const flushed = flush(C1)
      expect(await query(C1, D_A, Level.Eventually)).toBe(D_A.length)
      await flushed
    }
  })

  it.skipIf(isShort)('Q2 of C2, which waits for nothing of C1, sees all of D_A or nothing', async () => {
    const [C1, C2] = [await connect(0), await connect(1)]
    for (let round = 0; round < 5; round++) {
      const D_A = data(200)
      const written = insert(C1, D_A).then(() => flush(C1))
      let isDone = false
      void written.then(() => (isDone = true))
      while (!isDone) expect([0, D_A.length]).toContain(await query(C2, D_A, Level.Eventually))
      await written
    }
  })

  it.skipIf(isShort)('C1 and C2 flush the same collection at once, again and again: each sees its own and then the other’s', async () => {
    const clients = [await connect(0), await connect(1)] as const
    const written = await Promise.all(
      clients.map(async (client) => {
        const all: Row[] = []
        for (let round = 0; round < 5; round++) {
          const rows = data(10)
          await insert(client, rows)
          await flush(client)
          all.push(...rows)
          expect(await query(client, all, Level.Eventually)).toBe(all.length)
        }
        return all
      }),
    )
    for (const client of clients) expect(await query(client, written.flat(), Level.Eventually)).toBe(100)
  })
})

describe('before its flush data is visible to no client, after it to all', slow, () => {
  it('I0 at T0 without flush; Q1 at T1 does not see D_A, nor does Q2 at the other proxy; flush at T2; Q3 at T3 does', async () => {
    const [C1, C2] = [await connect(0), await connect(1)]
    const D_A = data()
    await insert(C1, D_A)
    for (const client of [C1, C2]) for (const level of levels) expect(await query(client, D_A, level)).toBe(0)
    await flush(C2)
    expect(await query(C2, D_A)).toBe(0)
    await flush(C1)
    for (const client of [C1, C2]) expect(await query(client, D_A)).toBe(D_A.length)
    const { data: stats } = await C2.getCollectionStatistics({ collection_name })
    const { data: counted } = await C2.count({ collection_name, expr: 'id >= 0' }) as unknown as { data: number }
    expect(Number(stats['row_count'])).toBe(counted)
  })

  it.skipIf(isShort)('a delete waits for the flush, too; an upsert is both', async () => {
    const [C1, C2] = [await connect(1), await connect(0)]
    const [D_A, D_B] = [data(), data()]
    await insert(C1, [...D_A, ...D_B])
    await flush(C1)
    await remove(C1, D_B)
    await C1.upsert({ collection_name, data: D_A.map(({ id }) => ({ id, vector: [-1, -1] })) })
    expect([await query(C2, D_A), await query(C2, D_B)]).toEqual([D_A.length, D_B.length])
    await flush(C1)
    expect([await query(C2, D_A, Level.Eventually), await query(C2, D_B, Level.Eventually)]).toEqual([D_A.length, 0])
  })

  it.skipIf(isShort)('more than memory is to hold goes to disk and comes back with the flush', async () => {
    const [C1, C2] = [await connect(0), await connect(1)]
    const D_A = data(800)
    for (let from = 0; from < D_A.length; from += 100) await insert(C1, D_A.slice(from, from + 100))
    expect(await cluster.proxies[0]?.metrics()).toMatch(/timetick_staged_spilled_bytes\{client="\d+"\} [1-9]/)
    await flush(C1)
    expect(await query(C2, D_A, Level.Eventually)).toBe(D_A.length)
  })
})

describe('what a client has not flushed is dropped when it disconnects', slow, () => {
  const staged = async (at: number): Promise<number> => Number(/^timetick_staged_clients (\d+)/m.exec((await cluster.proxies[at]?.metrics()) ?? '')?.[1])

  it('C1 inserts D_A at T0, deletes D_B at T1, and closes its connection at T2: D_A is gone, D_B is there', async () => {
    const [C1, C2] = [await connect(0, { channelOptions: { 'grpc.use_local_subchannel_pool': 1 }, telemetry: { enabled: false } }), await connect(1)]
    const [D_A, D_B] = [data(), data()]
    await insert(C2, D_B)
    await flush(C2)
    await insert(C1, D_A)
    await remove(C1, D_B)
    expect(await staged(0)).toBe(1)
    await C1.closeConnection()
    await expect.poll(() => staged(0), slow).toBe(0)
    await flush(C2)
    expect([await query(C2, D_A), await query(C2, D_B)]).toEqual([0, D_B.length])
  })

  it.skipIf(isShort)('C1’s proxy stops: its work is dropped, and C1 begins anew at another', async () => {
    const third = await cluster.addProxy()
    const C1 = new MilvusClient({ address: third.address, logLevel: 'error', channelOptions: { 'grpc.use_local_subchannel_pool': 1 } })
    await C1.connectPromise
    const [D_A, D_B] = [data(), data()]
    const C2 = await connect(1)
    await insert(C2, D_B)
    await flush(C2)
    await insert(C1, D_A)
    await remove(C1, D_B)
    await third.close()
    await C1.closeConnection()
    expect([await query(C2, D_A), await query(C2, D_B)]).toEqual([0, D_B.length])
    const again = await connect(0)
    await flush(again)
    await insert(again, D_A)
    await flush(again)
    expect(await query(C2, D_A, Level.Eventually)).toBe(D_A.length)
  })
})

describe('only insert and delete need a flush', slow, () => {
  it('the rule cannot change at one proxy while a client of the other has staged work, and can afterwards', async () => {
    const [C1, C2] = [await connect(0), await connect(1)]
    await make(C1, 'ruled')
    await insert(C1, data(), 'ruled')
    const change = { collection_name: 'ruled', properties: { 'timetick.visibility': 'milvus' } }
    const refused: unknown = await C2.alterCollectionProperties(change).catch((status: unknown) => status)
    expect(refused).toMatchObject({ error_code: 'IllegalArgument', reason: expect.stringContaining('staged work') as string })
    await flush(C1, 'ruled')
    expect((await C2.alterCollectionProperties(change)).error_code).toBe('Success')
    const { properties } = await C1.describeCollection({ collection_name: 'ruled' })
    expect(properties).toContainEqual(expect.objectContaining({ key: 'timetick.visibility.effective', value: 'milvus' }))
    const D_A = data()
    await insert(C1, D_A, 'ruled')
    expect(await query(C2, D_A, Level.Strong, 'ruled')).toBe(D_A.length)
  })

  it.skipIf(isShort).each(['truncated', 'dropped'])('a collection is %s at one proxy: what C1 staged on it at the other is discarded', async (how) => {
    const [C1, C2] = [await connect(0), await connect(1)]
    const D_A = data()
    await make(C1, how)
    await insert(C1, D_A, how)
    if (how === 'dropped') {
      await C2.dropCollection({ collection_name: how })
      await make(C2, how)
    } else await C2.truncateCollection({ collection_name: how })
    await flush(C1, how)
    expect(await query(C2, D_A, Level.Strong, how)).toBe(0)
    await insert(C1, D_A, how)
    await flush(C1, how)
    expect(await query(C2, D_A, Level.Eventually, how)).toBe(D_A.length)
  })
})

describe('REST', slow, () => {
  const post = async (at: number, path: string, body: object, session?: string): Promise<{ readonly answer: { readonly code: number; readonly message?: string; readonly data?: unknown }; readonly session: string | null }> => {
    const response = await fetch(`http://${cluster.proxies[at]?.address}/v2/vectordb/${path}`, { method: 'POST', body: JSON.stringify(body), headers: session === undefined ? {} : { 'Timetick-Session': session } })
    return { answer: (await response.json()) as { code: number }, session: response.headers.get('timetick-session') }
  }

  it('a call without a session commits by itself; a session stages until its flush, at the proxy that opened it', async () => {
    const C2 = await connect(1)
    const [D_A, D_B] = [data(3), data(3)]
    expect((await post(0, 'entities/insert', { collectionName: collection_name, data: D_A })).answer.code).toBe(0)
    expect(await query(C2, D_A, Level.Eventually)).toBe(3)
    const opened = await post(0, 'entities/insert', { collectionName: collection_name, data: D_B }, 'new')
    expect([opened.answer.code, await query(C2, D_B)]).toEqual([0, 0])
    expect((await post(1, 'collections/flush', { collectionName: collection_name }, opened.session ?? '')).answer).toMatchObject({ code: 1100, message: expect.stringContaining('the session is unknown') as string })
    expect((await post(0, 'collections/flush', { collectionName: collection_name }, `${opened.session}; end`)).answer.code).toBe(0)
    expect(await query(C2, D_B, Level.Eventually)).toBe(3)
  })
})
