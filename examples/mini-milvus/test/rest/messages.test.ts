/** JSON to messages of any type: what is read, and what is refused with its place. */
import { describe, expect, it } from 'vitest'
import { fillMessage } from '../../src/rest/message-in.ts'
import { messageToJson } from '../../src/rest/message-out.ts'
import { completeMessage, decodeMessage, encodeMessage, type MessageName, messageTypeOf } from '../../src/wire/index.ts'

const fill = (name: MessageName, values: Record<string, unknown>) => fillMessage(messageTypeOf(name), values, '')

describe('JSON to a message', () => {
  it('takes names in both cases, enums by name or number, text for numbers, one for a list', () => {
    expect(fill('milvus.LoadPartitionsRequest', { collectionName: 'c', partition_names: 'p', replicaNumber: '2', refresh: 'true', unknown: [{}] })).toEqual({
      collection_name: 'c',
      partition_names: ['p'],
      replica_number: 2,
      refresh: true,
    })
    expect(fill('milvus.ShowCollectionsRequest', { type: 'InMemory', time_stamp: '7' })).toEqual({ type: 1, time_stamp: 7n })
    expect(fill('schema.FieldSchema', { data_type: 'FloatVector', autoID: true, is_primary_key: false })).toEqual({ data_type: 101, autoID: true, is_primary_key: false })
  })

  it('keeps 64 bits, and knows which of them are signed', () => {
    const [big, small] = [2n ** 63n - 1n, -(2n ** 63n)]
    for (const value of [big, small, String(big), 5]) expect(fill('milvus.GetCompactionStateRequest', { compactionID: value })).toEqual({ compactionID: BigInt(value) })
    const request = encodeMessage('milvus.GetCompactionStateRequest', fill('milvus.GetCompactionStateRequest', { compactionID: String(small) }))
    expect(decodeMessage('milvus.GetCompactionStateRequest', request)).toEqual({ compactionID: small })
    for (const value of [2n ** 63n, '9223372036854775808', '1.5', 1.5, 2 ** 60 + 1e10, '', 'x', true, {}]) {
      expect(() => fill('milvus.GetCompactionStateRequest', { compactionID: value })).toThrow(/compactionID: expected a 64-bit integer/)
    }
    expect(fill('milvus.ShowCollectionsRequest', { time_stamp: 2n ** 64n - 1n })).toEqual({ time_stamp: 2n ** 64n - 1n })
    expect(() => fill('milvus.ShowCollectionsRequest', { time_stamp: -1 })).toThrow(/time_stamp/)
  })

  it('reads pairs as a list or as an object, with JSON in text', () => {
    const pairs = [
      { key: 'index_type', value: 'HNSW' },
      { key: 'params', value: '{"M":16}' },
    ]
    expect(fill('milvus.CreateIndexRequest', { extra_params: pairs })).toEqual({ extra_params: pairs })
    expect(fill('milvus.CreateIndexRequest', { extraParams: { index_type: 'HNSW', params: { M: 16 } } })).toEqual({ extra_params: pairs })
    expect(fill('milvus.GetMetricsRequest', { request: { metric_type: 'system_info' } })).toEqual({ request: '{"metric_type":"system_info"}' })
  })

  it('says where what was wrong', () => {
    expect(() => fill('milvus.CreateIndexRequest', { extra_params: [{ key: 'a' }, 5] })).toThrow(/extra_params\[1\]: expected an object/)
    expect(() => fill('milvus.CreateCollectionRequest', { shards_num: 2 ** 31 })).toThrow(/shards_num: expected an integer in/)
    expect(() => fill('milvus.LoadPartitionsRequest', { refresh: 'yes' })).toThrow(/refresh: expected a boolean/)
    expect(() => fill('milvus.SearchRequest', { placeholder_group: [1] })).toThrow(/placeholder_group: expected bytes in base64/)
    expect(() => fill('milvus.SearchRequest', { expr_template_values: [] })).toThrow(/expr_template_values: expected an object/)
    expect(() => fill('milvus.SearchRequest', { expr_template_values: { a: 5 } })).toThrow(/expr_template_values\.a: expected an object/)
  })

  it('makes no property of a name that is no field', () => {
    const message = fill('milvus.HasCollectionRequest', JSON.parse('{"__proto__":{"x":1},"constructor":1,"toString":2}') as Record<string, unknown>)
    expect(message).toEqual({})
    expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
  })
})

describe('a message to JSON', () => {
  it('has int64 as asked, bytes in base64, and leaves out what is unset', () => {
    const message = completeMessage('milvus.MutationResult', { insert_cnt: 2n ** 60n, IDs: { int_id: { data: [1n] } } })
    expect(messageToJson(message, false)).toMatchObject({ insert_cnt: '1152921504606846976', IDs: { int_id: { data: ['1'] } }, acknowledged: false })
    expect(messageToJson(message, true)).toMatchObject({ insert_cnt: 2n ** 60n })
    expect(messageToJson(message, true)).not.toHaveProperty('status')
    expect(messageToJson({ data: Uint8Array.of(1, 2, 255) }, true)).toEqual({ data: 'AQL/' })
  })
})
