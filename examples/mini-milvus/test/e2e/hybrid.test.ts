/** Hybrid search against rankers written out here: RRF and weighted scores over parts that brute force has ranked. */
import { DataType, RRFRanker, WeightedRanker, type HybridSearchReq, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'hybrid'
const ROWS = 900
const DIM = 6
const random = seededRandom(31)
const below = (n: number): number => Math.floor(random() * n)
/** Sixteenths: sums of their products are exact. */
const dense = (): number[] => Array.from({ length: DIM }, () => (below(65) - 32) / 16)
const words = (): Record<number, number> => Object.fromEntries(Array.from({ length: 1 + below(8) }, () => [below(60), (1 + below(32)) / 16]))

interface Row {
  readonly id: string
  readonly near: readonly number[]
  readonly far: readonly number[]
  readonly text: Readonly<Record<number, number>>
  readonly shop: number
}
const rows: Row[] = Array.from({ length: ROWS }, (_, i) => ({ id: `k${String(i).padStart(4, '0')}`, near: dense(), far: dense(), text: words(), shop: below(20) }))

type Metric = 'L2' | 'COSINE' | 'IP'
interface Part {
  readonly anns_field: 'near' | 'far' | 'text'
  readonly data: readonly number[] | Readonly<Record<number, number>>
  readonly expr?: string
  readonly keep?: (row: Row) => boolean
}
const metricOf = { near: 'L2', far: 'COSINE', text: 'IP' } as const satisfies Record<string, Metric>

function scoreOf({ anns_field, data }: Part, row: Row): number | undefined {
  if (anns_field === 'text') {
    const score = Object.entries(data).reduce((sum, [dim, value]) => sum + value * (row.text[Number(dim)] ?? 0), 0)
    return score === 0 ? undefined : score
  }
  const [a, b] = [row[anns_field], data as readonly number[]]
  if (anns_field === 'near') return a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0)
  const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

/** The k best rows of one part, best first. */
function ranked(part: Part, k: number): { readonly row: Row; readonly score: number }[] {
  const hits = rows.flatMap((row) => {
    const score = part.keep?.(row) === false ? undefined : scoreOf(part, row)
    return score === undefined ? [] : [{ row, score: Math.fround(score) }]
  })
  const sign = part.anns_field === 'near' ? 1 : -1
  return hits.sort((a, b) => sign * (a.score - b.score) || (a.row.id < b.row.id ? -1 : 1)).slice(0, k)
}

function joined(parts: readonly Part[], k: number, worth: (part: number, position: number, score: number, metric: Metric) => number): { readonly id: string; readonly score: number; readonly row: Row }[] {
  const scores = new Map<Row, number>()
  parts.forEach((part, index) => {
    ranked(part, k).forEach(({ row, score }, position) => scores.set(row, (scores.get(row) ?? 0) + worth(index, position, score, metricOf[part.anns_field])))
  })
  return [...scores].map(([row, score]) => ({ id: row.id, row, score: Math.fround(score) })).sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
}

const toUnit = (metric: Metric, score: number): number => {
  if (metric === 'COSINE') return (1 + score) / 2
  return metric === 'IP' ? 0.5 + Math.atan(score) / Math.PI : 1 - (2 * Math.atan(score)) / Math.PI
}
const parts: readonly Part[] = [
  { anns_field: 'near', data: dense() },
  { anns_field: 'far', data: dense() },
  { anns_field: 'text', data: { ...words(), 5: 2, 9: 1 } },
]
const K = 15

describe('hybrid search', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
    const { client } = test
    const created = await client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.VarChar, is_primary_key: true, max_length: 8 },
        { name: 'near', data_type: DataType.FloatVector, dim: DIM },
        { name: 'far', data_type: DataType.FloatVector, dim: DIM },
        { name: 'text', data_type: DataType.SparseFloatVector },
        { name: 'shop', data_type: DataType.Int32 },
      ],
      index_params: [
        { field_name: 'near', index_type: 'FLAT', metric_type: 'L2' },
        { field_name: 'far', index_type: 'FLAT', metric_type: 'COSINE' },
        { field_name: 'text', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'IP' },
      ],
    })
    expect(created).toMatchObject({ error_code: 'Success' })
    await client.loadCollectionSync({ collection_name })
    for (const [begin, end] of [[0, 600], [600, ROWS]] as const) {
      const inserted = await client.insert({ collection_name, data: rows.slice(begin, end) as unknown as RowData[] })
      expect(inserted.status).toMatchObject({ error_code: 'Success' })
      if (begin === 0) await client.flushSync({ collection_names: [collection_name] })
    }
  }, 240_000)
  afterAll(() => test.close())

  async function hybrid(of: readonly Part[], more: object = {}) {
    const data = of.map(({ keep: _keep, ...part }) => part)
    const found = await test.client.hybridSearch({ collection_name, data, limit: K, output_fields: ['id', 'shop'], ...more } as unknown as HybridSearchReq)
    expect(found.status).toMatchObject({ error_code: 'Success' })
    return found.results as unknown as { id: string; score: number; shop: number }[]
  }
  const expectHits = (found: readonly { id: string; score: number }[], expected: readonly { id: string; score: number }[]): void => {
    expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
    found.forEach(({ score }, i) => expect(score).toBeCloseTo(expected[i]?.score ?? Number.NaN, 5))
  }

  it.each([undefined, 1, 10, 60, 1000])('RRF with k = %s sums 1 / (k + rank)', async (k) => {
    const found = await hybrid(parts, k === undefined ? {} : { rerank: RRFRanker(k) })
    expectHits(found, joined(parts, K, (_part, position) => 1 / ((k ?? 60) + position + 1)).slice(0, K))
    for (const hit of found) expect(hit.shop).toBe(rows.find(({ id }) => id === hit.id)?.shop)
  })

  it('weights sum normalised scores, of distances and similarities alike', async () => {
    const weights = [0.8, 0.3, 1]
    const found = await hybrid(parts, { rerank: WeightedRanker(weights) })
    expectHits(found, joined(parts, K, (part, _position, score, metric) => (weights[part] as number) * toUnit(metric, score)).slice(0, K))
  })

  it('weights without normalising keep raw scores where all are alike, and turn distances where they are not', async () => {
    const rerank = (weights: readonly number[]) => ({ name: 'w', input_field_names: [], type: 3, params: { reranker: 'weighted', weights: JSON.stringify(weights), norm_score: 'false' } })
    const alike = parts.slice(1)
    const raw = await hybrid(alike, { rerank: rerank([0.5, 0.25]) })
    expectHits(raw, joined(alike, K, (part, _position, score) => [0.5, 0.25][part] as number * score).slice(0, K))
    const mixed = await hybrid(parts, { rerank: rerank([1, 0.5, 0.25]) })
    expectHits(mixed, joined(parts, K, (part, _position, score, metric) => ([1, 0.5, 0.25][part] as number) * (metric === 'L2' ? toUnit(metric, score) : score)).slice(0, K))
  })

  it('each part has its own filter', async () => {
    const filtered: readonly Part[] = [
      { ...(parts[0] as Part), expr: 'shop < 5', keep: ({ shop }) => shop < 5 },
      { ...(parts[2] as Part), expr: 'shop >= 10', keep: ({ shop }) => shop >= 10 },
    ]
    expectHits(await hybrid(filtered), joined(filtered, K, (_part, position) => 1 / (61 + position)).slice(0, K))
  })

  it('one part alone is a plain search in its order', async () => {
    const only = [parts[0] as Part]
    const found = await hybrid(only)
    expect(found.map(({ id }) => id)).toEqual(ranked(only[0] as Part, K).map(({ row }) => row.id))
  })

  it('pages by offset', async () => {
    const found = await hybrid(parts, { offset: 7, limit: 5 })
    expectHits(found, joined(parts, 12, (_part, position) => 1 / (61 + position)).slice(7, 12))
  })

  it('several queries at once', async () => {
    const [first, second] = [parts, parts.map((part) => ({ ...part, data: part.anns_field === 'text' ? words() : dense() }))]
    const both = first.map((part, i) => ({ anns_field: part.anns_field, data: [part.data, second[i]?.data] }))
    const found = await test.client.hybridSearch({ collection_name, data: both, limit: K, output_fields: ['id'] } as unknown as HybridSearchReq)
    const lists = found.results as unknown as { id: string; score: number }[][]
    expectHits(lists[0] ?? [], joined(first, K, (_part, position) => 1 / (61 + position)).slice(0, K))
    expectHits(lists[1] ?? [], joined(second, K, (_part, position) => 1 / (61 + position)).slice(0, K))
  })

  it('groups keep the best hits of each value', async () => {
    const found = await hybrid(parts.slice(0, 2), { limit: 6, group_by_field: 'shop', group_size: 2 })
    const shops = found.map(({ shop }) => shop)
    const distinct = [...new Set(shops)]
    expect(distinct).toHaveLength(6)
    for (const shop of distinct) expect(shops.filter((other) => other === shop).length).toBeLessThanOrEqual(2)
    // Hits of one group stand together.
    expect(distinct.flatMap((shop) => shops.filter((other) => other === shop))).toEqual(shops)
    const heads = distinct.map((shop) => found.find((hit) => hit.shop === shop)?.score ?? 0)
    expect(heads).toEqual([...heads].sort((a, b) => b - a))
  })

  it('wrong rankers and parts are refused', async () => {
    const refused = async (of: readonly Part[], more: object): Promise<string> => {
      const data = of.map(({ keep: _keep, ...part }) => part)
      const found = await test.client.hybridSearch({ collection_name, data, limit: K, ...more } as unknown as HybridSearchReq)
      expect(found.status.error_code).not.toBe('Success')
      return found.status.reason
    }
    expect(await refused(parts, { rerank: WeightedRanker([1, 1]) })).toContain('the length of weights param mismatch')
    expect(await refused(parts.slice(0, 2), { rerank: WeightedRanker([1, 2]) })).toContain('should be in range [0, 1]')
    expect(await refused(parts, { rerank: RRFRanker(0) })).toContain('the rank params k should be in range')
    expect(await refused(parts, { rerank: { strategy: 'best', params: {} } })).toContain('unsupported rank type best')
    expect(await refused(parts, { limit: 20_000 })).toContain('topk')
    const uneven = [{ ...(parts[0] as Part), data: [dense(), dense()] as never }, parts[1] as Part]
    expect(await refused(uneven, {})).toContain('nq should be the same')
  })
})
