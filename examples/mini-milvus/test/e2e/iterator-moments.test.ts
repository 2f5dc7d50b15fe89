/** The pages of one iterator see one moment, whatever is committed, flushed and compacted between two of them. */
import { ConsistencyLevelEnum, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callAs, type Caller } from './call-as.ts'
import { startTestNode, type TestNode } from './support.ts'

const ROWS = 240
const BATCH = 40
/** No page comes so late, however busy the machine. */
const KEEP_MS = 600_000
/** Where many processes share two processors. */
const LONG_MS = 180_000
const ids = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)
/** Every row has a distance of its own from the origin. */
const row = (id: number, version: number): { id: number; version: number; vector: number[] } => ({ id, version, vector: [id / 64, 1] })
const strong = { consistency_level: ConsistencyLevelEnum.Strong }

interface Seen {
  readonly id: number
  readonly version: number
}

type Clients = { readonly reader: MilvusClient; readonly writer: MilvusClient; readonly caller: Caller }

const seen = (rows: unknown): Seen[] => (rows as { id: string; version: string }[]).map(({ id, version }) => ({ id: Number(id), version: Number(version) }))
const byId = (a: Seen, b: Seen): number => a.id - b.id
const asWritten = ids(0, ROWS).map((id) => ({ id, version: 1 }))

async function fill({ writer }: Clients, collection_name: string, visibility: string): Promise<void> {
  await writer.createCollection({
    collection_name, shards_num: 2, properties: { 'timetick.visibility': visibility },
    fields: [
      { name: 'id', data_type: 'Int64', is_primary_key: true },
      { name: 'version', data_type: 'Int64' },
      { name: 'vector', data_type: 'FloatVector', dim: 2 },
    ],
    index_params: [{ field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' }],
  } as never)
  await writer.loadCollectionSync({ collection_name })
  // Two segments a shard, and growing rows where the rule has them.
  for (const from of [0, ROWS / 2]) {
    await writer.insert({ collection_name, data: ids(from, ROWS / 2 - 10).map((id) => row(id, 1)) })
    await writer.flushSync({ collection_names: [collection_name] })
  }
  for (const from of [ROWS / 2 - 10, ROWS - 10]) await writer.insert({ collection_name, data: ids(from, 10).map((id) => row(id, 1)) })
  if (visibility === 'flush') await writer.flushSync({ collection_names: [collection_name] })
}

/** Deletes, replaces and adds rows, makes segments of all of it, and one of those. */
async function disturb({ writer, caller }: Clients, collection_name: string, round: number): Promise<void> {
  const expectOk = (status: unknown): void => expect(status).toMatchObject({ code: 0 })
  expectOk((await writer.delete({ collection_name, filter: `id % 5 == ${round % 5}` })).status)
  expectOk((await writer.upsert({ collection_name, data: ids(0, ROWS).filter((id) => id % 5 === (round + 1) % 5).map((id) => row(id, 2 + round)) })).status)
  expectOk((await writer.insert({ collection_name, data: ids(10_000 + round * 100, 50).map((id) => row(id, 1)) })).status)
  await writer.flushSync({ collection_names: [collection_name] })
  const { collectionID } = await writer.describeCollection({ collection_name })
  const { compactionID } = (await caller.call('ManualCompaction', { collectionID: BigInt(collectionID) })) as { compactionID: bigint }
  await expect.poll(async () => (await caller.call('GetCompactionState', { compactionID }))['state'], { timeout: 30_000 }).toBe(2)
  // The writer sees what it did: so it is there.
  const { data } = await writer.query({ collection_name, filter: `id >= ${10_000 + round * 100} && id < ${10_100 + round * 100}`, output_fields: ['count(*)'], ...strong })
  expect(data[0]?.['count(*)']).toBe('50')
}

const isLong = process.env['TIMETICK_RING'] !== undefined
const DISTURBANCES = isLong ? 2 : 1

/** By default one rule each, and one disturbance. */
function rulesOf(count: number): readonly string[] {
  if (isLong) return ['milvus', 'flush']
  return [count === 1 ? 'flush' : 'milvus']
}

describe.each([1, 2])('with %i query nodes', (count) => {
  let test: TestNode
  let clients: Clients
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true, parameters: { 'queryNode.count': count, 'proxy.iteratorTimeout': `${KEEP_MS}ms`, 'queryCoord.grace': '0ms', 'queryCoord.interval': '50ms', 'compaction.minSegments': 1000 } })
    clients = { reader: test.client, writer: new MilvusClient({ address: test.node.address, channelOptions: { 'grpc.use_local_subchannel_pool': 1 } }), caller: callAs(test.node.address, undefined) }
    await clients.writer.connectPromise
  })
  afterAll(async () => {
    clients.caller.close()
    await clients.writer.closeConnection()
    await test.close()
  })

  describe.each(rulesOf(count))('under rule %s', (visibility) => {
    it('a search iterator', { timeout: LONG_MS }, async () => {
      const collection_name = `search_${visibility}`
      await fill(clients, collection_name, visibility)
      const pages = await clients.reader.searchIterator({ collection_name, data: [-1, 1], batchSize: BATCH, limit: ROWS, output_fields: ['id', 'version'], ...strong })
      const found: Seen[] = []
      let round = 0
      for await (const page of pages) {
        expect(page.length).toBe(BATCH)
        found.push(...seen(page))
        if (round < DISTURBANCES) await disturb(clients, collection_name, round++)
      }
      // Also in their order.
      expect(found).toEqual(asWritten)
      const { results } = await clients.reader.search({ collection_name, data: [-1, 1], limit: ROWS, output_fields: ['id', 'version'], ...strong })
      expect(seen(results)).not.toEqual(asWritten)
    })

    it('a query iterator that names its moment', { timeout: LONG_MS }, async () => {
      const collection_name = `query_${visibility}`
      await fill(clients, collection_name, visibility)
      // The client in Node names none: what opens it, and its timestamp, are Milvus's and pymilvus's.
      const { session_ts } = await clients.caller.call('Query', { collection_name, expr: 'id >= 0', use_default_consistency: true, output_fields: ['id'], query_params: [{ key: 'iterator', value: 'True' }, { key: 'limit', value: '1' }] })
      const pages = await clients.reader.queryIterator({ collection_name, expr: 'id >= 0', batchSize: BATCH, output_fields: ['id', 'version'], params: { iterator: true }, guarantee_timestamp: String(session_ts) } as never)
      const found: Seen[] = []
      let round = 0
      for await (const page of pages) {
        found.push(...seen(page))
        if (round < DISTURBANCES) await disturb(clients, collection_name, round++)
      }
      expect(found.sort(byId)).toEqual(asWritten)
    })
  })

  it('pages of different partitions of one moment', { timeout: LONG_MS }, async () => {
    const { caller, writer } = clients
    const collection_name = 'parted'
    await writer.createCollection({ collection_name, dimension: 2, consistency_level: 'Strong' })
    for (const [index, partition_name] of ['a', 'b'].entries()) {
      await writer.createPartition({ collection_name, partition_name })
      await writer.insert({ collection_name, partition_name, data: ids(index * 10, 10).map((id) => ({ id, vector: [id, 1] })) })
    }
    const page = async (partition_names: string[], guarantee_timestamp = 0n) => {
      const { status, session_ts, fields_data } = await caller.call('Query', { collection_name, partition_names, expr: 'id >= 0', guarantee_timestamp, use_default_consistency: true, output_fields: ['id'], query_params: [{ key: 'iterator', value: 'True' }, { key: 'limit', value: '100' }] })
      const fields = fields_data as { scalars?: { long_data?: { data: unknown[] } } }[]
      return { status, session_ts: session_ts as bigint, data: fields.flatMap(({ scalars }) => scalars?.long_data?.data ?? []) }
    }
    const first = await page([])
    expect(first.data).toHaveLength(20)
    await writer.delete({ collection_name, filter: 'id < 5' })
    await writer.flushSync({ collection_names: [collection_name] })
    expect((await page(['a'], first.session_ts)).data).toHaveLength(10)
    expect((await page(['b'], first.session_ts)).data).toHaveLength(10)
    expect((await page([])).data).toHaveLength(15)
    expect((await page([], first.session_ts)).data).toHaveLength(20)
    // Its moment had a partition more.
    await writer.releasePartitions({ collection_name, partition_names: ['b'] })
    await writer.dropPartition({ collection_name, partition_name: 'b' })
    const gone = await page([], first.session_ts)
    expect(gone.status).toMatchObject({ code: 1100, reason: expect.stringContaining('begin the iterator anew') })
    expect(gone.data).toEqual([])
  })

  it('a page whose moment is not known is refused, never torn', { timeout: LONG_MS }, async () => {
    const { caller, writer } = clients
    const collection_name = 'unknown'
    await writer.createCollection({ collection_name, dimension: 2, consistency_level: 'Strong' })
    await writer.insert({ collection_name, data: ids(0, 10).map((id) => ({ id, vector: [id, 1] })) })
    const page = (guarantee_timestamp: bigint) => caller.call('Query', { collection_name, expr: 'id >= 0', guarantee_timestamp, use_default_consistency: true, output_fields: ['id'], query_params: [{ key: 'iterator', value: 'True' }, { key: 'limit', value: '5' }] })
    const first = await page(0n)
    expect(first['status']).toMatchObject({ code: 0 })
    const ts = first['session_ts'] as bigint
    expect((await page(ts))['status']).toMatchObject({ code: 0 })
    const reason = expect.stringContaining('begin the iterator anew')
    expect((await page(ts - 1n))['status']).toMatchObject({ code: 1100, reason })
    // Truncated, as dropped: what it looked at is gone.
    await caller.call('TruncateCollection', { collection_name })
    expect((await page(ts))['status']).toMatchObject({ code: 1100, reason })
    const search = (token: string) =>
      writer.search({ collection_name, data: [1, 1], limit: 5, params: { iterator: true, search_iter_v2: true, search_iter_batch_size: 5, search_iter_id: token, search_iter_last_bound: 1 } } as never)
    expect((await search(`iterator-${ts}`)).status).toMatchObject({ code: 1100, reason })
    expect((await search('mine')).status).toMatchObject({ code: 1100, reason: expect.stringContaining('search_iter_id') })
  })
})

it('a moment that nobody looks at is let go, and one that takes too much', { timeout: LONG_MS }, async () => {
  const test = await startTestNode({ inMemory: true, parameters: { 'proxy.iteratorTimeout': '100ms', 'queryNode.maxKeptBytes': '4k' } })
  const caller = callAs(test.node.address, undefined)
  try {
    const collection_name = 'short'
    await test.client.createCollection({ collection_name, dimension: 2, consistency_level: 'Strong' })
    await test.client.insert({ collection_name, data: ids(0, 2_000).map((id) => ({ id, vector: [id, 1] })) })
    const page = (guarantee_timestamp: bigint) => caller.call('Query', { collection_name, expr: 'id >= 0', guarantee_timestamp, use_default_consistency: true, output_fields: ['id'], query_params: [{ key: 'iterator', value: 'true' }, { key: 'limit', value: '5' }] })
    const ts = (await page(0n))['session_ts'] as bigint
    await expect.poll(() => page(ts).then(({ status }) => (status as { code: number }).code), { timeout: 30_000, interval: 300 }).toBe(1100)
    // A flush replaces 2,000 rows: more than 4 KB.
    const another = (await page(0n))['session_ts'] as bigint
    await test.client.flushSync({ collection_names: [collection_name] })
    await expect.poll(() => page(another).then(({ status }) => (status as { code: number }).code), { timeout: 30_000, interval: 1 }).toBe(1100)
  } finally {
    caller.close()
    await test.close()
  }
})
