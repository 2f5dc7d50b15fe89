/** Values over REST: every type there and back, exact integers whatever the client sends, hybrid searches as brute force says. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gaussian, seededRandom, startTestNode, type TestNode } from './support.ts'

let test: TestNode
beforeAll(async () => {
  test = await startTestNode()
})
afterAll(() => test.close())

async function post(path: string, body: object | string, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`http://${test.node.address}/v2/vectordb/${path}`, { method: 'POST', body: text, headers })
  const answer = await response.text()
  return { text: answer, ...(JSON.parse(answer) as { code: number; message?: string; data: unknown; topks?: number[] }) }
}

const ok = { code: 0 }
const consistencyLevel = 'Strong'

describe('64-bit integers', () => {
  const values = [2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_993n, -9_007_199_254_740_993n, 0n, 7n]

  it('are exact as numbers and as text, in keys, values, arrays, JSON and templates', async () => {
    const field = (fieldName: string, dataType: string, more: object = {}) => ({ fieldName, dataType, ...more })
    const fields = [
      field('id', 'Int64', { isPrimary: true }),
      field('n', 'Int64'),
      field('list', 'Array', { elementDataType: 'Int64', elementTypeParams: { max_capacity: 9 } }),
      field('doc', 'JSON'),
      field('v', 'FloatVector', { elementTypeParams: { dim: 2 } }),
    ]
    const schema = { fields, enableDynamicField: true }
    expect(await post('collections/create', { collectionName: 'ints', schema, indexParams: [{ fieldName: 'v', metricType: 'L2', indexType: 'FLAT' }] })).toMatchObject(ok)
    const rows = values.map((value, i) => {
      const written = i % 2 === 0 ? `${value}` : `"${value}"`
      return `{"id":${written},"n":${written},"list":[${written},1],"doc":{"deep":[${value}]},"v":[${i},0],"dyn":${value}}`
    })
    const inserted = await post('entities/insert', `{"collectionName":"ints","data":[${rows.join(',')}]}`)
    expect(inserted).toMatchObject({ code: 0, data: { insertIds: values.map(String) } })
    await expect.poll(async () => (await post('collections/get_load_state', { collectionName: 'ints' })).data, { timeout: 20_000 }).toMatchObject({ loadState: 'LoadStateLoaded' })
    for (const value of values) {
      const asked = `{"collectionName":"ints","filter":"id == {k} and n == ${value} and array_contains(list, {k})","exprParams":{"k":${value}},"consistencyLevel":"Strong","outputFields":["*"]}`
      const asText = await post('entities/query', asked)
      expect(asText).toMatchObject({ code: 0, data: [{ id: `${value}`, n: `${value}`, list: [`${value}`, '1'] }] })
      const asNumber = await post('entities/query', asked, { 'Accept-Type-Allow-Int64': 'true' })
      for (const part of [`"id":${value}`, `"n":${value}`, `"list":[${value},1]`, `"dyn":${value}`]) expect(asNumber.text).toContain(part)
      expect(asNumber.text).toContain(`{\\"deep\\":[${value}]}`)
    }
    const got = await post('entities/get', `{"collectionName":"ints","id":[${values[0]},"${values[1]}"],"consistencyLevel":"Strong"}`)
    expect((got.data as { id: string }[]).map(({ id }) => id).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))).toEqual([String(values[1]), String(values[0])])
    const found = await post('entities/search', { collectionName: 'ints', data: [[0, 0]], limit: 1, consistencyLevel }, { 'Accept-Type-Allow-Int64': 'true' })
    expect(found.text).toContain(`"id":${values[0]}`)
  })
})

describe('vectors of every type', () => {
  const random = seededRandom(7)
  const DIM = 16
  const ROWS = 30
  const rows = Array.from({ length: ROWS }, (_, id) => ({
    id,
    float: Array.from({ length: DIM }, () => gaussian(random)),
    half: Array.from({ length: DIM }, () => Math.round(gaussian(random) * 8) / 8),
    brain: Array.from({ length: DIM }, () => Math.round(gaussian(random) * 4) / 4),
    bytes: Array.from({ length: DIM }, () => Math.floor(random() * 256) - 128),
  }))
  const bits = rows.map(() => Uint8Array.from({ length: DIM / 8 }, () => Math.floor(random() * 256)))
  const sparse = rows.map(() => Object.fromEntries(Array.from({ length: 5 }, () => [Math.floor(random() * 40), Math.round(random() * 64) / 64 + 1 / 64])))
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  const squared = (a: readonly number[], b: readonly number[]) => a.reduce((sum, item, i) => sum + (item - (b[i] as number)) ** 2, 0)
  const hamming = (a: Uint8Array, b: Uint8Array) => a.reduce((sum, item, i) => sum + (item ^ (b[i] as number)).toString(2).replaceAll('0', '').length, 0)
  const inner = (a: Record<string, number>, b: Record<string, number>) => -Object.entries(a).reduce((sum, [key, value]) => sum + value * (b[key] ?? 0), 0)

  const dense = (fieldName: string, dataType: string) => ({ fieldName, dataType, elementTypeParams: { dim: DIM } })
  const key = { fieldName: 'id', dataType: 'Int64', isPrimary: true }

  async function fill(collectionName: string, fields: readonly object[], indexParams: readonly object[], data: readonly object[]): Promise<void> {
    expect(await post('collections/create', { collectionName, schema: { fields: [key, ...fields] }, indexParams })).toMatchObject(ok)
    expect(await post('entities/insert', { collectionName, data })).toMatchObject({ code: 0, data: { insertCount: ROWS } })
  }

  beforeAll(async () => {
    await fill(
      'dense',
      [dense('float', 'FloatVector'), dense('half', 'Float16Vector'), dense('brain', 'BFloat16Vector'), dense('bytes', 'Int8Vector')],
      ['float', 'half', 'brain', 'bytes'].map((fieldName) => ({ fieldName, metricType: 'L2', indexType: fieldName === 'bytes' ? 'HNSW' : 'FLAT' })),
      rows,
    )
    await fill(
      'odd',
      [dense('bits', 'BinaryVector'), { fieldName: 'sparse', dataType: 'SparseFloatVector' }],
      [
        { fieldName: 'bits', metricType: 'HAMMING', indexType: 'BIN_FLAT' },
        { fieldName: 'sparse', metricType: 'IP', indexType: 'SPARSE_INVERTED_INDEX' },
      ],
      rows.map(({ id }) => ({ id, bits: id % 2 === 0 ? base64(bits[id] as Uint8Array) : Array.from(bits[id] as Uint8Array), sparse: sparseForm(id) })),
    )
  })

  function sparseForm(id: number): object {
    const entries = sparse[id] as Record<string, number>
    return id % 2 === 0 ? entries : { indices: Object.keys(entries).map(Number), values: Object.values(entries) }
  }

  it('come back as they went in', async () => {
    const { data } = await post('entities/query', { collectionName: 'dense', filter: 'id == 3', consistencyLevel })
    const row = (data as Record<string, unknown>[])[0] ?? {}
    expect(row).toMatchObject({ id: '3', bytes: rows[3]?.bytes })
    expect((row['float'] as number[]).map(Math.fround)).toEqual(rows[3]?.float.map(Math.fround))
    expect(Buffer.from(row['half'] as string, 'base64')).toHaveLength(DIM * 2)
    const odd = await post('entities/query', { collectionName: 'odd', filter: 'id in [2, 3]', consistencyLevel })
    expect(odd.data).toEqual([2, 3].map((id) => ({ id: String(id), bits: base64(bits[id] as Uint8Array), sparse: sparse[id] })))
    const again = await post('entities/upsert', { collectionName: 'dense', data: { ...row, id: 3 } })
    expect(again).toMatchObject({ code: 0, data: { upsertCount: 1 } })
    expect((await post('entities/query', { collectionName: 'dense', filter: 'id == 3', consistencyLevel })).data).toEqual(data)
  })

  it('are searched, several at once', async () => {
    const truth = (distance: (id: number) => number, k: number) =>
      rows.map(({ id }) => ({ id: String(id), distance: distance(id) })).sort((a, b) => a.distance - b.distance || Number(a.id) - Number(b.id)).slice(0, k)
    const check = async (collectionName: string, annsField: string, data: readonly unknown[], distance: (query: number, id: number) => number) => {
      const found = await post('entities/search', { collectionName, annsField, data, limit: 4, consistencyLevel })
      expect([annsField, found.topks]).toEqual([annsField, [4, 4]])
      const hits = found.data as { id: string; distance: number }[]
      for (const query of [0, 1]) {
        const expected = truth((id) => distance(query, id), 4)
        hits.slice(query * 4, query * 4 + 4).forEach((hit, i) => expect([annsField, Math.abs(hit.distance)]).toEqual([annsField, expect.closeTo(Math.abs(expected[i]?.distance as number), 3)]))
      }
    }
    for (const name of ['float', 'half', 'brain'] as const)
      await check('dense', name, [rows[5]?.[name], rows[9]?.[name]], (query, id) => squared(rows[[5, 9][query] as number]?.[name] as number[], rows[id]?.[name] as number[]))
    await check('odd', 'bits', [base64(bits[5] as Uint8Array), Array.from(bits[9] as Uint8Array)], (query, id) => hamming(bits[[5, 9][query] as number] as Uint8Array, bits[id] as Uint8Array))
    await check('odd', 'sparse', [sparseForm(5), sparseForm(9)], (query, id) => inner(sparse[[5, 9][query] as number] as Record<string, number>, sparse[id] as Record<string, number>))
    const own = await post('entities/search', { collectionName: 'dense', annsField: 'bytes', data: [rows[8]?.bytes], limit: 1, consistencyLevel })
    expect(own.data).toMatchObject([{ id: '8', distance: 0 }])
  })

  it('are refused where they are none, with row or place', async () => {
    const bad: [object, string][] = [
      [{ ...rows[0], half: 'AAAA' }, 'bytes in base64'],
      [{ ...rows[0], bytes: Array.from({ length: DIM }, () => 128) }, 'integers in -128..127'],
      [{ ...rows[0], float: 'x' }, '16 numbers'],
      [{ ...rows[0], brain: [1] }, '16 numbers'],
    ]
    for (const [data, message] of bad)
      expect(await post('entities/insert', { collectionName: 'dense', data: [data] })).toMatchObject({ code: 1804, message: expect.stringContaining(message) as unknown })
    const good = base64(bits[0] as Uint8Array)
    const odd: [object, string][] = [
      [{ id: 1, bits: good, sparse: { x: 1 } }, 'a sparse vector'],
      [{ id: 1, bits: good, sparse: { indices: [1], values: [] } }, 'a sparse vector'],
      [{ id: 1, bits: good, sparse: { 4294967296: 1 } }, 'a sparse vector'],
      [{ id: 1, bits: [1], sparse: { 1: 1 } }, '2 numbers'],
      [{ id: 1, bits: [1, 256], sparse: { 1: 1 } }, '2 integers in 0..255'],
    ]
    for (const [data, message] of odd)
      expect(await post('entities/insert', { collectionName: 'odd', data: [data] })).toMatchObject({ code: 1804, message: expect.stringContaining(message) as unknown })
    expect(await post('entities/search', { collectionName: 'dense', data: [rows[0]?.float] })).toMatchObject({ code: 1802, message: expect.stringContaining('annsField') as unknown })
    expect(await post('entities/search', { collectionName: 'dense', annsField: 'float', data: [rows[0]?.float, [1]] })).toMatchObject({ code: 1803, message: expect.stringContaining('data[1]') as unknown })
  })

  it('are searched together: reciprocal ranks, computed here', async () => {
    const ranked = (name: 'float' | 'half') =>
      rows.map(({ id }) => ({ id, distance: squared(rows[4]?.[name] as number[], rows[id]?.[name] as number[]) })).sort((a, b) => a.distance - b.distance).slice(0, 10).map(({ id }) => id)
    const scores = new Map<number, number>()
    for (const name of ['float', 'half'] as const) ranked(name).forEach((id, i) => scores.set(id, (scores.get(id) ?? 0) + 1 / (60 + i + 1)))
    const expected = [...scores].sort(([a, x], [b, y]) => y - x || a - b).slice(0, 5)
    for (const path of ['entities/hybrid_search', 'entities/advanced_search']) {
      const search = (['float', 'half'] as const).map((annsField) => ({ data: [rows[4]?.[annsField]], annsField, limit: 10, metricType: 'L2', params: {} }))
      const found = await post(path, { collectionName: 'dense', search, rerank: { strategy: 'rrf', params: { k: 60 } }, limit: 5, outputFields: ['id'], consistencyLevel })
      expect(found).toMatchObject({ code: 0, topks: [5] })
      const hits = found.data as { id: string; distance: number }[]
      hits.forEach((hit, i) => expect(hit.distance).toBeCloseTo(expected[i]?.[1] as number, 5))
      expect(hits[0]?.id).toBe('4')
    }
  })
})
