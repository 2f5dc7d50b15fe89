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
