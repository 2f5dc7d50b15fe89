/** The seed's resources, the flat paths of 2022 and /v1/vector on a whole node: what one family writes the others read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resourceRows } from '../../src/rest/resource-table.ts'
import { startTestNode, type TestNode } from './support.ts'

/** Beyond 2^53: a client that made a double of it would come back with another one. */
const BIG = 9_007_199_254_740_993n
const ROWS = 20
const vectorOf = (i: number): number[] => [i, 1, 0, -i]
const keyOf = (i: number): bigint => BIG + BigInt(2 * i)

interface Answer {
  readonly status: number
  readonly text: string
  readonly body: Record<string, unknown>
}

let test: TestNode
beforeAll(async () => {
  test = await startTestNode()
})
afterAll(() => test.close())

/** @param body JSON text may hold what JavaScript's numbers cannot */
async function call(line: string, body?: object | string, headers: Record<string, string> = {}): Promise<Answer> {
  const [method = '', path = ''] = line.split(' ')
  const text = typeof body === 'object' ? JSON.stringify(body) : body
  const response = await fetch(`http://${test.node.address}${path}`, { method, headers, ...(text === undefined ? {} : { body: text }) })
  const answer = await response.text()
  return { status: response.status, text: answer, body: JSON.parse(answer) as Record<string, unknown> }
}

const ok = { status: 200, body: { error_code: 0, code: 0 } }
const withStatus = (more: object = {}) => ({ status: 200, body: { status: { code: 0 }, ...more } })

const schema = {
  name: 'things',
  fields: [
    { name: 'id', data_type: 5, is_primary_key: true },
    { name: 'color', data_type: 'VarChar', type_params: [{ key: 'max_length', value: '20' }] },
    { name: 'vec', data_type: 101, type_params: { dim: 4 } },
  ],
}

const columns = (): string =>
  JSON.stringify([
    { type: 5, field_name: 'id', field: Array.from({ length: ROWS }, (_, i) => `#${keyOf(i)}`) },
    { type: 21, field_name: 'color', field: Array.from({ length: ROWS }, (_, i) => (i % 2 === 0 ? 'red' : 'blue')) },
    { type: 101, field_name: 'vec', field: Array.from({ length: ROWS }, (_, i) => vectorOf(i)) },
  ]).replaceAll(/"#(\d+)"/g, '$1')

/** The keys of the nearest rows by squared distance, computed here. */
function nearest(query: readonly number[], k: number, keep: (i: number) => boolean = () => true): bigint[] {
  const distance = (i: number) => vectorOf(i).reduce((sum, item, d) => sum + (item - (query[d] as number)) ** 2, 0)
  return Array.from({ length: ROWS }, (_, i) => i)
    .filter(keep)
    .sort((a, b) => distance(a) - distance(b))
    .slice(0, k)
    .map(keyOf)
}

const searchParams = (topk: number) => [
  { key: 'anns_field', value: 'vec' },
  { key: 'topk', value: String(topk) },
  { key: 'metric_type', value: 'L2' },
  { key: 'params', value: '{}' },
]

describe('collections as resources', () => {
  it('lives a whole life', async () => {
    expect(await call('GET /api/v1/collections/things')).toMatchObject(withStatus({ value: false }))
    expect(await call('POST /api/v1/collections', { collection_name: 'things', schema, shards_num: 2 })).toMatchObject(ok)
    expect(await call('GET /api/v1/collections/things')).toMatchObject(withStatus({ value: true }))
    const described = await call('GET /api/v1/collections/things/schema')
    expect(described).toMatchObject(withStatus({ schema: { name: 'things', fields: [{ name: 'id' }, { name: 'color' }, { name: 'vec' }] }, shards_num: 2 }))
    expect(typeof described.body['collectionID']).toBe('string')
    expect(await call('GET /api/v1/collections-list')).toMatchObject(withStatus({ collection_names: ['things'] }))

    expect(await call('POST /api/v1/collections/things/partitions', { partition_name: 'spare' })).toMatchObject(ok)
    expect(await call('GET /api/v1/collections/things/partitions/spare')).toMatchObject(withStatus({ value: true }))
    expect(await call('GET /api/v1/collections/things/partitions-list')).toMatchObject(withStatus({ partition_names: ['_default', 'spare'] }))
    expect(await call('GET /api/v1/collections/things/partitions/spare/statistics')).toMatchObject(withStatus({ stats: [{ key: 'row_count', value: '0' }] }))

    const index = { field_name: 'vec', extra_params: [{ key: 'index_type', value: 'FLAT' }, { key: 'metric_type', value: 'L2' }] }
    expect(await call('POST /api/v1/collections/things/indexes', index)).toMatchObject(ok)
    expect(await call('GET /api/v1/collections/things/indexes/vec')).toMatchObject(withStatus({ index_descriptions: [{ field_name: 'vec' }] }))
    expect((await call('GET /api/v1/collections/things/indexes/vec/state')).body).toMatchObject({ status: { code: 0 }, state: 3 })
    expect((await call('GET /api/v1/collections/things/indexes/vec/progress')).body).toMatchObject({ status: { code: 0 } })
    expect(await call('PUT /api/v1/collections/things/load')).toMatchObject(ok)
    // Others load it: the reply does not wait for them.
    const count = { expr: '', output_fields: ['count(*)'] }
    await expect.poll(async () => (await call('POST /api/v1/collections/things/records/query', count)).body, { timeout: 60_000 }).toMatchObject({ status: { code: 0 } })
  })

  it('inserts columns, exactly', async () => {
    const inserted = await call('POST /api/v1/collections/things/records', `{"fields_data":${columns()}}`)
    expect(inserted).toMatchObject(withStatus({ insert_cnt: String(ROWS) }))
    const { IDs } = inserted.body as { IDs: { int_id: { data: string[] } } }
    expect(IDs.int_id.data).toEqual(Array.from({ length: ROWS }, (_, i) => String(keyOf(i))))
    const asNumbers = await call('POST /api/v1/collections/things/records/query', { expr: `id == ${BIG}`, output_fields: ['id'] }, { 'Accept-Type-Allow-Int64': 'true' })
    expect(asNumbers.text).toContain(`"long_data":{"data":[${BIG}]}`)
  })

  it('queries and searches, as brute force says', async () => {
    const queried = await call('POST /api/v1/collections/things/records/query', {
      expr: 'color == "red"',
      output_fields: ['id', 'color'],
      query_params: { limit: 3 },
      consistency_level: 'Strong',
    })
    expect(queried.body).toMatchObject({
      status: { code: 0 },
      fields_data: [{ field_name: 'id', scalars: { long_data: { data: [0, 2, 4].map((i) => String(keyOf(i))) } } }, { scalars: { string_data: { data: ['red', 'red', 'red'] } } }],
    })
    const query = [7.2, 1, 0, -7.2]
    const found = await call('POST /api/v1/collections/things/records/search', { dsl: 'color == "blue"', vectors: [query], search_params: searchParams(5), output_fields: ['color'] })
    expect(found.body).toMatchObject({ status: { code: 0 }, results: { num_queries: '1', ids: { int_id: { data: nearest(query, 5, (i) => i % 2 === 1).map(String) } } } })
  })

  it('deletes by body, by query and by POST', async () => {
    const path = '/api/v1/collections/things/records'
    expect((await call(`DELETE ${path}`, { expr: `id in [${keyOf(0)}]` })).body).toMatchObject({ status: { code: 0 }, delete_cnt: '1' })
    expect((await call(`DELETE ${path}?expr=${encodeURIComponent(`id in [${keyOf(1)}]`)}`)).body).toMatchObject({ status: { code: 0 }, delete_cnt: '1' })
    expect((await call(`POST ${path}/delete`, { expr: `id in [${keyOf(2)}]` })).body).toMatchObject({ status: { code: 0 }, delete_cnt: '1' })
    const left = await call(`POST ${path}/query`, { expr: '', output_fields: ['count(*)'], consistency_level: 'Strong' })
    expect(left.body).toMatchObject({ fields_data: [{ scalars: { long_data: { data: [String(ROWS - 3)] } } }] })
  })

  it('flushes, tells of segments, compacts', async () => {
    const flushed = await call('PUT /api/v1/collections/things/flush')
    expect(flushed.body).toMatchObject({ status: { code: 0 }, coll_segIDs: { things: { data: expect.any(Array) as unknown } } })
    expect((await call('POST /api/v1/flush', { collection_names: ['things'] })).body).toMatchObject({ status: { code: 0 } })
    const persistent = async () => ((await call('GET /api/v1/collections/things/segments/persistent')).body as { infos: unknown[] }).infos.length
    await expect.poll(persistent, { timeout: 20_000 }).toBeGreaterThan(0)
    expect((await call('GET /api/v1/collections/things/segments/query')).body).toMatchObject({ status: { code: 0 } })
    const { collectionID } = (await call('GET /api/v1/collections/things/schema')).body
    const { compactionID } = (await call('POST /api/v1/compactions', { collectionID })).body as { compactionID: string }
    expect(compactionID).toMatch(/^\d+$|^-1$/)
    expect((await call(`GET /api/v1/compactions/${compactionID}`)).body).toMatchObject({ status: { code: 0 } })
    expect((await call(`GET /api/v1/compactions/${compactionID}/plans`)).body).toMatchObject({ status: { code: 0 } })
    expect(await call('GET /api/v1/collections/things/statistics')).toMatchObject(withStatus({ stats: [{ key: 'row_count' }] }))
  })

  it('names aliases', async () => {
    expect(await call('POST /api/v1/aliases', { collection_name: 'things', alias: 'nick' })).toMatchObject(ok)
    expect(await call('GET /api/v1/collections/nick')).toMatchObject(withStatus({ value: true }))
    expect(await call('PUT /api/v1/aliases/nick', { collection_name: 'things' })).toMatchObject(ok)
    expect(await call('DELETE /api/v1/aliases/nick')).toMatchObject(ok)
    expect(await call('POST /api/v1/collections/things/aliases', { alias: 'other' })).toMatchObject(ok)
    expect(await call('DELETE /api/v1/aliases/other')).toMatchObject(ok)
  })

  it('tells of itself', async () => {
    const metrics = await call(`GET /api/v1/metrics?request=${encodeURIComponent('{"metric_type":"system_info"}')}`)
    expect(JSON.parse(metrics.body['response'] as string)).toMatchObject({ nodes_info: expect.any(Array) as unknown })
    expect((await call('POST /api/v1/dummy', { request_type: '{"x":1}' })).body).toHaveProperty('response')
    expect((await call('POST /api/v1/load-balance', { collectionName: 'nowhere' })).body).toMatchObject({ code: 100 })
  })

  it('is there without the version prefix too, as the seed writes it', async () => {
    expect(await call('GET /collections/things')).toMatchObject(withStatus({ value: true }))
    expect(await call('GET /collections-list')).toMatchObject(withStatus({ collection_names: ['things'] }))
    expect((await call('GET /collections')).status).toBe(404)
    expect((await call('GET /collection')).status).toBe(404)
  })

  it('says no as gRPC does, in the message of the RPC', async () => {
    expect(await call('GET /api/v1/collections/nowhere/schema')).toMatchObject({ status: 200, body: { status: { code: 100, error_code: 4 } } })
    expect(await call('POST /api/v1/collections/things/records/query', { expr: 'color = 5' })).toMatchObject({ status: 200, body: { status: { code: 1100 } } })
    expect(await call('POST /api/v1/collections', '{"collection_name":')).toMatchObject({ status: 400, body: { error_code: 5, reason: expect.stringContaining('bad request') as unknown } })
    expect(await call('POST /api/v1/collections', { shards_num: 'many' })).toMatchObject({ status: 400, body: { code: 1803 } })
    const patch = await call('PATCH /api/v1/collections')
    expect(patch).toMatchObject({ status: 405 })
  })

  it('ends', async () => {
    expect(await call('DELETE /api/v1/collections/things/partitions/spare/load')).toMatchObject({ status: 200 })
    expect(await call('DELETE /api/v1/collections/things/load')).toMatchObject(ok)
    expect(await call('PUT /api/v1/collections/things/partitions/spare/load')).toMatchObject(ok)
    expect(await call('DELETE /api/v1/collections/things/load')).toMatchObject(ok)
    expect(await call('DELETE /api/v1/collections/things/partitions/spare')).toMatchObject(ok)
    expect(await call('DELETE /api/v1/collections/things/indexes/vec')).toMatchObject(ok)
    expect(await call('DELETE /api/v1/collections/things')).toMatchObject(ok)
    expect(await call('GET /api/v1/collections/things')).toMatchObject(withStatus({ value: false }))
  })
})

describe('the flat paths of 2022', () => {
  it('take names in the body or in the query, and give int64 as numbers', async () => {
    expect(await call('POST /api/v1/collection', { collection_name: 'flat', schema: { ...schema, name: 'flat' } })).toMatchObject(ok)
    expect(await call('GET /api/v1/collection/existence?collection_name=flat')).toMatchObject(withStatus({ value: true }))
    expect(await call('POST /api/v1/index', { collection_name: 'flat', field_name: 'vec', extra_params: { index_type: 'FLAT', metric_type: 'L2' } })).toMatchObject(ok)
    expect(await call('POST /api/v1/collection/load', { collection_name: 'flat' })).toMatchObject(ok)
    const inserted = await call('POST /api/v1/entities', `{"collection_name":"flat","num_rows":${ROWS},"fields_data":${columns()}}`)
    expect(inserted.text).toContain(`"data":[${keyOf(0)},${keyOf(1)},`)
    const search = () => call('POST /api/v1/search', { collection_name: 'flat', vectors: [vectorOf(3)], search_params: searchParams(2), consistency_level: 0 })
    // Others load it: the reply to the load does not wait for them.
    await expect.poll(async () => (await search()).body, { timeout: 60_000 }).toMatchObject({ status: { code: 0 } })
    const found = await search()
    expect(found.text).toContain(`"int_id":{"data":[${nearest(vectorOf(3), 2).join(',')}]}`)
    expect((await call('POST /api/v1/query', { collection_name: 'flat', expr: `id in [${keyOf(5)}]`, output_fields: ['id'] })).text).toContain(`"data":[${keyOf(5)}]`)
    expect((await call('DELETE /api/v1/entities', { collection_name: 'flat', expr: `id in [${keyOf(5)}]` })).body).toMatchObject({ delete_cnt: 1 })
    expect((await call('POST /api/v1/persist', { collection_names: ['flat'] })).body).toMatchObject({ status: { code: 0 } })
    expect(await call('DELETE /api/v1/collection', { collection_name: 'flat' })).toMatchObject(ok)
  })

  it('each answer with the message of their RPC, or a Status that says why not', async () => {
    for (const { rpc, flat, resource } of resourceRows) {
      for (const line of [...flat, ...resource]) {
        const path = line.replace(' /', ' /api/v1/').replaceAll(/\{compactionID\}/g, '1').replaceAll(/\{\w+\}/g, 'nowhere')
        const { status, body } = await call(path, path.startsWith('GET') ? undefined : {})
        const shown = (body['status'] as object | undefined) ?? body
        const isMessage = 'error_code' in shown || 'response' in body
        expect([rpc, line, status, isMessage]).toEqual([rpc, line, 200, true])
      }
    }
  })
})

describe('/v1/vector', () => {
  const names = { collectionName: 'old' }

  it('lives a whole life', async () => {
    expect((await call('POST /v1/vector/collections/create', { ...names, dimension: 4 })).body).toMatchObject({ code: 200, data: {} })
    expect((await call('GET /v1/vector/collections')).body).toEqual({ code: 200, data: ['old'] })
    const describe = async (): Promise<Answer['body']> => (await call('GET /v1/vector/collections/describe?collectionName=old')).body
    // It is loaded by others, as Milvus does it: the reply does not wait for them.
    await expect.poll(async () => (await describe())['data'], { timeout: 60_000 }).toMatchObject({ load: 'LoadStateLoaded' })
    expect(await describe()).toEqual({
      code: 200,
      data: {
        collectionName: 'old',
        description: '',
        fields: [
          { name: 'id', type: 'Int64', primaryKey: true, autoId: true, description: '' },
          { name: 'vector', type: 'FloatVector(4)', primaryKey: false, autoId: false, description: '' },
        ],
        indexes: [{ indexName: 'vector_idx', fieldName: 'vector', metricType: 'L2' }],
        load: 'LoadStateLoaded',
        shardsNum: 1,
        enableDynamicField: true,
      },
    })
    const data = Array.from({ length: ROWS }, (_, i) => ({ vector: vectorOf(i), n: i }))
    const inserted = await call('POST /v1/vector/insert', { ...names, data })
    const { insertIds: ids } = inserted.body['data'] as { insertIds: string[] }
    expect(inserted.body).toMatchObject({ code: 200, data: { insertCount: ROWS } })
    expect(ids).toHaveLength(ROWS)
    const query = [7.2, 1, 0, -7.2]
    const found = (await call('POST /v1/vector/search', { ...names, vector: query, limit: 3, filter: 'n != 7', outputFields: ['n'] })).body
    expect((found['data'] as { n: number }[]).map(({ n }) => n)).toEqual(nearest(query, 3, (i) => i !== 7).map((key) => Number((key - BIG) / 2n)))
    const near = (await call('POST /v1/vector/search', { ...names, vector: query, outputFields: ['n'], params: { radius: 3, range_filter: 1 } })).body
    expect((near['data'] as { n: number }[]).map(({ n }) => n)).toEqual([8, 6])
    expect((await call('POST /v1/vector/query', { ...names, filter: 'n in [3, 4]', outputFields: ['n'], limit: 1 })).body).toMatchObject({ code: 200, data: [{ n: 3 }] })
    expect((await call('POST /v1/vector/get', { ...names, id: ids[5], outputFields: ['n'] })).body).toMatchObject({ code: 200, data: [{ id: ids[5], n: 5 }] })
    expect((await call('POST /v1/vector/delete', { ...names, id: [ids[5], ids[6]] })).body).toMatchObject({ code: 200 })
    expect((await call('POST /v1/vector/delete', { ...names, filter: 'n == 7' })).body).toMatchObject({ code: 200 })
    const left = (await call('POST /v1/vector/query', { ...names, filter: 'n >= 0', outputFields: ['n'] })).body['data'] as unknown[]
    expect(left).toHaveLength(ROWS - 3)
    const upserted = (await call('POST /v1/vector/upsert', { ...names, data: { id: ids[1], vector: vectorOf(1), n: 100 } })).body
    expect(upserted).toMatchObject({ code: 200, data: { upsertCount: 1 } })
    expect((await call('POST /v1/vector/collections/drop', names)).body).toMatchObject({ code: 200 })
  })

  it('says no in its own envelope', async () => {
    expect((await call('POST /v1/vector/collections/drop', { collectionName: 'nowhere' })).body).toMatchObject({ code: 100 })
    expect((await call('GET /v1/vector/collections/describe')).body).toMatchObject({ code: 1802, message: expect.stringContaining('collectionName') as unknown })
    expect((await call('POST /v1/vector/search', '')).body).toMatchObject({ code: 1801 })
    expect((await call('POST /v1/vector/search', { collectionName: 'x', vector: [] })).body).toMatchObject({ code: 1802 })
    expect((await call('POST /v1/vector/delete', { collectionName: 'x' })).body).toMatchObject({ code: 1803 })
  })
})
