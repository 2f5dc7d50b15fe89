import { HttpClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WireHandlers } from '../../src/server/handlers.ts'
import type { DeleteRequest, InsertRequest, QueryRequest, SearchRequest, UpsertRequest } from '../../src/wire/index.ts'
import { openTestNode, type TestNode } from '../server/node.ts'

const seen: {
  insert?: InsertRequest
  upsert?: UpsertRequest
  delete?: DeleteRequest
  query?: QueryRequest
  search?: SearchRequest
  flush?: readonly string[]
} = {}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const BIG = 9007199254740993n

/** Rows that a data path would find. */
const columns = [
  { type: 5, field_name: 'id', scalars: { long_data: { data: [BIG, 2n] } } },
  { type: 101, field_name: 'vector', vectors: { dim: 2n, float_vector: { data: [1, 2, 3, 4] } } },
  { type: 21, field_name: 'name', scalars: { string_data: { data: ['a', ''] } }, valid_data: [true, false] },
  {
    type: 22,
    field_name: 'tags',
    scalars: { array_data: { data: [{ long_data: { data: [BIG] } }, { long_data: { data: [] } }], element_type: 5 } },
  },
  {
    type: 23,
    field_name: '$meta',
    is_dynamic: true,
    scalars: { json_data: { data: [text('{"__proto__":1,"extra":9007199254740993}'), text('{}')] } },
  },
]

const dataPath: WireHandlers = {
  Insert: {
    kind: 'dml',
    run: async (request) => ((seen.insert = request), { insert_cnt: BigInt(request.num_rows), IDs: { int_id: { data: [BIG, 2n] } } }),
  },
  Upsert: { kind: 'dml', run: async (request) => ((seen.upsert = request), { upsert_cnt: 1n, IDs: { str_id: { data: ['k'] } } }) },
  Delete: { kind: 'dml', run: async (request) => ((seen.delete = request), { delete_cnt: 3n }) },
  Query: {
    kind: 'dql',
    run: async (request) => {
      seen.query = request
      if (request.output_fields.includes('count(*)'))
        return { fields_data: [{ type: 5, field_name: 'count(*)', scalars: { long_data: { data: [7n] } } }] }
      return { fields_data: columns }
    },
  },
  Search: {
    kind: 'dql',
    run: async (request) => {
      seen.search = request
      return {
        results: {
          num_queries: 1n,
          topks: [2n],
          scores: [0.5, 0.25],
          ids: { int_id: { data: [BIG, 2n] } },
          fields_data: columns.slice(2, 3),
          primary_field_name: 'id',
        },
      }
    },
  },
  Flush: { kind: 'dml', run: async (request) => ((seen.flush = request.collection_names), {}) },
}

let node: TestNode
let client: HttpClient
beforeAll(async () => {
  node = await openTestNode({}, dataPath)
  client = new HttpClient({ endpoint: `http://${node.address}` })
})
afterAll(() => node.close())

interface Answer {
  readonly status: number
  readonly text: string
  readonly body: { readonly code: number; readonly message?: string; readonly data?: unknown; readonly topks?: unknown }
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const raw = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`http://${node.address}/v2/vectordb/${path}`, { method: 'POST', body: raw, headers })
  const answer = await response.text()
  return { status: response.status, text: answer, body: JSON.parse(answer) as Answer['body'] }
}

const ok = { code: 0 }
const schema = {
  autoID: false,
  enableDynamicField: true,
  fields: [
    { fieldName: 'id', dataType: 'Int64', isPrimary: true },
    { fieldName: 'vector', dataType: 'FloatVector', elementTypeParams: { dim: '2' } },
    { fieldName: 'name', dataType: 'VarChar', elementTypeParams: { max_length: 10 }, nullable: true },
    { fieldName: 'tags', dataType: 'Array', elementDataType: 'Int64', elementTypeParams: { max_capacity: 4 } },
    { fieldName: 'doc', dataType: 'JSON', nullable: true },
    { fieldName: 'score', dataType: 'Float', defaultValue: 1.5 },
  ],
}

describe('metadata over REST', () => {
  it('serves the official HTTP client', async () => {
    expect(await client.createCollection({ collectionName: 'quick', dimension: 4, metricType: 'L2' })).toMatchObject(ok)
    expect(await client.hasCollection({ dbName: 'default', collectionName: 'quick' })).toMatchObject({ code: 0, data: { has: true } })
    expect(await client.listCollections()).toMatchObject({ code: 0, data: ['quick'] })
    expect(await client.describeCollection({ collectionName: 'quick' })).toMatchObject({
      code: 0,
      data: {
        collectionName: 'quick',
        fields: [
          { name: 'id', type: 'Int64', primaryKey: true, autoId: false },
          { name: 'vector', type: 'FloatVector', params: [{ key: 'dim', value: '4' }] },
        ],
        indexes: [{ indexName: 'vector', fieldName: 'vector', metricType: 'L2' }],
        load: 'LoadStateLoaded',
        enableDynamicField: true,
        consistencyLevel: 'Bounded',
        shardsNum: 1,
      },
    })
    expect(await client.getCollectionLoadState({ collectionName: 'quick' })).toMatchObject({
      data: { loadState: 'LoadStateLoaded', loadProgress: 100 },
    })
    expect(await client.getCollectionStatistics({ collectionName: 'quick' })).toMatchObject({ data: { rowCount: 0 } })
    expect(await client.createPartition({ collectionName: 'quick', partitionName: 'p' })).toMatchObject(ok)
    expect(await client.listPartitions({ collectionName: 'quick' })).toMatchObject({ data: ['_default', 'p'] })
    expect(await client.hasPartition({ collectionName: 'quick', partitionName: 'p' })).toMatchObject({ data: { has: true } })
    expect(await client.releasePartitions({ collectionName: 'quick', partitionNames: ['p'] })).toMatchObject(ok)
    expect(await client.dropPartition({ collectionName: 'quick', partitionName: 'p' })).toMatchObject(ok)
    expect(await client.createAlias({ collectionName: 'quick', aliasName: 'nick' })).toMatchObject(ok)
    expect(await client.listAliases({ dbName: 'default' })).toMatchObject({ data: ['nick'] })
    expect(await client.describeAlias({ aliasName: 'nick' })).toMatchObject({
      data: { collectionName: 'quick', aliasName: 'nick', dbName: 'default' },
    })
    expect(await client.dropAlias({ aliasName: 'nick' })).toMatchObject(ok)
    expect(await client.releaseCollection({ collectionName: 'quick' })).toMatchObject(ok)
    expect(await client.dropIndex({ collectionName: 'quick', indexName: 'vector' })).toMatchObject(ok)
    expect(await client.listIndexes({ collectionName: 'quick' })).toMatchObject({ code: 0, data: [] })
    const again = {
      collectionName: 'quick',
      indexParams: [{ fieldName: 'vector', indexName: 'ix', metricType: 'IP', indexType: 'HNSW', params: { M: 16, efConstruction: 64 } }],
    }
    expect(await client.createIndex(again as unknown as Parameters<HttpClient['createIndex']>[0])).toMatchObject(ok)
    expect(await client.describeIndex({ collectionName: 'quick', indexName: 'ix' })).toMatchObject({
      data: [{ indexName: 'ix', fieldName: 'vector', indexType: 'HNSW', metricType: 'IP', indexState: 'Finished' }],
    })
    expect(await client.dropCollection({ collectionName: 'quick' })).toMatchObject(ok)
  })

  it('creates by schema, with and without an index', async () => {
    const created = await post('collections/create', {
      collectionName: 'rows',
      schema,
      indexParams: [{ fieldName: 'vector', metricType: 'L2' }],
      params: { shardsNum: 2, ttlSeconds: 60 },
    })
    expect(created.body).toMatchObject(ok)
    const { data } = (await post('collections/describe', { collectionName: 'rows' })).body
    expect(data).toMatchObject({ shardsNum: 2, load: 'LoadStateLoaded', indexes: [{ indexName: 'vector', metricType: 'L2' }] })
    expect(data).toMatchObject({
      fields: [
        {},
        {},
        { nullable: true, params: [{ key: 'max_length', value: '10' }] },
        { elementType: 'Int64' },
        {},
        { defaultValue: 1.5 },
      ],
    })
    expect(data).toMatchObject({ properties: expect.arrayContaining([{ key: 'collection.ttl.seconds', value: '60' }]) as unknown })
    await post('collections/create', { collectionName: 'bare', schema: { ...schema, enableDynamicField: false } })
    expect((await post('collections/get_load_state', { collectionName: 'bare' })).body.data).toEqual({ loadState: 'LoadStateNotLoad' })
    expect((await post('collections/flush', { collectionName: 'bare' })).body).toMatchObject({ code: 0, data: {} })
    expect(seen.flush).toEqual(['bare'])
  })

  it('keeps databases apart by body and by header', async () => {
    expect((await post('databases/create', { dbName: 'other' })).body).toMatchObject(ok)
    expect((await post('databases/list', {})).body.data).toEqual(['default', 'other'])
    expect((await post('collections/list', {}, { 'DB-Name': 'other' })).body.data).toEqual([])
    expect((await post('collections/list', { dbName: 'default' }, { 'DB-Name': 'other' })).body.data).toContain('rows')
    expect((await post('databases/drop', { dbName: 'other' })).body).toMatchObject(ok)
    expect((await post('collections/list', { dbName: 'other' })).body).toMatchObject({ code: 800 })
  })
})

describe('rows over REST', () => {
  const row = { id: 1, vector: [0.5, 1], tags: [1, '2'], name: null, doc: { a: [1] }, extra: true }

  it('inserts: exact integers, nulls, defaults, dynamic keys', async () => {
    const body = `{"collectionName":"rows","partitionName":"_default","data":[{"id":${BIG},"vector":[0.5,1],"tags":[${BIG}],"name":"n","doc":{"deep":${BIG}},"x":${BIG},"__proto__":5},{"id":"2","vector":[1,2],"tags":[]}]}`
    const answer = await post('entities/insert', body)
    expect(answer.body).toMatchObject({ code: 0, data: { insertCount: 2, insertIds: [String(BIG), '2'] } })
    const request = seen.insert
    expect(request).toMatchObject({ collection_name: 'rows', partition_name: '_default', num_rows: 2 })
    expect(request?.schema_timestamp).toBeGreaterThan(0n)
    const byName = new Map(request?.fields_data.map((field) => [field.field_name, field]))
    expect([...byName.keys()]).toEqual(['id', 'vector', 'name', 'tags', 'doc', '$meta'])
    expect(byName.get('id')?.scalars?.long_data?.data).toEqual([BIG, 2n])
    expect(byName.get('vector')?.vectors).toMatchObject({ dim: 2n, float_vector: { data: [0.5, 1, 1, 2] } })
    expect(byName.get('name')).toMatchObject({ valid_data: [true, false], scalars: { string_data: { data: ['n'] } } })
    expect(byName.get('tags')?.scalars?.array_data?.data.map((cell) => cell.long_data?.data)).toEqual([[BIG], []])
    expect(new TextDecoder().decode(byName.get('doc')?.scalars?.json_data?.data[0])).toBe(`{"deep":${BIG}}`)
    expect(byName.get('$meta')?.scalars?.json_data?.data.map((bytes) => new TextDecoder().decode(bytes))).toEqual([
      `{"x":${BIG},"__proto__":5}`,
      '{}',
    ])
    expect((await post('entities/insert', { collectionName: 'rows', data: row })).body).toMatchObject(ok)
  })

  it('says which row is wrong', async () => {
    const bad: [object, string][] = [
      [{ ...row, vector: [1] }, 'row 0: field vector: expected 2 numbers'],
      [{ ...row, vector: ['a', 'b'] }, 'expected a number'],
      [{ ...row, id: 1.5 }, 'a 64-bit integer'],
      [{ ...row, id: '99999999999999999999' }, 'a 64-bit integer'],
      [{ ...row, tags: 3 }, 'expected an array'],
      [{ ...row, name: 5 }, 'expected a string'],
      [{ ...row, id: undefined }, 'missing field id'],
    ]
    for (const [data, message] of bad) {
      expect((await post('entities/insert', { collectionName: 'rows', data: [data] })).body).toMatchObject({
        code: 1804,
        message: expect.stringContaining(message) as unknown,
      })
    }
    expect((await post('entities/insert', { collectionName: 'rows', data: [1] })).body).toMatchObject({ code: 1804 })
    expect((await post('entities/insert', { collectionName: 'bare', data: [row] })).body).toMatchObject({
      code: 1804,
      message: expect.stringContaining('no dynamic field') as unknown,
    })
  })

  it('upserts and deletes, with templates as values', async () => {
    expect((await post('entities/upsert', { collectionName: 'rows', data: [row] })).body).toMatchObject({
      data: { upsertCount: 1, upsertIds: ['k'] },
    })
    const answer = await post('entities/delete', {
      collectionName: 'rows',
      filter: 'id in {ids} and name == {n}',
      exprParams: { ids: [1, 2], n: '" or 1 == 1' },
    })
    expect(answer.body).toMatchObject({ code: 0, data: { deleteCount: 3 } })
    expect(seen.delete).toMatchObject({
      expr: 'id in {ids} and name == {n}',
      expr_template_values: { ids: { array_val: { long_data: { data: [1n, 2n] } } }, n: { string_val: '" or 1 == 1' } },
    })
  })

  it('gives rows back, ids as text or as numbers', async () => {
    const answer = await post('entities/query', { collectionName: 'rows', filter: 'id > 0', limit: 5, offset: 2 })
    expect(answer.body.data).toEqual([
      JSON.parse(`{"id":"${BIG}","vector":[1,2],"name":"a","tags":["${BIG}"],"__proto__":1,"extra":${BIG}}`),
      { id: '2', vector: [3, 4], name: null, tags: [] },
    ])
    expect(seen.query).toMatchObject({
      output_fields: ['*'],
      query_params: [
        { key: 'limit', value: '5' },
        { key: 'offset', value: '2' },
      ],
      use_default_consistency: true,
    })
    const exact = await post('entities/query', { collectionName: 'rows', filter: '' }, { 'Accept-Type-Allow-Int64': 'true' })
    expect(exact.text).toContain(`"id":${BIG}`)
    expect(exact.text).toContain(`"tags":[${BIG}]`)
    expect((await post('entities/query', { collectionName: 'rows', outputFields: ['count(*)'] })).body.data).toEqual([{ 'count(*)': 7 }])
    expect(seen.query?.query_params).toEqual([])
  })

  it('gets by key', async () => {
    expect((await post('entities/get', `{"collectionName":"rows","id":[${BIG},"2"]}`)).body).toMatchObject(ok)
    expect(seen.query).toMatchObject({
      expr: 'id in {ids}',
      expr_template_values: { ids: { array_val: { long_data: { data: [BIG, 2n] } } } },
    })
    expect((await post('entities/get', { collectionName: 'rows', id: 'x' })).body).toMatchObject({ code: 1806 })
  })

  it('searches', async () => {
    const answer = await post('entities/search', {
      collectionName: 'rows',
      data: [[1, 2]],
      limit: 2,
      outputFields: ['name'],
      searchParams: { metricType: 'L2', params: { ef: 64 } },
    })
    expect(answer.body).toMatchObject({
      code: 0,
      topks: [2],
      data: [
        { name: 'a', distance: 0.5, id: String(BIG) },
        { name: null, distance: 0.25, id: '2' },
      ],
    })
    expect(seen.search).toMatchObject({ nq: 1n, dsl_type: 1, output_fields: ['name'] })
    expect(seen.search?.search_params).toEqual(
      expect.arrayContaining([
        { key: 'anns_field', value: 'vector' },
        { key: 'topk', value: '2' },
        { key: 'metric_type', value: 'L2' },
        { key: 'params', value: '{"ef":64}' },
        { key: 'ef', value: '64' },
      ]),
    )
    expect(Buffer.from(seen.search?.placeholder_group ?? []).includes(Buffer.from(Float32Array.of(1, 2).buffer))).toBe(true)
    await post('entities/search', { collectionName: 'rows', ids: [1, 2] })
    expect(seen.search).toMatchObject({ nq: 2n, ids: { int_id: { data: [1n, 2n] } } })
    expect((await post('entities/search', { collectionName: 'rows', data: [[1]] })).body).toMatchObject({ code: 1803 })
    expect((await post('entities/search', { collectionName: 'rows' })).body).toMatchObject({ code: 1802 })
  })
})
