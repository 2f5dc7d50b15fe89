/** Export and import by the program: every type there and back, at one moment, and a node that is killed while it imports. */
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createParquetWriter } from '../../src/bulk/parquet-writer.ts'
import type { CollectionSchema } from '../../src/model/schema.ts'
import { DataType as Type } from '../../src/model/schema.ts'
import { field, joinBytes, toBatch } from '../bulk/samples.ts'
import { runProgram, startProgram, type RunningProgram } from './running-program.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-bulk-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function connect({ address }: RunningProgram): Promise<MilvusClient> {
  const client = new MilvusClient({ address, logLevel: 'error' })
  await client.connectPromise
  return client
}

const fields = [
  { name: 'id', data_type: DataType.Int64, is_primary_key: true },
  { name: 'vec', data_type: DataType.FloatVector, dim: 4 },
  { name: 'bits', data_type: DataType.BinaryVector, dim: 16 },
  { name: 'half', data_type: DataType.Float16Vector, dim: 4 },
  { name: 'sparse', data_type: DataType.SparseFloatVector },
  { name: 'name', data_type: DataType.VarChar, max_length: 64, nullable: true },
  { name: 'doc', data_type: DataType.JSON, nullable: true },
  { name: 'list', data_type: DataType.Array, element_type: DataType.Int64, max_capacity: 8 },
  { name: 'day', data_type: DataType.Timestamptz, nullable: true },
]
const output_fields = [...fields.map(({ name }) => name), '$meta']
const rowOf = (i: number): Record<string, unknown> => ({
  id: String(9_007_199_254_740_993n + BigInt(i)),
  vec: [i, 0.5, -1, 2],
  bits: [i & 0xff, 7],
  half: [0.5, 1, 1.5, i % 64],
  sparse: { '3': 0.5, '900000': i },
  name: i % 3 === 0 ? null : `name ${i}`,
  doc: i % 5 === 0 ? null : { i, text: '"quoted"\n' },
  list: [String(i), '-9223372036854775808'],
  day: i % 7 === 0 ? null : '2025-05-01T10:00:00Z',
  color: i % 2 === 0 ? 'red' : 'blue',
})

async function create(client: MilvusClient, collection_name: string, more: object = {}): Promise<void> {
  expect((await client.createCollection({ collection_name, fields, enable_dynamic_field: true, ...more })).reason).toBe('')
  for (const [field_name, index_type, metric_type] of [['vec', 'FLAT', 'L2'], ['bits', 'BIN_FLAT', 'HAMMING'], ['half', 'FLAT', 'L2'], ['sparse', 'SPARSE_INVERTED_INDEX', 'IP']] as const) {
    await client.createIndex({ collection_name, field_name, index_type, metric_type })
  }
  await client.loadCollectionSync({ collection_name })
}

const all = async (client: MilvusClient, collection_name: string): Promise<unknown[]> => (await client.query({ collection_name, filter: 'id > 0', output_fields, limit: 16_000 })).data

describe('the program', () => {
  it.each(['ndjson', 'parquet'] as const)('exports %s and imports it again, whatever the types', async (format) => {
    const data = join(folder, `data-${format}`)
    const node = await startProgram(['--data-dir', data])
    const client = await connect(node)
    await create(client, 'source', { shards_num: 2 })
    const inserted = await client.insert({ collection_name: 'source', data: Array.from({ length: 3000 }, (_, i) => rowOf(i)) as never })
    expect(inserted.status.reason).toBe('')
    await client.delete({ collection_name: 'source', filter: 'id in [9007199254740994, 9007199254740995]' })
    const before = await all(client, 'source')
    const file = join(folder, `out.${format}`)
    const exported = await runProgram(['export', 'source', '--format', format, '--address', node.address, '--output', file])
    expect(exported).toMatchObject({ code: 0, stderr: '' })
    await mkdir(join(data, 'objects', 'import'), { recursive: true })
    await writeFile(join(data, 'objects', 'import', `in.${format}`), await readFile(file))
    await create(client, 'copy')
    const imported = await runProgram(['import', 'copy', `in.${format}`, '--address', node.address])
    expect(imported).toMatchObject({ code: 0, stdout: `${before.length} rows\n` })
    expect(await all(client, 'copy')).toEqual(before)
    expect(await runProgram(['import', 'copy', 'missing.json', '--address', node.address])).toMatchObject({ code: 5, stderr: expect.stringContaining('missing.json: there is no such file') as string })
    await client.closeConnection()
    expect(await node.stop()).toBe(0)
  }, 120_000)

  it('an export is of one moment, whatever is deleted and compacted while it is read', async () => {
    const node = await startProgram(['--data-dir', join(folder, 'moment'), '--set', 'compaction.minSegments=2'])
    const client = await connect(node)
    await create(client, 'busy')
    for (let part = 0; part < 4; part++) {
      await client.insert({ collection_name: 'busy', data: Array.from({ length: 1500 }, (_, i) => rowOf(part * 1500 + i)) as never })
      await client.flushSync({ collection_names: ['busy'] })
    }
    let running = true
    const deleting = (async () => {
      for (let i = 0; running && i < 6000; i += 20) await client.delete({ collection_name: 'busy', filter: `id in [${Array.from({ length: 20 }, (_, at) => String(9_007_199_254_740_993n + BigInt(i + at))).join(',')}]` })
    })()
    const file = join(folder, 'moment.ndjson')
    const exported = await runProgram(['export', 'busy', '--address', node.address, '--output', file])
    running = false
    await deleting
    expect(exported).toMatchObject({ code: 0 })
    const ids = (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => BigInt(/"id":(\d+)/.exec(line)?.[1] ?? '0') - 9_007_199_254_740_993n)
    // Deletes go from the first row on, twenty at a time: what one moment sees is the rest, without a hole.
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length % 20).toBe(0)
    const sorted = ids.map(Number).sort((a, b) => a - b)
    expect(sorted).toEqual(Array.from({ length: ids.length }, (_, i) => 6000 - ids.length + i))
    await client.closeConnection()
    await node.stop()
  }, 120_000)

  it('a node that is killed while it imports goes on at the next start: every row once, none before the end', async () => {
    const data = join(folder, 'killed')
    const schema: CollectionSchema = { name: 'k', description: '', enableDynamicField: false, fields: [field(100, 'id', Type.Int64, { isPrimary: true }), field(101, 'vec', Type.FloatVector, { dim: 64 })] }
    const rows = 60_000
    const writer = createParquetWriter(schema.fields)
    const parts: Uint8Array[] = []
    for (let first = 0; first < rows; first += 10_000) {
      parts.push(writer.add(toBatch(Array.from({ length: 10_000 }, (_, i) => new Map<string, unknown>([['id', BigInt(first + i)], ['vec', Array.from({ length: 64 }, (_x, d) => (first + i) % (d + 2))]])), schema)))
    }
    await mkdir(join(data, 'objects', 'import'), { recursive: true })
    await writeFile(join(data, 'objects', 'import', 'rows.parquet'), joinBytes([...parts, writer.finish()]))
    const flags = ['--data-dir', data, '--set', 'dataNode.sealBytes=1m']
    let node = await startProgram(flags)
    let client = await connect(node)
    await client.createCollection({ collection_name: 'k', fields: [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, { name: 'vec', data_type: DataType.FloatVector, dim: 64 }] })
    await client.createIndex({ collection_name: 'k', field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
    await client.loadCollectionSync({ collection_name: 'k' })
    const { tasks } = await client.bulkInsert({ collection_name: 'k', files: ['rows.parquet'] })
    const task = tasks[0] as number
    const kills = process.env['TIMETICK_RING'] === undefined ? 1 : 4
    for (let kill = 0; kill < kills; kill++) {
      // In the middle: some segments are stored, and nothing is seen.
      const before = await stored(data)
      for (;;) {
        const state = await client.getImportState({ task })
        if (Number(state.row_count) > 0 && (await stored(data)) > before) break
        if (`${state.state}`.endsWith('Completed')) break
      }
      const seen = Number((await client.count({ collection_name: 'k' })).data)
      expect([0, rows]).toContain(seen)
      await client.closeConnection()
      await node.stop('SIGKILL')
      node = await startProgram(flags)
      client = await connect(node)
    }
    for (;;) {
      const state = await client.getImportState({ task })
      expect(state.status.reason).toBe('')
      if (`${state.state}`.endsWith('Completed')) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(Number((await client.count({ collection_name: 'k' })).data)).toBe(rows)
    const { data: found } = await client.query({ collection_name: 'k', filter: 'id in [0, 31111, 59999]', output_fields: ['id', 'vec'] })
    expect(found.map(({ id }) => Number(id))).toEqual([0, 31_111, 59_999])
    expect(found[1]?.['vec']).toEqual(Array.from({ length: 64 }, (_, d) => 31_111 % (d + 2)))
    await client.closeConnection()
    await node.stop()
    expect(JSON.parse((await runProgram(['check', data, '--json'])).stdout)).toMatchObject({ rows, damage: [] })
  }, 180_000)
})

async function stored(data: string): Promise<number> {
  const names = await readdir(join(data, 'objects'), { recursive: true })
  return names.filter((name) => name.endsWith('rows.arrow')).length
}
