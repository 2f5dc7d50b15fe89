/** U35, U36: Milvus's own Grafana dashboard, unchanged, over what a node tells after a short use. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { startTestNode, type TestNode } from '../e2e/support.ts'
import { PANELS } from './dashboard-panels.ts'

type Labels = ReadonlyMap<string, string>

let test: TestNode
let series: ReadonlyMap<string, readonly Labels[]>
const collection_name = 'drawn'

beforeAll(async () => {
  test = await startTestNode({ inMemory: true, metricsPort: 0, parameters: { 'indexNode.minRows': 10 } })
  const { client } = test
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: 5, is_primary_key: true },
      { name: 'vec', data_type: 101, dim: 4 },
    ],
    index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }],
    consistency_level: 'Strong',
  })
  await client.loadCollectionSync({ collection_name })
  await client.insert({ collection_name, data: Array.from({ length: 50 }, (_, id) => ({ id, vec: [id, 0, 0, 0] })) })
  await client.search({ collection_name, data: [1, 0, 0, 0], limit: 3 })
  await client.flushSync({ collection_names: [collection_name] })
  await client.delete({ collection_name, filter: 'id in [3]' })
  await client.query({ collection_name, filter: 'id < 3' })
  await client.search({ collection_name: 'missing', data: [1, 0, 0, 0], limit: 3 }).catch(() => undefined)
  const http = await fetch(`http://${test.node.address}/v2/vectordb/entities/search`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ collectionName: collection_name, data: [[1, 0, 0, 0]], limit: 3 }) })
  expect(await http.json()).toMatchObject({ code: 0 })
  await vi.waitFor(
    async () => {
      series = seriesOf(await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text())
      for (const name of ['milvus_datacoord_index_req_count', 'milvus_datacoord_channel_checkpoint_unix_seconds', 'milvus_indexnode_index_task_count']) expect(series.has(name)).toBe(true)
    },
    { timeout: 25_000, interval: 100 },
  )
})
afterAll(() => test?.close())

function seriesOf(page: string): Map<string, Labels[]> {
  const found = new Map<string, Labels[]>()
  for (const line of page.split('\n')) {
    const [, name, labels = ''] = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? [-+0-9.eInfNa]+$/i.exec(line) ?? []
    if (name === undefined) continue
    const list = found.get(name) ?? []
    list.push(new Map([...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', value = '']) => [key, value])))
    found.set(name, list)
  }
  return found
}

/** As Prometheus selects; a label that is missing is empty. */
function isThere(selector: string): boolean {
  const [, name = '', asked = ''] = /^([^{]+)(?:\{(.*)\})?$/.exec(selector) ?? []
  const tests = asked === '' ? [] : asked.split(',').map((test) => /^([a-z_]+)(=~|!=|!~|=)(.*)$/.exec(test) ?? [])
  return (series.get(name) ?? []).some((labels) =>
    tests.every(([, label = '', operator = '', value = '']) => {
      const given = labels.get(label) ?? ''
      const equal = operator.endsWith('~') ? new RegExp(`^(?:${value})$`).test(given) : given === value
      return operator.startsWith('!') ? !equal : equal
    }),
  )
}

const draws = (panel: string): boolean => panel.split(' | ').some((query) => query !== '' && query.split(' & ').every(isThere))

it('at least 60 of its 154 panels draw something, and none draws only some of its queries', () => {
  expect(PANELS).toHaveLength(154)
  const drawn = PANELS.filter(draws)
  expect(drawn.length).toBeGreaterThanOrEqual(60)
  expect(drawn.filter((panel) => !panel.split(' | ').every((query) => query.split(' & ').every(isThere)))).toEqual([])
})

it('its list of instances, databases and collections has something to choose from', () => {
  expect(isThere('go_info')).toBe(true)
  expect(isThere('milvus_proxy_req_count')).toBe(true)
  expect(isThere('no_such_series')).toBe(false)
  expect(isThere('milvus_proxy_sq_latency_count{query_type=nothing}')).toBe(false)
})
