/** Metrics of processes of a cluster: together they tell under Milvus's names what a node that is alone tells. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'
import { PANELS, samplesOf, useNode } from '../node/metered-use.ts'

describe('a process with all roles', () => {
  let node: MiniMilvus
  let client: MilvusClient
  let page = ''
  const read = async (): Promise<string> => (page = await (await fetch(`http://${node.metricsAddress}/metrics`)).text())

  beforeAll(async () => {
    node = await startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0, parameters: { 'cluster.roles': 'all' } })
    client = new MilvusClient({ address: node.address, logLevel: 'error', channelOptions: { 'grpc.use_local_subchannel_pool': 1 } })
    await useNode(client)
    await vi.waitFor(async () => expect(await read()).toContain('milvus_datacoord_index_req_count{'), { timeout: 25_000, interval: 100 })
    await vi.waitFor(async () => expect(await read()).toContain('milvus_datacoord_channel_checkpoint_unix_seconds{'), { timeout: 25_000, interval: 100 })
    await client.releaseCollection({ collection_name: 'metered' })
    await read()
  }, 60_000)
  afterAll(async () => {
    await client?.closeConnection()
    await node?.close()
  })

  it('fills the panels that a node alone fills', () => {
    expect(PANELS.filter((name) => samplesOf(page, name).length === 0)).toEqual([])
  })

  it('counts what it did once, under its own node id', () => {
    const nodeId = String(node.cluster?.nodeId)
    expect(samplesOf(page, 'milvus_datanode_flushed_data_rows')).toEqual([`milvus_datanode_flushed_data_rows{node_id="${nodeId}",segment_level="L1"} 50`])
    expect(samplesOf(page, 'milvus_datacoord_stored_rows_count')).toEqual(['milvus_datacoord_stored_rows_count 50'])
    expect(samplesOf(page, 'milvus_querynode_sq_req_count').filter((line) => line.includes('query_type="search",status="success"'))).toEqual([expect.stringMatching(new RegExp(`node_id="${nodeId}".*\\} 1$`))])
    expect(new Set([...page.matchAll(/node_id="([^"]*)"/g)].map(([, id]) => id))).toEqual(new Set([nodeId]))
  })

  it('says who is there', () => {
    expect(samplesOf(page, 'timetick_cluster_members').map((line) => line.replace('timetick_cluster_members', ''))).toEqual(['proxy', 'coordinator', 'data', 'query'].map((role) => `{role="${role}"} 1`))
    expect(samplesOf(page, 'timetick_cluster_leading')).toEqual(['timetick_cluster_leading 1'])
    expect(samplesOf(page, 'milvus_num_node')).toHaveLength(7)
    expect(samplesOf(page, 'timetick_cluster_fenced')).toHaveLength(3)
  })
})
