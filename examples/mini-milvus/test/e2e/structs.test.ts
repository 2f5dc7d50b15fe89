/** Arrays of structs through the official client and over REST: rows come back as they were given, growing, flushed and after a restart. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataType, ErrorCode, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const seed = Number(process.env['SEED'] ?? 11)
const random = seededRandom(seed)
const below = (n: number): number => Math.floor(random() * n)
const eighths = (dim: number): number[] => Array.from({ length: dim }, () => (below(65) - 32) / 8)

interface Clip {
  readonly label: string
  readonly order: number
  readonly big: string
  readonly score: number
  readonly hot: boolean
  readonly emb: readonly number[]
  readonly bits: readonly number[]
}

interface Row {
  readonly id: number
  readonly vec: readonly number[]
  readonly clips: readonly Clip[]
}

const clip = (): Clip => ({
  label: ['', 'a', 'apple', 'Größe', '"quoted"'][below(5)] as string,
  order: below(2_000_000_000) - 1_000_000_000,
  big: String(2n ** 60n + BigInt(below(1_000_000))),
  score: (below(1000) - 500) / 8,
  hot: random() < 0.5,
  emb: eighths(3),
  bits: [below(256), below(256)],
})
const row = (id: number): Row => ({ id, vec: eighths(2), clips: Array.from({ length: below(4) }, clip) })

export const clipFields = [
  { name: 'label', data_type: DataType.VarChar, max_length: 32 },
  { name: 'order', data_type: DataType.Int32 },
  { name: 'big', data_type: DataType.Int64 },
  { name: 'score', data_type: DataType.Float },
  { name: 'hot', data_type: DataType.Bool },
  { name: 'emb', data_type: DataType.FloatVector, dim: 3 },
  { name: 'bits', data_type: DataType.BinaryVector, dim: 16 },
]

describe(`arrays of structs (seed ${seed})`, () => {
  const collection_name = 'films'
  let folder = ''
  let test: TestNode
  const model = new Map<number, Row>()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'timetick-structs-'))
    test = await startTestNode({ dataDir: folder })
    const created = await test.client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
        { name: 'clips', data_type: DataType.Array, element_type: DataType.Struct, max_capacity: 3, fields: clipFields.map((field) => ({ ...field })) },
      ],
    })
    expect(created.error_code).toBe(ErrorCode.SUCCESS)
    const indexed = await test.client.createIndex([
      { collection_name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' },
      { collection_name, field_name: 'clips[emb]', index_name: 'embs', index_type: 'HNSW', metric_type: 'MAX_SIM' },
      { collection_name, field_name: 'clips[bits]', index_name: 'bits', index_type: 'AUTOINDEX', metric_type: 'HAMMING' },
    ])
    expect(indexed.reason).toBe('')
    expect((await test.client.loadCollection({ collection_name })).reason).toBe('')
  })

  afterAll(async () => {
    await test?.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function write(rows: readonly Row[]): Promise<void> {
    const answer = await test.client.upsert({ collection_name, data: rows as unknown as RowData[] })
    expect(answer.status.reason).toBe('')
    for (const one of rows) model.set(one.id, one)
  }

  async function expectRows(): Promise<void> {
    const found = await test.client.query({ collection_name, filter: 'id >= 0', output_fields: ['*'] })
    expect(found.status.reason).toBe('')
    const expected = [...model.values()].sort((a, b) => a.id - b.id).map((one) => ({ ...one, id: String(one.id) }))
    expect(found.data.map(({ id, vec, clips }) => ({ id, vec, clips }))).toEqual(expected)
  }

  it('describes itself', async () => {
    const { schema } = await test.client.describeCollection({ collection_name })
    expect(schema.fields.map(({ name }) => name)).toEqual(['id', 'vec', 'clips'])
    expect(schema.struct_array_fields).toMatchObject([{ name: 'clips', fields: clipFields.map(({ name }) => ({ name })) }])
    const { index_descriptions: indexes } = await test.client.describeIndex({ collection_name })
    expect(indexes.map(({ field_name, index_name }) => [field_name, index_name])).toEqual(expect.arrayContaining([['clips[emb]', 'embs'], ['clips[bits]', 'bits']]))
  })

  it('keeps rows: growing, upserted, deleted, flushed, and after a restart', async () => {
    await write(Array.from({ length: 40 }, (_, id) => row(id)))
    await expectRows()
    await write(Array.from({ length: 10 }, () => row(below(40))).filter(({ id }, at, all) => all.findIndex((other) => other.id === id) === at))
    await test.client.delete({ collection_name, ids: [3, 4, 5] })
    for (const id of [3, 4, 5]) model.delete(id)
    await expectRows()
    await test.client.flushSync({ collection_names: [collection_name] })
    await expectRows()
    await write([row(100), row(1), { ...row(2), clips: [] }])
    await expectRows()
    await test.close()
    test = await startTestNode({ dataDir: folder })
    await test.client.loadCollectionSync({ collection_name })
    await expectRows()
  })

  it('gives single sub-fields as structs that have nothing else', async () => {
    const found = await test.client.query({ collection_name, filter: 'id == 1', output_fields: ['clips[order]'] })
    expect(found.data[0]?.['clips']).toEqual(model.get(1)?.clips.map(({ order }) => ({ order })))
  })

  it('takes and gives rows over REST', async () => {
    const call = async (path: string, body: object): Promise<{ code: number; message?: string; data: Record<string, unknown>[] & { structFields?: unknown[] } }> => {
      const answer = await fetch(`http://${test.node.address}/v2/vectordb/${path}`, { method: 'POST', body: JSON.stringify({ collectionName: collection_name, ...body }) })
      return (await answer.json()) as never
    }
    const [a, b] = [clip(), clip()]
    const put = await call('entities/upsert', { data: [{ id: 200, vec: [1, 2], clips: [a, { ...b, big: BigInt(b.big).toString() }] }] })
    expect(put).toMatchObject({ code: 0 })
    const got = await call('entities/query', { filter: 'id == 200', outputFields: ['clips'] })
    const base64 = ({ bits }: Clip): string => Buffer.from(bits as number[]).toString('base64')
    expect(got.data[0]?.['clips']).toEqual([a, b].map((one) => ({ ...one, bits: base64(one) })))
    const wrong = await call('entities/insert', { data: [{ id: 201, vec: [1, 2], clips: [{ ...a, label: undefined }] }] })
    expect(wrong).toMatchObject({ code: 1804, message: expect.stringContaining('missing label') as string })
    const shown = await call('collections/describe', {})
    expect(shown.data.structFields).toMatchObject([{ name: 'clips' }])
    await test.client.delete({ collection_name, ids: [200] })
  })

  it('adds an array of structs that rows may lack', async () => {
    const call = async (path: string, body: object): Promise<{ code: number; message?: string; data: Record<string, unknown>[] }> => {
      const answer = await fetch(`http://${test.node.address}/v2/vectordb/${path}`, { method: 'POST', body: JSON.stringify({ collectionName: 'growing', ...body }) })
      return (await answer.json()) as never
    }
    const fields = [{ fieldName: 'id', dataType: 'Int64', isPrimary: true }, { fieldName: 'vec', dataType: 'FloatVector', elementTypeParams: { dim: 2 } }]
    expect(await call('collections/create', { schema: { fields }, indexParams: [{ fieldName: 'vec', metricType: 'L2' }] })).toMatchObject({ code: 0 })
    expect(await call('entities/insert', { data: [{ id: 1, vec: [1, 2] }] })).toMatchObject({ code: 0 })
    const sub = [{ fieldName: 'n', dataType: 'Int32' }, { fieldName: 's', dataType: 'VarChar', elementTypeParams: { max_length: 8 } }]
    const struct = { fieldName: 'notes', elementTypeParams: { max_capacity: 2 }, fields: sub }
    expect(await call('collections/struct_fields/add', { schema: struct })).toMatchObject({ code: 1100, message: expect.stringContaining('must be nullable') as string })
    expect(await call('collections/struct_fields/add', { schema: { ...struct, nullable: true } })).toMatchObject({ code: 0 })
    expect(await call('collections/struct_fields/add', { schema: { ...struct, nullable: true } })).toMatchObject({ code: 1100, message: expect.stringContaining('duplicated') as string })
    const notes = [{ n: 1, s: 'a' }, { n: -2, s: '' }]
    expect(await call('entities/insert', { data: [{ id: 2, vec: [1, 2], notes }, { id: 3, vec: [1, 2], notes: null }, { id: 4, vec: [1, 2], notes: [] }] })).toMatchObject({ code: 0 })
    const rows = async (filter: string): Promise<unknown> => (await call('entities/query', { filter, outputFields: ['notes'], consistencyLevel: 'Strong' })).data.map((one) => one['notes'])
    expect(await rows('id > 0')).toEqual([null, notes, null, []])
    expect(await rows('match_any(notes, $[n] < 0)')).toEqual([notes])
    expect(await rows('match_all(notes, $[n] > 5)')).toEqual([[]])
    await call('collections/flush', {})
    expect(await rows('id > 0')).toEqual([null, notes, null, []])
    await call('collections/drop', {})
  })

  it('refuses rows that do not fit', async () => {
    const many = await test.client.insert({ collection_name, data: [{ ...row(300), clips: [clip(), clip(), clip(), clip()] }] as unknown as RowData[] })
    expect(many.status.reason).toContain('exceeds max capacity (3)')
    const long = await test.client.insert({ collection_name, data: [{ ...row(300), clips: [{ ...clip(), label: 'x'.repeat(33) }] }] as unknown as RowData[] })
    expect(long.status.reason).toContain('exceeds max length')
    await expectRows()
  })
})
