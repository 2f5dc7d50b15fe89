import { expect, test } from 'vitest'
import { encodeFieldBytes, encodeFieldData, encodeQueryResults, encodeSearchResults, rowsFromJson } from '../../src/codec/index.ts'
import { DataType } from '../../src/model/schema.ts'
import { field, samples, schemaOf } from './samples.ts'
import { decode, encode } from './wire.ts'

const pk = field('id', DataType.Int64, { isPrimary: true })
const meta = field('$meta', DataType.JSON, { isDynamic: true })

function rowsOf(nullable: boolean) {
  const all = samples(nullable)
  const schema = schemaOf(pk, ...all.map((sample) => sample.field), meta)
  const rows = [0, 1, 2].map((row) =>
    Object.fromEntries([['id', [-1n, 0n, 9223372036854775807n][row]], ['extra', row], ...(nullable && row === 1 ? [] : all.map((sample) => [sample.field.name, sample.rows[row]]))]),
  )
  return { schema, columns: rowsFromJson(rows, schema).columns }
}

test.each([false, true])('fields as bytes are the fields as objects (nullable: %s)', (nullable) => {
  const { schema, columns } = rowsOf(nullable)
  for (const f of schema.fields) {
    const column = columns.get(f.id)
    if (column === undefined) throw new Error(f.name)
    for (const rows of [[0, 1, 2], [2, 0, 2, 2], [1], [], Uint32Array.of(1, 0)]) {
      const expected = decode('schema.FieldData', encode('schema.FieldData', encodeFieldData(f, column, rows)))
      expect(decode('schema.FieldData', encodeFieldBytes(f, column, rows))).toEqual(expected)
    }
  }
})

test('results around them', () => {
  const { schema, columns } = rowsOf(true)
  const rows = [2, 0]
  const bytes: Uint8Array[] = []
  const objects: object[] = []
  for (const f of schema.fields) {
    const column = columns.get(f.id)
    if (column === undefined) continue
    bytes.push(encodeFieldBytes(f, column, rows))
    objects.push(encodeFieldData(f, column, rows))
  }
  const results = { num_queries: 1n, top_k: 2n, topks: [2n], scores: [0.5, 0.25], ids: { int_id: { data: [1n, -2n] } }, output_fields: ['id', 'ä'], primary_field_name: 'id' }
  const search = { status: { code: 0 }, collection_name: 'c', session_ts: 5n }
  expect(decode('milvus.SearchResults', encodeSearchResults({ ...search, results }, bytes))).toEqual(
    decode('milvus.SearchResults', encode('milvus.SearchResults', { ...search, results: { ...results, fields_data: objects } })),
  )
  expect(decode('milvus.SearchResults', encodeSearchResults({ ...search, results }, []))).toEqual(decode('milvus.SearchResults', encode('milvus.SearchResults', { ...search, results })))
  const query = { status: { code: 0 }, collection_name: 'c', output_fields: ['id'] }
  expect(decode('milvus.QueryResults', encodeQueryResults(query, bytes))).toEqual(decode('milvus.QueryResults', encode('milvus.QueryResults', { ...query, fields_data: objects })))
})

test('a search result is the same bytes of information, whatever it has', () => {
  const some: Parameters<typeof encodeSearchResults>[0][] = [
    {},
    { results: null, collection_name: 'c' },
    { results: {} },
    { status: { error_code: 1, code: 65535, reason: 'no', retriable: true }, session_ts: 0xffff_ffff_ffff_fff0n },
    { results: { num_queries: 3n, top_k: -1n, topks: [0n, 300n, 1n], ids: { int_id: { data: [] } }, scores: [] } },
    { results: { ids: { str_id: { data: ['', 'ä', 'x'.repeat(300)] } }, scores: [NaN, -Infinity, 1e-30], primary_field_name: 'é', output_fields: ['', 'a'] } },
    { results: { ids: { int_id: { data: [-1n, 2n ** 63n - 1n, -(2n ** 63n)] } }, all_search_count: 2n ** 40n, recalls: [0.5], search_iterator_v2_results: { token: 't', last_bound: 1.5 } } },
  ]
  for (const message of some) {
    expect(decode('milvus.SearchResults', encodeSearchResults(message, []))).toEqual(decode('milvus.SearchResults', encode('milvus.SearchResults', message)))
  }
})
