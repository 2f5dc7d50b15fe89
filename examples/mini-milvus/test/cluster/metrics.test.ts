/** Metrics of processes of a cluster: together they tell under Milvus's names what a node that is alone tells. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'
import { compactNode, PANELS, samplesOf, useNode } from '../node/metered-use.ts'

const inRepository = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))
/** Words of PromQL, and labels, are no metrics: those have what families here begin with. */
const METRICS = /\b(?:milvus|timetick|process|nodejs)_\w+/g

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

  it('counts compactions of its channels', async () => {
    await compactNode(client)
    const done = `milvus_datacoord_compaction_task_num{node_id="${node.cluster?.nodeId}",compaction_type="MixCompaction",status="completed"} 1`
    await vi.waitFor(async () => expect(samplesOf(await read(), 'milvus_datacoord_compaction_task_num')).toContain(done), { timeout: 25_000, interval: 100 })
    expect(samplesOf(page, 'milvus_datanode_compaction_latency_count')).toEqual([expect.stringMatching(/ 1$/)])
  })

  it('says who is there', () => {
    expect(samplesOf(page, 'timetick_cluster_members').map((line) => line.replace('timetick_cluster_members', ''))).toEqual(['proxy', 'coordinator', 'data', 'query'].map((role) => `{role="${role}"} 1`))
    expect(samplesOf(page, 'timetick_cluster_leading')).toEqual(['timetick_cluster_leading 1'])
    expect(samplesOf(page, 'milvus_num_node')).toHaveLength(7)
    expect(samplesOf(page, 'timetick_cluster_fenced')).toHaveLength(3)
  })

  it('fills every panel of the dashboard of this repository, by labels that it has', async () => {
    const { panels } = JSON.parse(await readFile(inRepository('docs/grafana/mini-milvus.json'), 'utf8')) as { panels: { title: string; targets?: { expr: string; legendFormat: string }[] }[] }
    const targets = panels.flatMap((panel) => panel.targets ?? [])
    expect(targets.length).toBeGreaterThan(36)
    for (const { expr, legendFormat } of targets) {
      const names = expr.match(METRICS) ?? []
      expect(names).not.toEqual([])
      for (const name of names) {
        const samples = samplesOf(page, name)
        expect([expr, samples.length > 0]).toEqual([expr, true])
        // `instance` comes from Prometheus.
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) if (label !== 'instance') expect(`${expr}: ${samples.join('\n')}`).toContain(`${label}="`)
        for (const [, chosen = ''] of expr.matchAll(new RegExp(`${name}\\{(status="\\w+")\\}`, 'g'))) expect(`${expr}: ${samples.join('\n')}`).toContain(chosen)
      }
    }
  })

  it('has a dashboard that is what its script writes', async () => {
    await promisify(execFile)(process.execPath, [inRepository('tools/dashboard.mjs'), '--check'])
  })
})
