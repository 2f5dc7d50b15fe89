/** Resource groups, replicas and segments: what the node says of itself is what is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callAs, type Caller } from './call-as.ts'
import { latentVectors, rowOf, startTestNode, type TestNode } from './support.ts'

const DEFAULT = '__default_resource_group'
const collection_name = 'grouped'

let test: TestNode
let caller: Caller
beforeAll(async () => {
  test = await startTestNode({ inMemory: true, parameters: { 'indexNode.minRows': 100 } })
  caller = callAs(test.node.address, undefined)
  await test.client.createCollection({ collection_name, dimension: 8, metric_type: 'L2' })
})
afterAll(async () => {
  caller.close()
  await test.close()
})

const describeGroup = async (name: string) => (await caller.call('DescribeResourceGroup', { resource_group: name }))['resource_group'] as Record<string, unknown>

describe('resource groups', () => {
  it('keep what they were configured with', async () => {
    const config = { requests: { node_num: 1 }, limits: { node_num: 2 }, transfer_from: [{ resource_group: DEFAULT }], node_filter: { node_labels: [{ key: 'env', value: 'test' }] } }
    expect(await caller.call('CreateResourceGroup', { resource_group: 'one', config })).toMatchObject({ code: 0 })
    expect(await caller.call('CreateResourceGroup', { resource_group: 'one', config })).toMatchObject({ code: 0 })
    expect(await caller.call('CreateResourceGroup', { resource_group: 'one' })).toMatchObject({ code: 301 })
    expect(await caller.call('ListResourceGroups')).toMatchObject({ resource_groups: [DEFAULT, 'one'] })
    expect(await describeGroup('one')).toMatchObject({ name: 'one', capacity: 1, num_available_node: 0, nodes: [], config })
    expect(await caller.call('UpdateResourceGroups', { resource_groups: { one: { requests: { node_num: 0 }, limits: { node_num: 3 } } } })).toMatchObject({ code: 0 })
    expect(await describeGroup('one')).toMatchObject({ capacity: 0, config: { limits: { node_num: 3 }, transfer_from: [] } })
  })

  it('say which node there is, and what is loaded on it', async () => {
    expect(await describeGroup(DEFAULT)).toMatchObject({ name: DEFAULT, num_available_node: 1, num_loaded_replica: { [collection_name]: 1 } })
    const { response } = (await caller.call('GetMetrics', { request: '{"metric_type":"system_info"}' })) as { response: string }
    const nodes = (JSON.parse(response) as { nodes_info: { infos: { type: string; id: number } }[] }).nodes_info.filter(({ infos }) => infos.type === 'querynode')
    const [{ node_id: own } = { node_id: 0n }] = (await describeGroup(DEFAULT))['nodes'] as { node_id: bigint }[]
    expect(nodes.map(({ infos }) => infos.id)).toEqual([Number(own)])
    expect(await caller.call('GetReplicas', { collection_name, with_shard_nodes: true })).toMatchObject({ replicas: [{ resource_group_name: DEFAULT, node_ids: [own] }] })
  })

  it('refuse what this node cannot do', async () => {
    const refused: readonly (readonly [string, object, number])[] = [
      ['CreateResourceGroup', { resource_group: '' }, 1100],
      ['CreateResourceGroup', { resource_group: 'a b' }, 1100],
      ['CreateResourceGroup', { resource_group: 'two', config: { requests: { node_num: 3 }, limits: { node_num: 1 } } }, 303],
      ['CreateResourceGroup', { resource_group: 'two', config: { requests: { node_num: -1 } } }, 303],
      ['CreateResourceGroup', { resource_group: 'two', config: { transfer_to: [{ resource_group: 'none' }] } }, 300],
      ['UpdateResourceGroups', { resource_groups: {} }, 1100],
      ['UpdateResourceGroups', { resource_groups: { one: {}, none: {} } }, 300],
      ['DropResourceGroup', { resource_group: DEFAULT }, 1100],
      ['TransferNode', { source_resource_group: DEFAULT, target_resource_group: 'none', num_node: 1 }, 300],
      ['TransferNode', { source_resource_group: DEFAULT, target_resource_group: DEFAULT, num_node: 1 }, 1100],
      ['TransferNode', { source_resource_group: DEFAULT, target_resource_group: 'one', num_node: 0 }, 1100],
      ['TransferNode', { source_resource_group: DEFAULT, target_resource_group: 'one', num_node: 1 }, 304],
      ['TransferReplica', { source_resource_group: DEFAULT, target_resource_group: 'one', collection_name, num_replica: 2n }, 1100],
      ['TransferReplica', { source_resource_group: DEFAULT, target_resource_group: 'one', collection_name, num_replica: 1n }, 65535],
      ['TransferReplica', { source_resource_group: DEFAULT, target_resource_group: 'one', collection_name: 'none', num_replica: 1n }, 100],
      ['LoadCollection', { collection_name, resource_groups: ['none'] }, 300],
      ['LoadCollection', { collection_name, resource_groups: ['one'] }, 304],
      ['LoadPartitions', { collection_name, partition_names: ['_default'], resource_groups: ['one'] }, 304],
    ]
    for (const [rpc, request, code] of refused) expect([rpc, request, (await caller.call(rpc, request))['code']]).toEqual([rpc, request, code])
    expect(await caller.call('LoadCollection', { collection_name, resource_groups: [DEFAULT] })).toMatchObject({ code: 0 })
    expect(await caller.call('DescribeResourceGroup', { resource_group: 'two' })).toMatchObject({ status: { code: 300 } })
  })

  it('give their only node away while nothing is loaded, and get it back', async () => {
    await test.client.releaseCollection({ collection_name })
    const move = (source: string, target: string) => caller.call('TransferNode', { source_resource_group: source, target_resource_group: target, num_node: 1 })
    expect(await move(DEFAULT, 'one')).toMatchObject({ code: 0 })
    expect([(await describeGroup(DEFAULT))['num_available_node'], (await describeGroup('one'))['num_available_node']]).toEqual([0, 1])
    expect(await caller.call('DropResourceGroup', { resource_group: 'one' })).toMatchObject({ code: 303 })
    expect(await caller.call('LoadCollection', { collection_name })).toMatchObject({ code: 304 })
    expect(await move('one', DEFAULT)).toMatchObject({ code: 0 })
    expect((await describeGroup(DEFAULT))['num_available_node']).toBe(1)
    for (let twice = 0; twice < 2; twice++) expect(await caller.call('DropResourceGroup', { resource_group: 'one' })).toMatchObject({ code: 0 })
  })
})

describe('indexed segments', () => {
  it('are those that have the index', async () => {
    expect(await caller.call('ListIndexedSegment', { collection_name, index_name: 'none' })).toMatchObject({ status: { code: 700 } })
    const vectors = latentVectors(300, 8, 1)
    await test.client.insert({ collection_name, data: Array.from({ length: 300 }, (_, id) => ({ id, vector: rowOf(vectors, 8, id) })) })
    await test.client.flushSync({ collection_names: [collection_name] })
    const { index_descriptions: indexes } = await test.client.describeIndex({ collection_name })
    const index_name = indexes[0]?.index_name ?? ''
    await expect.poll(async () => ((await caller.call('ListIndexedSegment', { collection_name, index_name }))['segmentIDs'] as bigint[]).length, { timeout: 20_000 }).toBe(1)
    const { infos } = await test.client.getPersistentSegmentInfo({ collectionName: collection_name })
    expect((await caller.call('ListIndexedSegment', { collection_name, index_name }))['segmentIDs']).toEqual(infos.map(({ segmentID }: { segmentID: string | number }) => BigInt(segmentID)))
  })
})
