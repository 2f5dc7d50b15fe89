/**
 * Vectors of every type in one collection, some of them null: growing, flushed, and after a compaction, against brute force over the
 * numbers that the test made.
 */
import { bf16BytesToF32Array, DataType, f16BytesToF32Array, f32ArrayToBf16Bytes, f32ArrayToF16Bytes, type RowData, type SearchSimpleReq } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'vector_types'
const FIRST = 4200
const SECOND = 300
const ROWS = FIRST + SECOND + 300
const K = 20
const random = seededRandom(2024)
const below = (n: number): number => Math.floor(random() * n)
/** Eighths between -4 and 4: exact in every float type. */
const eighths = (dim: number): number[] => Array.from({ length: dim }, () => (below(65) - 32) / 8)
const bits = (bytes: number): number[] => Array.from({ length: bytes }, () => below(256))
const sparse = (): Record<number, number> =>
  Object.fromEntries(Array.from({ length: below(12) }, () => [below(10) === 0 ? 4_000_000_000 + below(1000) : below(300), (1 + below(64)) / 8]))

interface Row {
  readonly id: number
  readonly bin: readonly number[]
  readonly jac: readonly number[]
  readonly f16: readonly number[] | null
  readonly bf16: readonly number[]
  readonly i8: readonly number[]
  readonly sparse: Readonly<Record<number, number>> | null
  readonly price: number
}

const rows: Row[] = Array.from({ length: ROWS }, (_, id) => ({
  id,
  bin: bits(4),
  jac: bits(2),
  f16: random() < 0.3 ? null : eighths(6),
  bf16: eighths(4),
  i8: Array.from({ length: 5 }, () => below(256) - 128),
  sparse: random() < 0.2 ? null : sparse(),
  price: below(100),
}))
const toSdk = (row: Row): RowData =>
  ({ ...row, f16: row.f16 === null ? null : f32ArrayToF16Bytes([...row.f16]), bf16: f32ArrayToBf16Bytes([...row.bf16]) })

const ones = (value: number): number => value.toString(2).replaceAll('0', '').length
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const dot = (a: readonly number[], b: readonly number[]): number => sum(a.map((value, i) => value * (b[i] as number)))
const scores = {
  HAMMING: (a: readonly number[], b: readonly number[]) => sum(a.map((value, i) => ones(value ^ (b[i] as number)))),
  JACCARD: (a: readonly number[], b: readonly number[]) => {
    const either = sum(a.map((value, i) => ones(value | (b[i] as number))))
    return either === 0 ? 0 : 1 - sum(a.map((value, i) => ones(value & (b[i] as number)))) / either
  },
  L2: (a: readonly number[], b: readonly number[]) => sum(a.map((value, i) => (value - (b[i] as number)) ** 2)),
  IP: dot,
  COSINE: (a: readonly number[], b: readonly number[]) => {
    const lengths = Math.sqrt(dot(a, a) * dot(b, b))
    return lengths === 0 ? 0 : dot(a, b) / lengths
  },
} as const
const sparseDot = (a: Readonly<Record<number, number>>, b: Readonly<Record<number, number>>): number => sum(Object.entries(a).map(([dim, value]) => value * (b[Number(dim)] ?? 0)))

interface Hit {
  readonly id: number
  readonly score: number
}

const deleted = new Set<number>()

/** Best first, ties by key. A row without a score is no hit. */
function truth(scoreOf: (row: Row) => number | undefined, descending: boolean, keep: (row: Row) => boolean = () => true): Hit[] {
  const hits = rows.flatMap((row): Hit[] => {
    const score = deleted.has(row.id) || !keep(row) ? undefined : scoreOf(row)
    return score === undefined ? [] : [{ id: row.id, score: Math.fround(score) }]
  })
  return hits.sort((a, b) => (descending ? b.score - a.score : a.score - b.score) || a.id - b.id)
}

describe('vectors of all types', () => {
  let test: TestNode
  const insert = async (from: number, to: number): Promise<void> => {
    const inserted = await test.client.insert({ collection_name, data: rows.slice(from, to).map(toSdk) })
    expect(inserted.status).toMatchObject({ error_code: 'Success' })
    expect(Number(inserted.insert_cnt)).toBe(to - from)
  }
  const flush = () => test.client.flushSync({ collection_names: [collection_name] })

  beforeAll(async () => {
    test = await startTestNode()
    const created = await test.client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'bin', data_type: DataType.BinaryVector, dim: 32 },
        { name: 'jac', data_type: DataType.BinaryVector, dim: 16 },
        { name: 'f16', data_type: DataType.Float16Vector, dim: 6, nullable: true },
        { name: 'bf16', data_type: DataType.BFloat16Vector, dim: 4 },
        { name: 'i8', data_type: DataType.Int8Vector, dim: 5 },
        { name: 'sparse', data_type: DataType.SparseFloatVector, nullable: true },
        { name: 'price', data_type: DataType.Int32 },
      ],
      index_params: [
        { field_name: 'bin', index_type: 'BIN_IVF_FLAT', metric_type: 'HAMMING', params: { nlist: 16 } },
        { field_name: 'jac', index_type: 'BIN_FLAT', metric_type: 'JACCARD' },
        { field_name: 'f16', index_type: 'FLAT', metric_type: 'L2' },
        { field_name: 'bf16', index_type: 'FLAT', metric_type: 'COSINE' },
        { field_name: 'i8', index_type: 'FLAT', metric_type: 'IP' },
        { field_name: 'sparse', index_type: 'SPARSE_WAND', metric_type: 'IP', params: { drop_ratio_build: 0.1 } },
      ],
    })
    expect(created).toMatchObject({ error_code: 'Success' })
    await test.client.loadCollectionSync({ collection_name })
    await insert(0, FIRST)
    await flush()
    await insert(FIRST, FIRST + SECOND)
    await flush()
    await insert(FIRST + SECOND, ROWS)
  }, 240_000)
  afterAll(() => test.close())

  async function search(anns_field: string, data: unknown, more: object = {}): Promise<Hit[]> {
    const found = await test.client.search({ collection_name, anns_field, data, limit: K, output_fields: ['id'], ...more } as unknown as SearchSimpleReq)
    expect(found.status).toMatchObject({ error_code: 'Success' })
    return found.results.map((hit) => ({ id: Number(hit['id']), score: hit.score }))
  }

  async function checkAll(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      const [bin, jac, f16, bf16, i8, words] = [bits(4), bits(2), eighths(6), eighths(4), Array.from({ length: 5 }, () => below(256) - 128), { ...sparse(), 7: 1.5 }]
      const cheap = (row: Row): boolean => row.price < 30
      const asked: readonly (readonly [field: string, data: unknown, scoreOf: (row: Row) => number | undefined, descending: boolean])[] = [
        ['bin', bin, (row) => scores.HAMMING(row.bin, bin), false],
        ['jac', jac, (row) => scores.JACCARD(row.jac, jac), false],
        ['f16', f32ArrayToF16Bytes(f16), (row) => (row.f16 === null ? undefined : scores.L2(row.f16, f16)), false],
        ['bf16', f32ArrayToBf16Bytes(bf16), (row) => scores.COSINE(row.bf16, bf16), true],
        ['i8', i8, (row) => scores.IP(row.i8, i8), true],
        ['sparse', words, (row) => (row.sparse === null ? undefined : sparseDot(words, row.sparse) || undefined), true],
      ]
      for (const [field, data, scoreOf, descending] of asked) {
        for (const filtered of [false, true]) {
          const hits = await search(field, data, filtered ? { filter: 'price < 30' } : {})
          const expected = truth(scoreOf, descending, filtered ? cheap : undefined).slice(0, K)
          expect([field, ...hits.map(({ score }) => score)]).toEqual([field, ...expected.map(({ score }) => expect.closeTo(score, 4) as number)])
          // What is nearly as near as the last may take its place, where scores are rounded.
          const firm = expected.filter(({ score }) => Math.abs(score - (expected.at(-1)?.score ?? 0)) > 1e-4)
          expect(new Set(hits.map(({ id }) => id))).toEqual(new Set([...hits.slice(firm.length).map(({ id }) => id), ...firm.map(({ id }) => id)]))
        }
      }
    }
  }

  async function checkOutput(): Promise<void> {
    const found = await test.client.query({ collection_name, filter: 'id >= 0', output_fields: ['*'], limit: ROWS })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    const alive = rows.filter(({ id }) => !deleted.has(id))
    expect(found.data).toHaveLength(alive.length)
    alive.forEach((row, i) => {
      const got = found.data[i] as Record<string, unknown>
      expect(Number(got['id'])).toBe(row.id)
      expect([...(got['bin'] as number[])]).toEqual(row.bin)
      expect([...(got['jac'] as number[])]).toEqual(row.jac)
      expect([...(got['i8'] as number[])]).toEqual(row.i8)
      expect(floats(got['f16'], f16BytesToF32Array)).toEqual(row.f16)
      expect(floats(got['bf16'], bf16BytesToF32Array)).toEqual(row.bf16)
      expect(got['sparse']).toEqual(row.sparse === null ? null : withTextKeys(row.sparse))
    })
  }
  const floats = (value: unknown, decode: (bytes: Buffer) => number[]): number[] | null => (value === null ? null : Array.isArray(value) ? [...(value as number[])] : [...decode(value as Buffer)])
  const withTextKeys = (row: object): object => Object.fromEntries(Object.entries(row))

  it('are found by every metric, growing and flushed alike', checkAll)

  it('come back as they were put in, nulls too', checkOutput)

  it('answer several queries at once, each its own', async () => {
    const data = [{ 3: 1 }, { 250: 2, 3: 0.5 }, {}]
    const found = await test.client.search({ collection_name, anns_field: 'sparse', data, limit: K, output_fields: ['id'] })
    const lists = found.results as unknown as { id: string; score: number }[][]
    data.forEach((query, i) => {
      const expected = truth((row) => (row.sparse === null ? undefined : sparseDot(query, row.sparse) || undefined), true).slice(0, K)
      expect(lists[i]?.map(({ score }) => score)).toEqual(expected.map(({ score }) => score))
    })
  })

  it('are searched by the keys of stored rows, of any type; a null has no neighbours', async () => {
    const row = rows.find((candidate) => candidate.sparse !== null && Object.keys(candidate.sparse).length > 3) as Row
    const bySparse = await search('sparse', undefined, { ids: [String(row.id)] })
    expect(bySparse.map(({ score }) => score)).toEqual(truth((other) => (other.sparse === null ? undefined : sparseDot(row.sparse ?? {}, other.sparse) || undefined), true).slice(0, K).map(({ score }) => score))
    const byBits = await search('bin', undefined, { ids: [String(row.id)] })
    expect(byBits[0]).toMatchObject({ score: 0 })
    const empty = rows.find((candidate) => candidate.f16 === null) as Row
    const refused = await test.client.search({ collection_name, anns_field: 'f16', ids: [String(empty.id)], limit: 3 })
    expect(refused.status.error_code).toBe('IllegalArgument')
    expect(refused.status.reason).toContain('is null')
  })

  it('take ranges, groups and offsets', async () => {
    const words = { 1: 1, 2: 2, 50: 1 }
    const all = truth((row) => (row.sparse === null ? undefined : sparseDot(words, row.sparse) || undefined), true)
    const near = await search('sparse', words, { params: { radius: 4, range_filter: 12 }, limit: 1000 })
    expect(near.map(({ score }) => score)).toEqual(all.filter(({ score }) => score > 4 && score <= 12).map(({ score }) => score))
    const later = await search('sparse', words, { offset: 15, limit: 10 })
    expect(later.map(({ score }) => score)).toEqual(all.slice(15, 25).map(({ score }) => score))
    const grouped = await test.client.search({ collection_name, anns_field: 'sparse', data: words, limit: 5, group_by_field: 'price', output_fields: ['id', 'price'] })
    const best = [...new Map([...all].reverse().map((hit) => [rows[hit.id]?.price, hit.score])).values()].sort((a, b) => b - a).slice(0, 5)
    expect(grouped.results.map(({ score }) => score)).toEqual(best)
  })

  it('survive deletes, a flush and a compaction', async () => {
    for (let id = 0; id < ROWS; id += 9) deleted.add(id)
    const gone = await test.client.delete({ collection_name, filter: `id in [${[...deleted].join(',')}]` })
    expect(gone.status).toMatchObject({ error_code: 'Success' })
    await checkAll()
    await flush()
    await test.client.compact({ collection_name })
    await expect
      .poll(async () => (await test.client.getQuerySegmentInfo({ collectionName: collection_name })).infos.reduce((total, { num_rows }) => total + Number(num_rows), 0), { timeout: 30_000 })
      .toBe(ROWS - deleted.size)
    await checkAll()
    await checkOutput()
  })

  it('indexes describe themselves as they were asked for', async () => {
    const described = await test.client.describeIndex({ collection_name })
    const asked = described.index_descriptions.map(({ field_name, params }) => [field_name, params.find(({ key }) => key === 'index_type')?.value, params.find(({ key }) => key === 'metric_type')?.value])
    // The client asks for all at once: which comes first is chance.
    expect(asked).toHaveLength(6)
    expect(asked).toEqual(expect.arrayContaining([
      ['bin', 'BIN_IVF_FLAT', 'HAMMING'], ['jac', 'BIN_FLAT', 'JACCARD'], ['f16', 'FLAT', 'L2'],
      ['bf16', 'FLAT', 'COSINE'], ['i8', 'FLAT', 'IP'], ['sparse', 'SPARSE_WAND', 'IP'],
    ]))
  })
})

describe('wrong vectors', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  })
  afterAll(() => test.close())

  const vector = (more: object) => [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, { name: 'v', ...more }]
  const refusals: readonly (readonly [string, object, string])[] = [
    ['too many dimensions of bits', { data_type: DataType.BinaryVector, dim: 262_152 }, 'should be in range 8 ~ 262144'],
    ['too many dimensions of halves', { data_type: DataType.Float16Vector, dim: 32_769 }, 'should be in range 2 ~ 32768'],
    ['a dimension of a sparse vector', { data_type: DataType.SparseFloatVector, dim: 8 }, 'dim should not be specified for sparse vector field'],
  ]
  it.each(refusals)('a field with %s is refused', async (_name, field, reason) => {
    const { client } = test
    const refused = await client.createCollection({ collection_name: 'wrong', fields: vector(field) as never }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ error_code: 'IllegalArgument', reason: expect.stringContaining(reason) as string })
  })

  it('metrics and indexes of other types are refused', async () => {
    const { client } = test
    await client.createCollection({ collection_name: 'metrics', fields: [...vector({ data_type: DataType.SparseFloatVector }), { name: 'b', data_type: DataType.BinaryVector, dim: 8 }] as never })
    for (const [field_name, index_type, metric_type] of [['v', 'HNSW', 'IP'], ['v', 'SPARSE_WAND', 'L2'], ['b', 'HNSW', 'HAMMING'], ['b', 'BIN_FLAT', 'COSINE']]) {
      const refused = await client.createIndex({ collection_name: 'metrics', field_name: field_name as string, index_type, metric_type })
      expect(refused.error_code, `${field_name} ${index_type} ${metric_type}`).toBe('IllegalArgument')
    }
  })
})
