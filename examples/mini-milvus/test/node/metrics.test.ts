/** Metrics under Milvus's names: so many of its dashboard's panels have data after a short use. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestNode, type TestNode } from '../e2e/support.ts'
import { collection_name, PANELS, samplesOf, useNode } from './metered-use.ts'

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
