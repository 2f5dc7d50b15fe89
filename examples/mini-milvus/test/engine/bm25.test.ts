/** BM25 of term counts: rows read one by one, by postings, in workers, and while a set grows, against sums over plain maps. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Engine, openEngine } from '../../src/engine/index.ts'
import { searchSet } from '../../src/engine/search.ts'
import { buildPostings } from '../../src/engine/sparse.ts'
import { DataType } from '../../src/model/schema.ts'
import { randomOf } from './vectors.ts'

const random = randomOf(5)
const ROWS = 5000
const rows = Array.from({ length: ROWS }, () => new Map(Array.from({ length: Math.floor(random() * 30) }, () => [Math.floor(300 * random() ** 2), 1 + Math.floor(random() * 4)])))
const queries = Array.from({ length: 6 }, () => new Map(Array.from({ length: 4 }, () => [Math.floor(300 * random() ** 2), Math.fround(random())])))

function packed(vectors: readonly ReadonlyMap<number, number>[]): { bytes: Uint8Array; offsets: Uint32Array } {
  const offsets = new Uint32Array(vectors.length + 1)
  vectors.forEach((vector, i) => (offsets[i + 1] = (offsets[i] ?? 0) + vector.size * 8))
  const view = new DataView(new ArrayBuffer(offsets[vectors.length] ?? 0))
  vectors.forEach((vector, i) =>
    [...vector].sort(([a], [b]) => a - b).forEach(([dim, value], n) => {
      view.setUint32((offsets[i] ?? 0) + n * 8, dim, true)
      view.setFloat32((offsets[i] ?? 0) + n * 8 + 4, value, true)
    }),
  )
  return { bytes: new Uint8Array(view.buffer), offsets }
}

const all = packed(rows)
const asked = packed(queries)
const set = { vectors: all.bytes, offsets: all.offsets, rows: ROWS, dim: 0, type: DataType.SparseFloatVector, metric: 'BM25' } as const
const bm25 = { k1: 1.2, b: 0.75, averageLength: 40 }
const request = { queries: asked.bytes, queryOffsets: asked.offsets, nq: queries.length, k: 50, bm25 }
const mask = Uint8Array.from({ length: ROWS }, (_, row) => (row % 4 === 0 ? 1 : 0))
const lengthOf = (row: number): number => [...(rows[row]?.values() ?? [])].reduce((sum, count) => sum + count, 0)

function truth(query: ReadonlyMap<number, number>, allowed: (row: number) => boolean): number[] {
  const scores = rows.map((row, i) => {
    if (!allowed(i)) return 0
    const norm = bm25.k1 * (1 - bm25.b + (bm25.b * lengthOf(i)) / bm25.averageLength)
    return [...query].reduce((sum, [dim, weight]) => sum + (weight * (row.get(dim) ?? 0) * (bm25.k1 + 1)) / ((row.get(dim) ?? 0) + norm), 0)
  })
  return scores.filter((score) => score > 0).sort((a, b) => b - a).slice(0, 50)
}

function expectScores(found: { readonly counts: Uint32Array; readonly scores: Float32Array }, allowed: (row: number) => boolean): void {
  let at = 0
  queries.forEach((query, i) => {
    const expected = truth(query, allowed)
    const scores = [...found.scores.subarray(at, (at += found.counts[i] ?? 0))]
    expect(scores).toHaveLength(expected.length)
    scores.forEach((score, n) => expect(score).toBeCloseTo(expected[n] ?? 0, 5))
  })
}

describe('BM25', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ threads: 1 })
  })
  afterAll(() => engine.close())

  test.each([
    ['row by row', { ...set }],
    ['by postings', { ...set, postings: buildPostings(set) }],
  ])('%s', (_name, given) => {
    // As a growing set is searched: fewer rows first.
    for (const most of [10, 1000, ROWS]) {
      expectScores(searchSet(given, undefined, { ...request, rows: most }), (row) => row < most)
      expectScores(searchSet(given, undefined, { ...request, rows: most, mask }), (row) => row < most && row % 4 === 0)
      const dims = [...new Set(queries.flatMap((query) => [...query.keys()]))]
      const terms = packed([new Map(dims.sort((a, b) => a - b).map((dim) => [dim, 0]))])
      const counted = searchSet(given, undefined, { queries: terms.bytes, queryOffsets: terms.offsets, nq: 1, k: 1, rows: most, mask, countTerms: true }).terms
      const live = rows.map((_, row) => row).filter((row) => row < most && row % 4 === 0)
      expect(counted).toEqual({
        rows: live.length,
        length: live.reduce((sum, row) => sum + lengthOf(row), 0),
        rowsWith: Uint32Array.from(dims, (dim) => live.filter((row) => rows[row]?.has(dim)).length),
      })
    }
  })

  test('in a worker', async () => {
    engine.addSet({ ...set, id: 'texts', settled: true })
    const found = await Promise.all(Array.from({ length: 20 }, () => engine.search({ setId: 'texts', ...request, mask })))
    for (const each of found) expectScores(each, (row) => row % 4 === 0)
  })

  test('is for sparse vectors', () => {
    expect(() => engine.addSet({ id: 'dense', vectors: new Uint8Array(8), rows: 1, dim: 2, type: DataType.FloatVector, metric: 'BM25' })).toThrow(RangeError)
  })
})
