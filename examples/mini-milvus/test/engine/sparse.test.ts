import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Engine, openEngine } from '../../src/engine/index.ts'
import { searchSet } from '../../src/engine/search.ts'
import { buildPostings } from '../../src/engine/sparse.ts'
import { DataType } from '../../src/model/schema.ts'
import { hitsOf, randomOf } from './vectors.ts'

type SparseRow = ReadonlyMap<number, number>

const random = randomOf(77)
const ROWS = 4500
/** Few small dimensions, and now and then one near the end of 32 bits. */
const rowOf = (most: number): SparseRow =>
  new Map(Array.from({ length: Math.floor(random() * most) }, () => [random() < 0.1 ? 4_294_967_000 + Math.floor(random() * 90) : Math.floor(random() * 500), Math.fround(random())]))
const rows = Array.from({ length: ROWS }, () => rowOf(20))
const queries = [...Array.from({ length: 12 }, () => rowOf(60)), new Map<number, number>(), new Map([[4_294_967_294, 1]])]

function packed(vectors: readonly SparseRow[]): { bytes: Uint8Array; offsets: Uint32Array } {
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

/** All hits of a query, best first. */
const ranked = new Map(
  queries.map((query) => {
    const pairs = [...query].sort(([a], [b]) => a - b)
    const hits = rows.map((row, i) => ({ row: i, score: Math.fround(pairs.reduce((sum, [dim, value]) => sum + value * (row.get(dim) ?? 0), 0)) }))
    return [query, hits.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score || a.row - b.row)]
  }),
)

function truth(query: SparseRow, k: number, allowed: (row: number, score: number) => boolean = () => true) {
  return (ranked.get(query) ?? []).filter(({ row, score }) => allowed(row, score)).slice(0, k)
}

const all = packed(rows)
const asked = packed(queries)
const base = { vectors: all.bytes, offsets: all.offsets, rows: ROWS, dim: 0, type: DataType.SparseFloatVector, metric: 'IP' } as const
const request = { queries: asked.bytes, queryOffsets: asked.offsets, nq: queries.length }
const mask = Uint8Array.from({ length: ROWS }, (_, row) => (row % 3 === 0 ? 1 : 0))

describe('sparse vectors', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ threads: 2 })
    engine.addSet({ ...base, id: 'rows' })
    engine.addSet({ ...base, id: 'settled', settled: true })
  })
  afterAll(() => engine.close())

  const inverted = { ...base, postings: buildPostings(base) }
  const scanned = { ...base }

  test.each([
    ['row by row', scanned],
    ['by postings', inverted],
  ])('%s: exactly the truth, with masks, ranges and few rows', (_name, set) => {
    for (const k of [1, 10, 3000]) {
      expect(hitsOf(searchSet(set, undefined, { ...request, k }))).toEqual(queries.map((query) => truth(query, k)))
      const masked = searchSet(set, undefined, { ...request, k, mask, maskCount: ROWS / 3 })
      expect(hitsOf(masked)).toEqual(queries.map((query) => truth(query, k, (row) => row % 3 === 0)))
      const ranged = searchSet(set, undefined, { ...request, k, radius: 0.25, rangeFilter: 0.75 })
      expect(hitsOf(ranged)).toEqual(queries.map((query) => truth(query, k, (_row, score) => score > 0.25 && score <= 0.75)))
      const first = searchSet(set, undefined, { ...request, k, rows: 100 })
      expect(hitsOf(first)).toEqual(queries.map((query) => truth(query, k, (row) => row < 100)))
    }
  })

  test('in workers: a set that grows and one that is settled give the same', async () => {
    const expected = queries.map((query) => truth(query, 10))
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => engine.search({ setId: i % 2 === 0 ? 'rows' : 'settled', ...request, k: 10 })),
    )
    for (const answer of answers) expect(hitsOf(answer)).toEqual(expected)
    engine.addSet({ ...base, id: 'settled', rows: 50, settled: true })
    const few = await engine.search({ setId: 'settled', ...request, k: 10 })
    expect(hitsOf(few)).toEqual(queries.map((query) => truth(query, 10, (row) => row < 50)))
  })

  test('wrong sets and queries are refused', async () => {
    expect(() => engine.addSet({ ...base, id: 'x', metric: 'L2' })).toThrow(RangeError)
    expect(() => engine.addSet({ ...base, id: 'x', offsets: undefined })).toThrow(RangeError)
    expect(() => engine.addSet({ ...base, id: 'x', offsets: new Uint32Array(3) })).toThrow(RangeError)
    await expect(engine.search({ setId: 'rows', ...request, k: 1, queryOffsets: undefined })).rejects.toBeInstanceOf(RangeError)
    await expect(engine.search({ setId: 'rows', ...request, k: 1, queries: new Uint8Array(8) })).rejects.toBeInstanceOf(RangeError)
    await expect(engine.search({ setId: 'rows', ...request, k: 1, nq: 2 })).rejects.toBeInstanceOf(RangeError)
  })

  test('an engine that is closed while it turns a set around leaves nothing behind', async () => {
    const own = await openEngine({ threads: 1 })
    own.addSet({ ...base, id: 'settled', settled: true })
    await own.close()
    await expect(own.search({ setId: 'settled', ...request, k: 1 })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
