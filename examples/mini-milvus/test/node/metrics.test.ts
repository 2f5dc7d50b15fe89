/** Metrics under Milvus's names: so many of its dashboard's panels have data after a short use. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Registry } from 'prom-client'
import { compactionWatch } from '../../src/node/metrics/compactions.ts'
import { Meter } from '../../src/node/metrics/meter.ts'
import { startTestNode, type TestNode } from '../e2e/support.ts'
import { collection_name, compactNode, PANELS, samplesOf, useNode } from './metered-use.ts'

let test: TestNode
let page = ''

beforeAll(async () => {
  test = await startTestNode({ inMemory: true, metricsPort: 0 })
  const { client } = test
  await useNode(client)
  await vi.waitFor(
    async () => {
      page = await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text()
      expect(page).toContain('milvus_datacoord_index_req_count{')
      expect(page).toContain('milvus_datacoord_channel_checkpoint_unix_seconds{')
    },
    { timeout: 25_000, interval: 100 },
  )
  await client.releaseCollection({ collection_name })
  page = await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text()
})
afterAll(() => test?.close())

const samples = (name: string): string[] => samplesOf(page, name)

describe('metrics', () => {
  it('fill at least 60 panels of Milvus’s dashboard', () => {
    expect(PANELS.filter((name) => samples(name).length === 0)).toEqual([])
    expect(new Set(PANELS).size).toBeGreaterThanOrEqual(60)
  })

  it('count calls by function and outcome, in milliseconds', () => {
    expect(samples('milvus_proxy_req_count').join('\n')).toMatch(/function_name="Search",status="total"\} 1/)
    expect(samples('milvus_proxy_req_count').join('\n')).toMatch(/function_name="DescribeCollection",status="fail"\} 1/)
    expect(samples('milvus_proxy_sq_latency_count').join('\n')).toMatch(/query_type="search"\} 1/)
    expect(samples('milvus_proxy_mutation_latency_count').join('\n')).toMatch(/msg_type="insert"\} 1/)
    expect(samples('milvus_datacoord_stored_rows_count')).toEqual(['milvus_datacoord_stored_rows_count 50'])
    expect(samples('milvus_datanode_flushed_data_rows').join('\n')).toMatch(/segment_level="L1"\} 50/)
  })

  it('say how full the queues are', () => {
    for (const kind of ['ddl', 'dml', 'dql']) expect(samples('milvus_proxy_queue_task_num').join('\n')).toContain(`queue_type="${kind}",task_state="active"} 0`)
    expect(samples('milvus_proxy_queue_wait_ms_total')).toHaveLength(3)
  })
})

describe('compactions', () => {
  const tasks = async (): Promise<string[]> => samplesOf(await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text(), 'milvus_datacoord_compaction_task_num')
  const told = (executing: number, completed: number, failed: number): string[] =>
    Object.entries({ executing, completed, failed }).map(([status, count]) => `milvus_datacoord_compaction_task_num{node_id="1",compaction_type="MixCompaction",status="${status}"} ${count}`)

  it('are counted by how they ended, and timed', async () => {
    expect(samples('milvus_datacoord_compaction_task_num')).toEqual(told(0, 0, 0))
    await compactNode(test.client)
    await vi.waitFor(async () => expect(await tasks()).toEqual(told(0, 1, 0)), { timeout: 25_000, interval: 50 })
    page = await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text()
    expect(samples('milvus_datanode_compaction_latency_count')).toEqual(['milvus_datanode_compaction_latency_count{node_id="1",compaction_type="MixCompaction"} 1'])
  })

  it('that failed, or lost their segments, are not among those that were done', async () => {
    const registry = new Registry()
    let now = 0
    const watch = compactionWatch(new Meter(registry, { monotonic: () => now }))
    const during: string[] = []
    for (const outcome of ['failed', 'dropped', 'completed', 'completed'] as const) {
      await watch?.(async () => {
        during.push(...samplesOf(await registry.metrics(), 'milvus_datacoord_compaction_task_num').filter((line) => line.includes('executing')))
        now += 100
        return outcome
      })
    }
    const text = await registry.metrics()
    expect(samplesOf(text, 'milvus_datacoord_compaction_task_num')).toEqual(told(0, 2, 1))
    expect(samplesOf(text, 'milvus_datanode_compaction_latency_sum')).toEqual([expect.stringMatching(/ 400$/)])
    expect([during.length, during.every((line) => line.endsWith('"} 1'))]).toEqual([4, true])
  })

  it('are not watched where nothing is counted', () => {
    expect(compactionWatch(undefined)).toBeUndefined()
  })
})

describe('health', () => {
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(`http://${test.node.metricsAddress}${path}`, { headers })

  it('is OK, or JSON with every component', async () => {
    expect(await (await get('/healthz')).text()).toBe('OK')
    const detail = (await (await get('/healthz', { 'Content-Type': 'application/json' })).json()) as { state: string; detail: { name: string; code: string }[] }
    expect(detail.state).toBe('OK')
    expect(detail.detail.map(({ code }) => code)).toEqual(detail.detail.map(() => 'Healthy'))
  })

  it('answers probes', async () => {
    expect((await get('/livez')).status).toBe(200)
    expect((await get('/readyz')).status).toBe(200)
    expect((await get('/nothing')).status).toBe(404)
    expect((await fetch(`http://${test.node.metricsAddress}/healthz`, { method: 'POST' })).status).toBe(405)
  })
})
