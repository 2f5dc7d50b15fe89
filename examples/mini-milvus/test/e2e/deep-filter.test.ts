/** Story D14: filters that are far too deep, by gRPC and by REST, are refused, and nobody who searches meanwhile gets a worse answer. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const collection_name = 'deep'
let test: TestNode

beforeAll(async () => {
  test = await startTestNode()
  await test.client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: 5, is_primary_key: true },
      { name: 'vec', data_type: 101, dim: 2 },
    ],
    index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
    consistency_level: 'Strong',
  })
  await test.client.loadCollectionSync({ collection_name })
  await test.client.insert({ collection_name, data: Array.from({ length: 100 }, (_, id) => ({ id, vec: [id, 0] })) })
})
afterAll(() => test?.close())

const deep = ['('.repeat(1_000_000), `${'('.repeat(100_000)}id == 1${')'.repeat(100_000)}`, `${'not '.repeat(100_000)}(id == 1)`, `id == ${'['.repeat(100_000)}`, `id == ${'-'.repeat(100_001)}1`]

it('D14, S11: deep filters are refused while eight clients search, and none of these notices', { timeout: 120_000 }, async () => {
  const { client, node } = test
  let isDone = false
  let searches = 0
  const searching = Array.from({ length: 8 }, async (_, n) => {
    do {
      const { status, results } = await client.search({ collection_name, data: [n, 0], limit: 1 })
      expect([status.error_code, results[0]?.id]).toEqual(['Success', String(n)])
      searches++
    } while (!isDone)
  })
  for (const filter of deep) {
    const { status } = await client.query({ collection_name, filter, output_fields: ['id'] })
    expect([filter.slice(0, 8), status.error_code]).not.toEqual([filter.slice(0, 8), 'Success'])
    const response = await fetch(`http://${node.address}/v2/vectordb/entities/query`, { method: 'POST', body: JSON.stringify({ collectionName: collection_name, filter, outputFields: ['id'] }) })
    const { code } = (await response.json()) as { code: number }
    expect([filter.slice(0, 8), code]).not.toEqual([filter.slice(0, 8), 0])
  }
  isDone = true
  await Promise.all(searching)
  expect(searches).toBeGreaterThanOrEqual(8)
})
