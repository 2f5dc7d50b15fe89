/** REST and gRPC are two doors to the same rooms: what one writes the other reads. */
import { HttpClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { latentVectors, rowOf, startTestNode, type TestNode } from './support.ts'

const DIM = 8
const vectors = latentVectors(200, DIM, 3, 4)
const names = { collectionName: 'both' }
const collection_name = names.collectionName
const consistencyLevel = 'Strong'

describe('REST beside gRPC', () => {
  let test: TestNode
  let http: HttpClient
  beforeAll(async () => {
    test = await startTestNode()
    http = new HttpClient({ endpoint: `http://${test.node.address}` })
    expect(await http.createCollection({ ...names, dimension: DIM, metricType: 'L2' })).toMatchObject({ code: 0 })
    const data = Array.from({ length: 100 }, (_, id) => ({ id, vector: rowOf(vectors, DIM, id), color: id % 2 === 0 ? 'red' : 'blue', n: id }))
    expect(await http.insert({ ...names, data })).toMatchObject({ code: 0, data: { insertCount: 100 } })
    const more = Array.from({ length: 100 }, (_, i) => ({ id: 100 + i, vector: rowOf(vectors, DIM, 100 + i), color: 'green', n: 100 + i }))
    expect((await test.client.insert({ collection_name, data: more })).status.error_code).toBe('Success')
  })
  afterAll(() => test.close())

  it('searches give the same hits, scores and fields', async () => {
    for (let i = 0; i < 5; i++) {
      const data = rowOf(vectors, DIM, i * 40)
      const byHttp = await http.search({ ...names, data: [data], limit: 7, filter: 'color != "red"', outputFields: ['color', 'n'], consistencyLevel })
      const byGrpc = await test.client.search({ collection_name, data, limit: 7, filter: 'color != "red"', output_fields: ['id', 'color', 'n'] })
      expect(byHttp.code).toBe(0)
      expect(byHttp.data).toHaveLength(7)
      const hits = byHttp.data as unknown as { id: unknown; distance: number; color: string; n: number }[]
      expect(hits.map(({ id }) => String(id))).toEqual(byGrpc.results.map(({ id }) => id))
      hits.forEach((hit, at) => {
        expect(hit.distance).toBeCloseTo(byGrpc.results[at]?.score as number, 5)
        expect({ color: hit.color, n: hit.n }).toEqual({ color: byGrpc.results[at]?.['color'], n: byGrpc.results[at]?.['n'] })
      })
    }
  })

  it('queries give the same rows', async () => {
    const filter = 'n > 90 and n <= 110'
    const byHttp = await http.query({ ...names, filter, outputFields: ['id', 'color', 'n'], limit: 100, consistencyLevel })
    const byGrpc = await test.client.query({ collection_name, filter, output_fields: ['id', 'color', 'n'], consistency_level: 0 })
    const rows = byHttp.data as unknown as Record<string, unknown>[]
    expect(rows).toHaveLength(20)
    expect(rows.map((row) => [String(row['id']), row['color'], row['n']])).toEqual(byGrpc.data.map((row) => [row['id'], (row['$meta'] as { color: string }).color, (row['$meta'] as { n: number }).n]))
  })

  it('rows come in the order asked for, hits in groups', async () => {
    const answer = await post('entities/query', { ...names, filter: 'n >= 0', outputFields: ['id'], limit: 3, orderByFields: ['id:desc'], consistencyLevel })
    expect((answer.data as { id: unknown }[]).map(({ id }) => String(id))).toEqual(['199', '198', '197'])
    const grouped = await post('entities/search', { ...names, data: [rowOf(vectors, DIM, 0)], limit: 5, groupingField: 'id', groupSize: 2, consistencyLevel })
    expect(grouped.data).toHaveLength(5)
  })

  it('deletes and upserts through one door show through the other', async () => {
    expect(await http.delete({ ...names, filter: 'id in [1, 2]' })).toMatchObject({ code: 0 })
    expect((await test.client.get({ collection_name, ids: [1, 2, 3], consistency_level: 0 })).data).toHaveLength(1)
    await test.client.upsert({ collection_name, data: [{ id: 3, vector: rowOf(vectors, DIM, 3), color: 'white', n: 3 }] })
    const asked = { ...names, id: [3], outputFields: ['color'], consistencyLevel }
    const got = await http.get(asked)
    expect(got.data).toMatchObject([{ color: 'white' }])
  })

  it('compactions say how far they are', async () => {
    const { data } = await post('collections/compact', names)
    const { compactionID } = data as { compactionID: string }
    const state = async () => (await post('collections/get_compaction_state', { jobID: compactionID })).data
    await expect.poll(state, { timeout: 20_000 }).toMatchObject({ compactionID, state: 'Completed', executingPlanNumber: 0 })
    expect(await post('collections/get_compaction_state', { jobID: 'x' })).toMatchObject({ code: 1803 })
  })

  it('refusals have the same codes', async () => {
    expect(await post('entities/query', { collectionName: 'nowhere', filter: 'a > 1' })).toMatchObject({ code: 100 })
    expect(await post('entities/query', { ...names, filter: 'n >' })).toMatchObject({ code: 1100, message: expect.stringContaining('^') as string })
    expect(await post('entities/search', { ...names, data: [[1, 2]] })).not.toMatchObject({ code: 0 })
  })

  async function post(path: string, body: object): Promise<{ code: number; data?: unknown }> {
    const answer = await fetch(`http://${test.node.address}/v2/vectordb/${path}`, { method: 'POST', body: JSON.stringify(body) })
    return (await answer.json()) as { code: number; data?: unknown }
  }
})
