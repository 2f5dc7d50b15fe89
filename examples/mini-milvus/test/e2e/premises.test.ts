/**
 * The premises of rule `flush`, by their names: clients C1 and C2, insert I0 of data D_A, delete D1 of data D_B, queries Q1, Q2, Q3 at the
 * local times T0, T1, T2, T3. Through the unmodified Node SDK, with real connections that are closed, reset and killed.
 */
import { ConsistencyLevelEnum as Level, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startProxy, type Proxy } from '../clients/proxy.ts'
import { startSdkProcess, type SdkProcess } from '../clients/sdk-process.ts'
import { startTestNode, type TestNode } from './support.ts'

const collection_name = 'premises'
const collection_names = [collection_name]
/** For conditions on a busy machine. */
const slow = { timeout: 20_000 }

interface Row {
  readonly id: number
  readonly vector: readonly number[]
}

let test: TestNode
let next = 0
let open: MilvusClient[] = []

/** Fresh rows, over all shards. */
function data(count = 20): Row[] {
  return Array.from({ length: count }, () => ({ id: next++, vector: [next, 1] }))
}

async function connect(address = test.node.address): Promise<MilvusClient> {
  const client = new MilvusClient({ address, logLevel: 'error' })
  await client.connectPromise
  open.push(client)
  return client
}

const filterOf = (rows: readonly Row[]): string => `id in [${rows.map(({ id }) => id).join(',')}]`

/** How many of the rows the query sees. */
async function query(client: MilvusClient, rows: readonly Row[], consistency_level: Level = Level.Strong): Promise<number> {
  const found = await client.query({ collection_name, filter: filterOf(rows), output_fields: ['id'], limit: 1000, consistency_level })
  expect(found.status.error_code).toBe('Success')
  return found.data.length
}

async function insert(client: MilvusClient, rows: readonly Row[]): Promise<void> {
  const { status, insert_cnt } = await client.insert({ collection_name, data: rows as never })
  expect([status.error_code, Number(insert_cnt)]).toEqual(['Success', rows.length])
}

async function remove(client: MilvusClient, rows: readonly Row[]): Promise<void> {
  expect((await client.delete({ collection_name, filter: filterOf(rows) })).status.error_code).toBe('Success')
}

async function flush(client: MilvusClient): Promise<void> {
  expect((await client.flush({ collection_names })).status.error_code).toBe('Success')
}

const levels = [Level.Strong, Level.Session, Level.Bounded, Level.Eventually]

beforeAll(async () => {
  test = await startTestNode({ inMemory: true, metricsPort: 0, parameters: { 'clients.grace': '300ms' } })
  await test.client.createCollection({
    collection_name,
    shards_num: 2,
    properties: { 'timetick.visibility': 'flush' },
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
    ],
  })
  await test.client.createIndex({ collection_name, field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' })
  await test.client.loadCollectionSync({ collection_name })
})

afterEach(async () => {
  for (const client of open.splice(0)) await client.closeConnection()
})

afterAll(() => test.close())

describe('one client keeps the order of its operations, different clients have none', () => {
  it('C1 inserts D_A in I0 at T0 and flushes; its Q1 at T1 sees D_A', async () => {
    const C1 = await connect()
    const D_A = data()
    await insert(C1, D_A)
    await flush(C1)
    for (const level of levels) expect(await query(C1, D_A, level)).toBe(D_A.length)
  })

  it('so it is when C1 does not wait for the flush before it sends Q1', async () => {
    const C1 = await connect()
    await query(C1, data(1))
    for (let round = 0; round < 5; round++) {
      const D_A = data()
      await insert(C1, D_A)
      const flushed = flush(C1)
      const Q1 = query(C1, D_A)
      expect(await Q1).toBe(D_A.length)
      await flushed
    }
  })

  it('C2’s Q2 at T2, which waits for nothing of C1, sees all of D_A or nothing', async () => {
    const [C1, C2] = [await connect(), await connect()]
    for (let round = 0; round < 5; round++) {
      const D_A = data()
      const written = insert(C1, D_A).then(() => flush(C1))
      let isDone = false
      void written.then(() => (isDone = true))
      while (!isDone) expect([0, D_A.length]).toContain(await query(C2, D_A, Level.Eventually))
      await written
    }
  })

  it('a user of both who sends Q2 after C1’s flush returned sees D_A, at every level', async () => {
    const [C1, C2] = [await connect(), await connect()]
    for (const level of levels) {
      const D_A = data()
      await insert(C1, D_A)
      await flush(C1)
      expect(await query(C2, D_A, level)).toBe(D_A.length)
    }
  })
})

describe('before its flush data is visible to no client, after it to all', () => {
  it('I0 at T0 without flush; Q1 at T1 does not see D_A; flush at T2; Q3 at T3 does', async () => {
    const [C1, C2] = [await connect(), await connect()]
    const D_A = data()
    await insert(C1, D_A)
    for (const level of levels) {
      expect(await query(C1, D_A, level)).toBe(0)
      expect(await query(C2, D_A, level)).toBe(0)
    }
    await flush(C1)
    expect(await query(C1, D_A)).toBe(D_A.length)
    expect(await query(C2, D_A)).toBe(D_A.length)
  })

  it('a delete waits for the flush, too; an upsert is both', async () => {
    const [C1, C2] = [await connect(), await connect()]
    const [D_A, D_B] = [data(), data()]
    await insert(C1, [...D_A, ...D_B])
    await flush(C1)
    await remove(C1, D_B)
    expect(await query(C1, D_B)).toBe(D_B.length)
    expect(await query(C2, D_B)).toBe(D_B.length)
    await C1.upsert({ collection_name, data: D_A.map(({ id }) => ({ id, vector: [-1, -1] })) })
    await flush(C1)
    expect(await query(C2, D_B)).toBe(0)
    expect(await query(C2, D_A)).toBe(D_A.length)
  })

  it('C2’s flush does not make C1’s data visible', async () => {
    const [C1, C2] = [await connect(), await connect()]
    const [D_A, D_B] = [data(), data()]
    await insert(C1, D_A)
    await insert(C2, D_B)
    await flush(C2)
    expect(await query(C1, D_B)).toBe(D_B.length)
    expect(await query(C1, D_A)).toBe(0)
  })

  it('two clients in one process share a connection and no stage', async () => {
    const child = await startSdkProcess()
    for (const name of ['C1', 'C2']) await child.connect(name, { address: test.node.address })
    const [D_A, D_B] = [data(), data()]
    await child.call('C1', 'insert', { collection_name, data: D_A })
    await child.call('C2', 'insert', { collection_name, data: D_B })
    await child.call('C1', 'flush', { collection_names })
    expect([await query(test.client, D_A), await query(test.client, D_B)]).toEqual([D_A.length, 0])
    await child.kill()
  })
})

describe('what a client has not flushed is dropped when it disconnects', () => {
  let child: SdkProcess
  let proxy: Proxy
  beforeEach(async () => {
    child = await startSdkProcess()
    proxy = await startProxy(test.node.address)
  })
  afterEach(async () => {
    await child.kill()
    await proxy.close()
  })

  /** Clients that went because no connection of theirs was left. All others here share one that stays. */
  const gone = async (): Promise<number> => {
    const text = await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text()
    return Number(/^timetick_clients_gone\{reason="sockets"\} (\d+)/m.exec(text)?.[1] ?? 0)
  }

  it.each([
    { how: 'closes its connection', end: () => child.closeClient('C1') },
    { how: 'is killed', end: () => child.kill() },
    { how: 'loses its connection by a reset, and stays away', end: async () => proxy.close() },
  ])('C1 inserts D_A at T0, deletes D_B at T1, and $how at T2: D_A is gone, D_B is there', async ({ end }) => {
    const C2 = await connect()
    const [D_A, D_B] = [data(), data()]
    await insert(C2, D_B)
    await flush(C2)
    const before = await gone()
    await child.connect('C1', { address: proxy.address, telemetry: { enabled: false } })
    await child.call('C1', 'insert', { collection_name, data: D_A })
    await child.call('C1', 'delete', { collection_name, filter: filterOf(D_B) })
    await end()
    await expect.poll(gone, slow).toBe(before + 1)
    await flush(C2)
    for (const level of levels) {
      expect(await query(C2, D_A, level)).toBe(0)
      expect(await query(C2, D_B, level)).toBe(D_B.length)
    }
  })

  it('C1 whose connection is reset within the grace goes on where it was', async () => {
    const other = await startTestNode({ inMemory: true, parameters: { 'clients.grace': '20000ms' } })
    const through = await startProxy(other.node.address)
    const C1 = new MilvusClient({ address: through.address, logLevel: 'error' })
    await C1.connectPromise
    await C1.createCollection({ collection_name: 'kept', dimension: 2 })
    await C1.alterCollectionProperties({ collection_name: 'kept', properties: { 'timetick.visibility': 'flush' } })
    await C1.insert({ collection_name: 'kept', data: [{ id: 1, vector: [1, 1] }] })
    through.reset()
    const count = async (): Promise<number> => (await C1.query({ collection_name: 'kept', filter: 'id >= 0', output_fields: ['id'] })).data.length
    await expect.poll(() => count().catch(() => -1), slow).toBe(0)
    await C1.flush({ collection_names: ['kept'] })
    expect(await count()).toBe(1)
    await C1.closeConnection()
    await through.close()
    await other.close()
  })

  it('C1 that comes back after it was gone begins with nothing', async () => {
    const C1 = await connect(proxy.address)
    const D_A = data()
    await insert(C1, D_A)
    const before = await gone()
    proxy.reset()
    await expect.poll(gone, slow).toBe(before + 1)
    await expect.poll(() => query(C1, D_A).catch(() => -1), slow).toBe(0)
    await flush(C1)
    expect(await query(C1, D_A)).toBe(0)
  })
})

describe('only insert and delete need a flush', () => {
  it('a collection that C1 makes is there for C2 at once, and gone at once', async () => {
    const [C1, C2] = [await connect(), await connect()]
    await C1.createCollection({ collection_name: 'table', dimension: 2 })
    expect((await C2.hasCollection({ collection_name: 'table' })).value).toBe(true)
    await C1.createPartition({ collection_name: 'table', partition_name: 'p' })
    expect((await C2.hasPartition({ collection_name: 'table', partition_name: 'p' })).value).toBe(true)
    await C1.dropCollection({ collection_name: 'table' })
    expect((await C2.hasCollection({ collection_name: 'table' })).value).toBe(false)
  })

  it('its rule cannot change while C1 has staged work on it, and can afterwards', async () => {
    const C1 = await connect()
    await insert(C1, data())
    const change = { collection_name, properties: { 'timetick.visibility': 'milvus' } }
    const refused: unknown = await test.client.alterCollectionProperties(change).catch((status: unknown) => status)
    expect(refused).toMatchObject({ error_code: 'IllegalArgument', reason: expect.stringContaining('staged work') as string })
    await flush(C1)
    await test.client.alterCollectionProperties({ collection_name, properties: { 'collection.ttl.seconds': 100_000 } })
    const { properties } = await C1.describeCollection({ collection_name })
    expect(properties).toContainEqual(expect.objectContaining({ key: 'timetick.visibility', value: 'flush' }))
  })
})
