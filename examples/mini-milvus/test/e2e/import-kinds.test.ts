/** Imports into collections of every kind: made keys, partition keys, full text, defaults; and jobs that end by themselves. */
import { DataType, FunctionType, type MilvusClient } from '@zilliz/milvus2-sdk-node'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { npy } from '../bulk/samples.ts'
import { startTestNode, type TestNode } from './support.ts'

let folder: string
let test: TestNode
let client: MilvusClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-kinds-'))
  test = await startTestNode({ inMemory: true, parameters: { 'import.path': folder, 'import.maxFileBytes': '1m', 'import.maxFiles': 3, 'import.retention': '1s' } })
  client = test.client
})
afterAll(async () => {
  await test.close()
  await rm(folder, { recursive: true, force: true })
})

async function put(path: string, data: string | Uint8Array): Promise<string> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), data)
  return path
}

/** @returns why it failed, '' where it did not */
async function run(collection_name: string, files: string[], options?: Record<string, string>): Promise<string> {
  const { status, tasks } = await client.bulkInsert({ collection_name, files, ...(options === undefined ? {} : { options: Object.entries(options).map(([key, value]) => ({ key, value })) as never }) })
  if (status.error_code !== 'Success') return status.reason
  for (;;) {
    const { state, infos } = (await client.getImportState({ task: tasks[0] as number })) as unknown as { state: string; infos: { key: string; value: string }[] }
    if (state === 'ImportCompleted') return ''
    if (state === 'ImportFailed') return infos.find(({ key }) => key === 'failed_reason')?.value ?? 'no reason'
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const vec = { name: 'vec', data_type: DataType.FloatVector, dim: 2 }

async function create(collection_name: string, fields: object[], more: object = {}): Promise<void> {
  expect((await client.createCollection({ collection_name, fields: fields as never, ...more })).reason).toBe('')
  await client.createIndex({ collection_name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
}

describe('imports', () => {
  it('make keys where the collection does, fill defaults, and route by partition key', async () => {
    const fields = [{ name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true }, vec, { name: 'tenant', data_type: DataType.VarChar, max_length: 16, is_partition_key: true }, { name: 'n', data_type: DataType.Int32, default_value: 7 }]
    await create('keyed', fields, { num_partitions: 4, shards_num: 2 })
    const lines = Array.from({ length: 500 }, (_, i) => `"[${i},1]",t${i % 10},${i % 2 === 0 ? i : ''}`)
    expect(await run('keyed', [await put('keyed.csv', ['vec,tenant,n', ...lines].join('\n'))])).toBe('')
    await client.loadCollectionSync({ collection_name: 'keyed' })
    const { data } = await client.query({ collection_name: 'keyed', filter: 'tenant == "t3"', output_fields: ['id', 'vec', 'n'], limit: 100 })
    expect(data).toHaveLength(50)
    expect(data.every(({ n }) => n === 7)).toBe(true)
    expect(new Set(data.map(({ id }) => id as string)).size).toBe(50)
    expect((await client.search({ collection_name: 'keyed', data: [[44, 1]], limit: 1, filter: 'tenant == "t4"', output_fields: ['n'] })).results[0]).toMatchObject({ n: 44, score: 0 })
    expect(await run('keyed', [await put('given.json', '[{"id":1,"vec":[1,2],"tenant":"a"}]')])).toMatch(/can not assign primary field data/)
  })

  it('compute BM25, so that imported texts are found', async () => {
    const fields = [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, vec, { name: 'text', data_type: DataType.VarChar, max_length: 200, enable_analyzer: true }, { name: 'terms', data_type: DataType.SparseFloatVector }]
    await create('texts', fields, { functions: [{ name: 'bm25', type: FunctionType.BM25, input_field_names: ['text'], output_field_names: ['terms'], params: {} }] })
    await client.createIndex({ collection_name: 'texts', field_name: 'terms', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'BM25' })
    const texts = ['red fox', 'blue whale', 'red whale sings', 'green parrot']
    expect(await run('texts', [await put('texts.json', JSON.stringify(texts.map((text, id) => ({ id, text, vec: [id, 0] }))))])).toBe('')
    await client.loadCollectionSync({ collection_name: 'texts' })
    const found = await client.search({ collection_name: 'texts', anns_field: 'terms', data: 'blue whale', limit: 2, output_fields: ['text'] })
    expect(found.results.map(({ text }) => text as string)).toEqual(['blue whale', 'red whale sings'])
    expect(await run('texts', [await put('more.json', '[{"id":9,"text":"x","vec":[1,2],"terms":{"1":1}}]')])).toMatch(/not allowed to provide input data for function output field/)
  })

  it('take columns of NumPy, into a partition that is named', async () => {
    await create('columns', [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, vec])
    await client.createPartition({ collection_name: 'columns', partition_name: 'mine' })
    await put('np/id.npy', npy('<i8', [3], new Uint8Array(BigInt64Array.of(5n, 3n, 4n).buffer)))
    await put('np/vec.npy', npy('<f4', [3, 2], new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)))
    const { tasks } = await client.bulkInsert({ collection_name: 'columns', partition_name: 'mine', files: ['np/id.npy', 'np/vec.npy'] })
    expect(tasks).toHaveLength(1)
    await client.loadCollectionSync({ collection_name: 'columns' })
    for (;;) if ((await client.getImportState({ task: tasks[0] as number })).state === ('ImportCompleted' as never)) break
    const { data } = await client.query({ collection_name: 'columns', filter: 'id > 0', partition_names: ['mine'], output_fields: ['id', 'vec'] })
    expect(data).toEqual([{ id: '3', vec: [3, 4] }, { id: '4', vec: [5, 6] }, { id: '5', vec: [1, 2] }])
  })

  it('keep their limits: bytes, files, time, options', async () => {
    await create('limits', [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, vec])
    const small = await put('small.json', '[{"id":1,"vec":[1,2]}]')
    expect(await run('limits', [await put('large.json', ' '.repeat(1024 * 1024 + 1))])).toMatch(/large\.json: has 1048577 bytes, more than the limit of 1048576/)
    expect(await run('limits', ['1.json', '2.json', '3.json', '4.json'])).toMatch(/should not exceed 3, but got 4/)
    expect(await run('limits', [small, small])).toMatch(/named twice/)
    expect(await run('limits', [])).toMatch(/names no files|File/i)
    expect(await run('limits', [small], { timeout: '0s' })).toBe('import timeout')
    expect(await run('limits', [small], { timeout: 'soon' })).toMatch(/expected `timeout` to be a duration such as 300s/)
    expect(await run('limits', [small], { backup: 'true' })).toMatch(/backup is not served/)
    expect(await run('limits', [small], { sep: 'ab' })).toMatch(/unsupported csv separator/)
    expect(await run('missing', [small])).toMatch(/collection not found/)
    expect(await run('limits', [small])).toBe('')
  })
})
