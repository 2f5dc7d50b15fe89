/** Bad requests of a client that means well: Milvus's codes, and a message that says what was wrong. */
import { DataType } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeMessage } from '../../src/wire/index.ts'
import { rawClient, type RawClient } from './raw-client.ts'
import { startTestNode, type TestNode } from './support.ts'

const collection_name = 'strict'

describe('bad requests', () => {
  let test: TestNode
  let raw: RawClient
  beforeAll(async () => {
    test = await startTestNode()
    raw = rawClient(test.node.address)
    const { client } = test
    const fields = [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'vec', data_type: DataType.FloatVector, dim: 4 },
      { name: 'name', data_type: DataType.VarChar, max_length: 4 },
      { name: 'n', data_type: DataType.Int8 },
    ]
    const index_params = [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }]
    await client.createCollection({ collection_name, fields, index_params, consistency_level: 'Strong' })
    await client.loadCollectionSync({ collection_name })
    await client.createCollection({ collection_name: 'unloaded', fields, index_params })
    await client.releaseCollection({ collection_name: 'unloaded' })
    await client.insert({ collection_name, data: [{ id: 1, vec: [1, 2, 3, 4], name: 'a', n: 1 }] })
  })
  afterAll(async () => {
    raw.close()
    await test.close()
  })

  const params = (more: Record<string, string> = {}) => Object.entries({ anns_field: 'vec', topk: '3', params: '{}', ...more }).map(([key, value]) => ({ key, value }))
  const vector = (...values: number[]): Uint8Array => encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type: 101, values: [new Uint8Array(Float32Array.from(values).buffer)] }] })
  const search = (more: object = {}) => ({ collection_name, dsl: '', placeholder_group: vector(1, 2, 3, 4), nq: 1n, search_params: params(), output_fields: ['id'], ...more })
  const query = (more: object = {}) => ({ collection_name, expr: 'id > 0', output_fields: ['id'], ...more })
  const column = (name: string, type: number, scalars: object) => ({ type, field_name: name, scalars })
  const vec = (values: readonly number[], dim = 4) => ({ type: 101, field_name: 'vec', vectors: { dim: BigInt(dim), float_vector: { data: values } } })
  const id = column('id', 5, { long_data: { data: [9n] } })
  const name = column('name', 21, { string_data: { data: ['x'] } })
  const n = column('n', 2, { int_data: { data: [1] } })
  const insert = (fields: readonly object[], more: object = {}) => ({ collection_name, num_rows: 1, fields_data: fields, ...more })

  it.each<[string, string, object, number, RegExp]>([
    ['an unknown collection', 'Search', search({ collection_name: 'nowhere' }), 100, /collection not found.*nowhere/],
    ['an unknown collection in a query', 'Query', query({ collection_name: 'nowhere' }), 100, /collection not found.*nowhere/],
    ['an unknown collection in an insert', 'Insert', insert([id], { collection_name: 'nowhere' }), 100, /nowhere/],
    ['an unknown database', 'Query', query({ db_name: 'no_db' }), 800, /database not found.*no_db/],
    ['an unknown partition', 'Search', search({ partition_names: ['p'] }), 200, /partition not found.*p/],
    ['a collection that is not loaded', 'Search', search({ collection_name: 'unloaded' }), 101, /not loaded.*unloaded/],
    ['a query that is not loaded', 'Query', query({ collection_name: 'unloaded' }), 101, /not loaded/],
    ['a wrong dimension', 'Search', search({ placeholder_group: vector(1, 2, 3) }), 1100, /dimension.*16.*12/],
    ['no vector', 'Search', search({ placeholder_group: encodeMessage('common.PlaceholderGroup', { placeholders: [] }) }), 1100, /nq/],
    ['vectors of another type', 'Search', search({ placeholder_group: encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type: 100, values: [new Uint8Array(16)] }] }) }), 1100, /type/],
    ['garbage as vectors', 'Search', search({ placeholder_group: Uint8Array.of(255, 255, 255) }), 1100, /PlaceholderGroup/],
    ['an unknown vector field', 'Search', search({ search_params: params({ anns_field: 'nope' }) }), 1100, /nope/],
    ['another metric than the index has', 'Search', search({ search_params: params({ metric_type: 'COSINE' }) }), 1100, /expected=L2.*actual=COSINE/],
    ['topk 0', 'Search', search({ search_params: params({ topk: '0' }) }), 1100, /topk \[0\]/],
    ['topk beyond the limit', 'Search', search({ search_params: params({ topk: '16385' }) }), 1100, /topk \[16385\]/],
    ['a limit of 0', 'Query', query({ query_params: [{ key: 'limit', value: '0' }] }), 1100, /limit \[0\]/],
    ['no filter and no limit', 'Query', query({ expr: '' }), 1100, /empty expression should be used with limit/],
    ['an unknown output field', 'Query', query({ output_fields: ['colour'] }), 1100, /colour/],
    ['an unknown group field', 'Search', search({ search_params: params({ group_by_field: 'colour' }) }), 1100, /colour/],
    ['an order that is none', 'Query', query({ query_params: [{ key: 'order_by_fields', value: 'id:sideways' }] }), 1100, /sideways/],
    ['a filter that ends early, with a caret', 'Query', query({ expr: 'id > ' }), 1100, /cannot parse expression[\s\S]*id > [\s\S]*\^/],
    ['a filter on a field that is not there', 'Query', query({ expr: 'colour == "red"' }), 1100, /colour[\s\S]*\^/],
    ['a filter of types that do not compare', 'Query', query({ expr: 'name > 5' }), 1100, /\^/],
    ['a template without its value', 'Query', query({ expr: 'id == {x}' }), 1100, /\{x\} is not found/],
    ['a delete of everything by accident', 'Delete', { collection_name, expr: '' }, 1100, /filter/],
    ['a missing field', 'Insert', insert([id, name, n]), 1100, /vec/],
    ['a field that the schema lacks', 'Insert', insert([id, name, n, vec([1, 2, 3, 4]), column('more', 5, { long_data: { data: [1n] } })]), 1100, /more/],
    ['vectors of a wrong dimension', 'Insert', insert([id, name, n, vec([1, 2, 3], 3)]), 1100, /dim/],
    ['text that is too long', 'Insert', insert([id, column('name', 21, { string_data: { data: ['xxxxx'] } }), n, vec([1, 2, 3, 4])]), 1100, /name exceeds max length.*5.*4/],
    ['a number out of range', 'Insert', insert([id, name, column('n', 2, { int_data: { data: [128] } }), vec([1, 2, 3, 4])]), 1100, /128/],
    ['NaN in a vector', 'Insert', insert([id, name, n, vec([1, Number.NaN, 3, 4])]), 1100, /not a number or infinity/],
    ['fields of different lengths', 'Insert', insert([id, name, column('n', 2, { int_data: { data: [1, 2] } }), vec([1, 2, 3, 4])]), 1100, /num_rows/],
    ['an empty insert', 'Insert', { collection_name, num_rows: 0, fields_data: [] }, 1100, /./],
    ['a schema that has changed', 'Insert', insert([id, name, n, vec([1, 2, 3, 4])], { schema_timestamp: 5n }), 109, /schema mismatch/],
    ['an index on a field that is not there', 'CreateIndex', { collection_name, field_name: 'nope', extra_params: [] }, 1100, /nope/],
    ['an alias that is taken by a collection', 'CreateAlias', { collection_name, alias: 'unloaded' }, 1601, /unloaded/],
    ['a name that is none', 'CreatePartition', { collection_name, partition_name: 'a b' }, 1100, /a b/],
    ['a compaction to less than a segment', 'ManualCompaction', { collection_name, target_size: 1n }, 1100, /targetSize 1 MB/],
    ['a metric that is unknown', 'GetMetrics', { request: '{"metric_type":"weather"}' }, 1100, /weather/],
    ['a method that is not served', 'CreateNamespace', { collection_name: 'c' }, 10, /not served/],
  ])('%s', async (_title, method, request, code, reason) => {
    const answer = await raw.call(method, request)
    const status = (answer['status'] ?? answer) as { code: number; reason: string; error_code: number }
    expect(status.reason).toMatch(reason)
    expect(status.code).toBe(code)
    expect(status.error_code).not.toBe(0)
  })

  it('leave nothing behind', async () => {
    const { client } = test
    const found = await client.query({ collection_name, filter: 'id >= 0', output_fields: ['id', 'name', 'n'] })
    expect(found.data).toEqual([{ id: '1', name: 'a', n: 1 }])
  })
})
