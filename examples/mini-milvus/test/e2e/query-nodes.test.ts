/** Several query nodes in one process, through the official client: what they answer is what one would, whoever comes and goes. */
import { ConsistencyLevelEnum, type MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { QueryGroup } from '../../src/node/query-group.ts'
import { callAs, type Caller } from './call-as.ts'
import { latentVectors, nearest, rowOf, startTestNode, type TestNode } from './support.ts'

const DIM = 8
const ROWS = 3_000
const FLUSHES = 6
const collection_name = 'spread'
const vectors = latentVectors(ROWS, DIM, 7)
const strong = { consistency_level: ConsistencyLevelEnum.Strong }
const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
const PATIENT = { timeout: 30_000 }

let test: TestNode
let caller: Caller
const started: QueryGroup[] = []
let group: QueryGroup
beforeAll(async () => {
  const start = QueryGroup.prototype.start
  vi.spyOn(QueryGroup.prototype, 'start').mockImplementation(function (this: QueryGroup) {
    started.push(this)
    return start.call(this)
  })
  const parameters = { 'queryNode.count': 3, 'queryCoord.grace': '200ms', 'queryCoord.interval': '100ms', 'queryCoord.autoBalance': false, 'compaction.minSegments': 1000, 'watchdog.interval': '50ms' }
  test = await startTestNode({ inMemory: true, parameters })
  group = started[0] as QueryGroup
  caller = callAs(test.node.address, undefined)
  await fill(test.client)
}, 120_000)
afterAll(async () => {
  vi.restoreAllMocks()
  caller.close()
  await test.close()
})

async function fill(client: MilvusClient): Promise<void> {
  await client.createCollection({
    collection_name,
    shards_num: 2,
    fields: [
      { name: 'id', data_type: 'Int64', is_primary_key: true },
      { name: 'part', data_type: 'Int64' },
      { name: 'vector', data_type: 'FloatVector', dim: DIM },
    ],
    index_params: [{ field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' }],
  } as never)
  for (let flush = 0; flush < FLUSHES; flush++) {
    const ids = Array.from({ length: ROWS / FLUSHES }, (_, i) => (flush * ROWS) / FLUSHES + i)
    await client.insert({ collection_name, data: ids.map((id) => ({ id, part: id % 7, vector: rowOf(vectors, DIM, id) })) })
    // The last rows stay growing.
    if (flush < FLUSHES - 1) await client.flushSync({ collection_names: [collection_name] })
  }
  await client.loadCollectionSync({ collection_name })
}

const segmentNodes = async (): Promise<bigint[]> => ((await caller.call('GetQuerySegmentInfo', { collectionName: collection_name }))['infos'] as { nodeID: bigint }[]).map(({ nodeID }) => nodeID)
const search = async (row: number, limit = 10): Promise<number[]> => {
  const { results, status } = await test.client.search({ collection_name, data: rowOf(vectors, DIM, row), limit, ...strong })
  if (status.code !== 0) throw new Error(status.reason)
  return results.map(({ id }) => Number(id))
}
const count = async (): Promise<number> => {
  const { data, status } = await test.client.count({ collection_name, ...strong })
  if (status.code !== 0) throw new Error(status.reason)
  return data
}

describe('several query nodes', () => {
  it('share the segments, and say so', async () => {
    const nodes = await segmentNodes()
    expect(new Set(nodes)).toEqual(new Set([1n, 2n, 3n]))
    const { replicas } = (await caller.call('GetReplicas', { collection_name, with_shard_nodes: true })) as { replicas: { node_ids: bigint[]; shard_replicas: { leaderID: bigint }[] }[] }
    expect(replicas).toHaveLength(1)
    expect(replicas[0]?.node_ids).toEqual([1n, 2n, 3n])
    expect(new Set(replicas[0]?.shard_replicas.map(({ leaderID }) => leaderID)).size).toBe(2)
    const { response } = (await caller.call('GetMetrics', { request: '{"metric_type":"system_info"}' })) as { response: string }
    const infos = (JSON.parse(response) as { nodes_info: { infos: { type: string; id: number } }[] }).nodes_info.map(({ infos: info }) => info)
    expect(infos.filter(({ type }) => type === 'querynode').map(({ id }) => id)).toEqual([1, 2, 3])
  })

  it('answer as one: searches, pages, filters, groups, counts and iterators', async () => {
    for (const row of [0, 700, 2_999]) expect(await search(row)).toEqual(nearest(vectors, DIM, vectors.subarray(row * DIM, (row + 1) * DIM), 10))
    const [first] = [rowOf(vectors, DIM, 5)]
    const query = vectors.subarray(5 * DIM, 6 * DIM)
    const paged = await test.client.search({ collection_name, data: [first, rowOf(vectors, DIM, 9)], limit: 5, offset: 5, filter: 'part == 3', ...strong } as never)
    const [own] = paged.results as unknown as { id: string }[][]
    expect(own?.map(({ id }) => Number(id))).toEqual(nearest(vectors, DIM, query, 10, (row) => row % 7 === 3).slice(5))
    const grouped = await test.client.search({ collection_name, data: first, limit: 7, group_by_field: 'part', output_fields: ['part'], ...strong } as never)
    expect(new Set(grouped.results.map((hit) => Number((hit as unknown as { part: string }).part))).size).toBe(7)
    expect(await count()).toBe(ROWS)
    const page = await test.client.query({ collection_name, filter: 'part == 2', output_fields: ['id'], limit: 20, offset: 30, ...strong })
    expect(page.data.map(({ id }) => Number(id))).toEqual(Array.from({ length: ROWS }, (_, id) => id).filter((id) => id % 7 === 2).slice(30, 50))
    const seen: number[] = []
    for await (const rows of await test.client.queryIterator({ collection_name, batchSize: 500, expr: 'id >= 0', output_fields: ['id'] })) seen.push(...(rows as { id: string }[]).map(({ id }) => Number(id)))
    expect(seen).toEqual(Array.from({ length: ROWS }, (_, id) => id))
  })

  it('refuse a partition that is not loaded at once, as one does', async () => {
    const { client } = test
    const name = 'parted'
    await client.createCollection({ collection_name: name, dimension: 2, consistency_level: 'Strong' })
    await client.createPartition({ collection_name: name, partition_name: 'a' })
    await client.insert({ collection_name: name, partition_name: 'a', data: [{ id: 1, vector: [1, 1] }] })
    const ask = (partition_names: string[]) => client.query({ collection_name: name, partition_names, filter: 'id > 0', limit: 1 })
    expect((await ask(['a'])).data).toHaveLength(1)
    await client.releasePartitions({ collection_name: name, partition_names: ['a'] })
    expect((await ask(['a'])).status).toMatchObject({ code: 201 })
    expect((await ask([])).data).toEqual([])
    await client.loadPartitions({ collection_name: name, partition_names: ['a'] })
    await expect.poll(async () => (await ask(['a'])).data.length, PATIENT).toBe(1)
    await client.dropCollection({ collection_name: name })
  })

  it('move segments when they are told to, and refuse what cannot be', async () => {
    const infos = (await caller.call('GetQuerySegmentInfo', { collectionName: collection_name }))['infos'] as { segmentID: bigint; nodeID: bigint }[]
    const moved = infos.find(({ nodeID }) => nodeID === 1n)?.segmentID ?? 0n
    const balance = (src: bigint, dst: readonly bigint[], ids: readonly bigint[]) => caller.call('LoadBalance', { collectionName: collection_name, src_nodeID: src, dst_nodeIDs: dst, sealed_segmentIDs: ids })
    expect(await balance(1n, [2n], [moved])).toMatchObject({ code: 0 })
    const after = (await caller.call('GetQuerySegmentInfo', { collectionName: collection_name }))['infos'] as { segmentID: bigint; nodeIds: bigint[] }[]
    expect(after.find(({ segmentID }) => segmentID === moved)?.nodeIds).toContain(2n)
    expect(await search(1_234)).toEqual(nearest(vectors, DIM, vectors.subarray(1_234 * DIM, 1_235 * DIM), 10))
    expect(await balance(9n, [2n], [])).toMatchObject({ code: 1100 })
    expect(await balance(1n, [9n], [])).toMatchObject({ code: 1100 })
    expect(await balance(3n, [2n], [moved])).toMatchObject({ code: 600 })
  })

  it('serve as many replicas as there are nodes, each from its own, also out of other resource groups', async () => {
    type Replica = { node_ids: bigint[]; resource_group_name: string }
    const replicas = async (): Promise<Replica[]> => (await caller.call('GetReplicas', { collection_name }))['replicas'] as Replica[]
    expect(await caller.call('LoadCollection', { collection_name, replica_number: 4 })).toMatchObject({ code: 304 })
    expect(await caller.call('LoadCollection', { collection_name, replica_number: 2 })).toMatchObject({ code: 0 })
    await expect.poll(async () => (await caller.call('GetLoadingProgress', { collection_name }))['progress'], PATIENT).toBe(100n)
    const nodeSets = (await replicas()).map(({ node_ids }) => node_ids)
    expect(nodeSets.flat().sort(ascending)).toEqual([1n, 2n, 3n])
    for (let twice = 0; twice < 4; twice++) expect(await count()).toBe(ROWS)
    expect(await caller.call('CreateResourceGroup', { resource_group: 'far', config: { requests: { node_num: 1 }, limits: { node_num: 1 } } })).toMatchObject({ code: 0 })
    const refused = { source_resource_group: '__default_resource_group', target_resource_group: 'far', collection_name, num_replica: 1n }
    expect(await caller.call('TransferReplica', refused)).toMatchObject({ code: 304 })
    expect(await caller.call('TransferNode', { source_resource_group: '__default_resource_group', target_resource_group: 'far', num_node: 1 })).toMatchObject({ code: 0 })
    expect(await caller.call('TransferReplica', refused)).toMatchObject({ code: 0 })
    await expect.poll(async () => (await replicas()).map(({ resource_group_name, node_ids }) => `${resource_group_name} ${node_ids.length}`).sort((a, b) => a.localeCompare(b)), PATIENT).toEqual(['__default_resource_group 2', 'far 1'])
    const { resource_group: described } = (await caller.call('DescribeResourceGroup', { resource_group: 'far' })) as { resource_group: { num_loaded_replica: Record<string, number>; num_available_node: number } }
    expect([described.num_loaded_replica, described.num_available_node]).toEqual([{ [collection_name]: 1 }, 1])
    for (let twice = 0; twice < 4; twice++) expect(await count()).toBe(ROWS)
    expect(await caller.call('LoadCollection', { collection_name, replica_number: 1 })).toMatchObject({ code: 0 })
    await expect.poll(async () => (await replicas()).length, PATIENT).toBe(1)
    expect(await count()).toBe(ROWS)
  })

  it('lose no row and double none while nodes join, leave and fail under searches and upserts', { timeout: 120_000 }, async () => {
    let over = false
    const wrong: string[] = []
    let reads = 0
    const reader = async (): Promise<void> => {
      for (let row = 0; !over; row = (row + 611) % ROWS) {
        const found = await search(row)
        const expected = nearest(vectors, DIM, vectors.subarray(row * DIM, (row + 1) * DIM), 10)
        if (found.join() !== expected.join()) wrong.push(`search near ${row}: ${found.join()} instead of ${expected.join()}`)
        const counted = await count()
        if (counted !== ROWS) wrong.push(`count is ${counted}`)
        reads++
      }
    }
    const writer = async (): Promise<void> => {
      for (let round = 0; !over; round++) {
        const ids = Array.from({ length: 50 }, (_, i) => (round * 50 + i) % ROWS)
        await test.client.upsert({ collection_name, data: ids.map((id) => ({ id, part: id % 7, vector: rowOf(vectors, DIM, id) })) })
        if (round % 10 === 9) await test.client.flush({ collection_names: [collection_name] })
      }
    }
    const work = Promise.all([reader(), reader(), writer()])
    const nodes = (): readonly bigint[] => [...group.nodeIds()].sort(ascending)
    const read = async (): Promise<void> => {
      const before = reads
      await expect.poll(() => reads, PATIENT).toBeGreaterThan(before + 3)
    }
    await read()
    test.node.parameters.save('queryNode.count', '5')
    await expect.poll(nodes, PATIENT).toEqual([1n, 2n, 3n, 4n, 5n])
    await read()
    test.node.parameters.save('queryNode.count', '2')
    await expect.poll(nodes, PATIENT).toEqual([1n, 2n])
    await read()
    test.node.parameters.save('queryNode.count', '3')
    await expect.poll(nodes, PATIENT).toContain(3n)
    await read()
    for (const id of [1n, 2n]) {
      const starts = group.member(id)?.starts ?? 0
      group.member(id)?.fail(new Error('killed by the test'))
      await expect.poll(() => group.member(id)?.starts, PATIENT).toBe(starts + 1)
      await read()
    }
    over = true
    await work
    expect(wrong).toEqual([])
  })
})
