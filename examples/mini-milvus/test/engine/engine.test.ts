import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Engine, openEngine, type SearchRequest } from '../../src/engine/index.ts'
import { DataType } from '../../src/model/schema.ts'
import { bytesOf, hitsOf, latent, randomOf, recall, truth } from './vectors.ts'

const ROWS = 12_000
const DIM = 24
const vectors = latent(ROWS, DIM, 1)
/** Enough that an average over them tells more of the graph than of the queries. */
const QUERIES = 60
const queries = latent(QUERIES, DIM, 2)
const queryAt = (i: number) => queries.subarray(i * DIM, (i + 1) * DIM)
const metrics = ['L2', 'IP', 'COSINE'] as const
let folder = ''
let engine: Engine
const files = new Map<string, { path: string; crc32: number; bytes: number }>()

function maskOf(share: number, seed = 7): { mask: Uint8Array; maskCount: number } {
  const random = randomOf(seed)
  const mask = Uint8Array.from({ length: ROWS }, () => (random() < share ? 1 : 0))
  return { mask, maskCount: mask.reduce((sum, bit) => sum + bit, 0) }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-test-'))
  engine = await openEngine({ threads: 2 })
  for (const metric of metrics) {
    const path = join(folder, metric)
    const set = { vectors: bytesOf(vectors), rows: ROWS, dim: DIM, type: DataType.FloatVector, metric }
    files.set(metric, { path, ...(await engine.buildIndex({ ...set, path })) })
    engine.addSet({ id: metric, ...set })
    engine.addSet({ id: `${metric}-scan`, ...set })
    await engine.attachIndex({ setId: metric, path, crc32: files.get(metric)?.crc32 ?? 0 })
  }
})

afterAll(async () => {
  await engine.close()
  await rm(folder, { recursive: true, force: true })
})

async function averageRecall(
  setId: string,
  metric: string,
  k: number,
  extra: Partial<SearchRequest> = {},
  allowed?: (row: number, score: number) => boolean,
  asked = 20,
): Promise<number> {
  let sum = 0
  for (let i = 0; i < asked; i++) {
    const [found = []] = hitsOf(await engine.search({ setId, queries: bytesOf(queryAt(i)), nq: 1, k, ...extra }))
    const expected = truth(
      vectors,
      queryAt(i),
      metric,
      k,
      (row, score) => (extra.mask === undefined || extra.mask[row] === 1) && (allowed?.(row, score) ?? true),
    )
    for (const { row } of found) if (extra.mask !== undefined) expect(extra.mask[row]).toBe(1)
    expect(found.length).toBe(expected.length)
    sum += recall(found, expected)
  }
  return sum / asked
}

describe.each(metrics)('%s', (metric) => {
  test('a scan gives exactly the truth, scores and order too', async () => {
    const result = await engine.search({ setId: `${metric}-scan`, queries: bytesOf(queries), nq: QUERIES, k: 10 })
    hitsOf(result).forEach((found, i) => {
      const expected = truth(vectors, queryAt(i), metric, 10)
      expect(found.map(({ row }) => row)).toEqual(expected.map(({ row }) => row))
      found.forEach(({ score }, n) => expect(score).toBeCloseTo(expected[n]?.score ?? NaN, 4))
    })
  })

  test.each([1, 10, 100])('the index finds the best %i', async (k) => {
    expect(await averageRecall(metric, metric, k, {}, undefined, QUERIES)).toBeGreaterThanOrEqual(0.95)
  })

  test.each([0, 0.001, 0.01, 0.1, 0.5, 0.9, 1])('a filter that keeps %f keeps the recall', async (share) => {
    const extra = maskOf(share)
    expect(await averageRecall(metric, metric, 10, extra)).toBeGreaterThanOrEqual(0.95)
    expect(await averageRecall(metric, metric, 10, { mask: extra.mask })).toBeGreaterThanOrEqual(0.95)
  })

  test('a filter that keeps only what is far away keeps the recall', async () => {
    const far = new Set(
      truth(vectors, queryAt(0), metric, ROWS)
        .slice(ROWS / 2)
        .map(({ row }) => row),
    )
    const mask = Uint8Array.from({ length: ROWS }, (_, row) => (far.has(row) ? 1 : 0))
    const [found = []] = hitsOf(await engine.search({ setId: metric, queries: bytesOf(queryAt(0)), nq: 1, k: 10, mask }))
    expect(
      recall(
        found,
        truth(vectors, queryAt(0), metric, 10, (row) => far.has(row)),
      ),
    ).toBeGreaterThanOrEqual(0.9)
  })

  test('ranges keep what Milvus keeps', async () => {
    const all = truth(vectors, queryAt(3), metric, ROWS)
    const inner = all[5]?.score ?? 0
    const outer = all[60]?.score ?? 0
    const inRange = (_row: number, score: number) => (metric === 'L2' ? score < outer && score >= inner : score > outer && score <= inner)
    for (const setId of [metric, `${metric}-scan`]) {
      const request = { setId, queries: bytesOf(queryAt(3)), nq: 1, radius: outer }
      const [ring = []] = hitsOf(await engine.search({ ...request, rangeFilter: inner, k: 1000 }))
      expect(recall(ring, truth(vectors, queryAt(3), metric, 1000, inRange))).toBeGreaterThanOrEqual(0.95)
      const [few = []] = hitsOf(await engine.search({ ...request, rangeFilter: inner, k: 5 }))
      const nearest = all.slice(5, 10)
      // A graph may miss a row now and then; a scan may not.
      if (setId === metric) expect(recall(few, nearest)).toBeGreaterThanOrEqual(0.6)
      else expect(few.map(({ row }) => row)).toEqual(nearest.map(({ row }) => row))
      for (const { row } of few) expect(inRange(row, all.find((hit) => hit.row === row)?.score ?? NaN)).toBe(true)
      const [disc = []] = hitsOf(await engine.search({ ...request, k: 1000 }))
      expect(disc.length).toBeGreaterThanOrEqual(57)
      expect(disc.every(({ score }) => (metric === 'L2' ? score < outer : score > outer))).toBe(true)
    }
  })
})

describe('edges of a search', () => {
  test('more hits than rows, several queries, tiny sets, few dimensions', async () => {
    for (const [rows, dim] of [
      [1, 2],
      [2, 2],
      [2, 1],
      [300, 3],
      [40, 17],
      [5000, 5],
    ] as const) {
      const own = latent(rows, dim, rows)
      const asked = latent(3, dim, 9)
      for (const metric of metrics) {
        engine.addSet({ id: 'tiny', vectors: bytesOf(own), rows, dim, type: DataType.FloatVector, metric })
        const found = hitsOf(await engine.search({ setId: 'tiny', queries: bytesOf(asked), nq: 3, k: 500 }))
        found.forEach((hits, i) =>
          expect(hits.map(({ row }) => row)).toEqual(truth(own, asked.subarray(i * dim, (i + 1) * dim), metric, 500).map(({ row }) => row)),
        )
      }
    }
  })

  test('zero vectors have cosine 0 and equal scores come by row', async () => {
    const own = Float32Array.of(0, 0, 1, 0, -1, 0, 0, 0, 2, 0)
    engine.addSet({ id: 'zeros', vectors: bytesOf(own), rows: 5, dim: 2, type: DataType.FloatVector, metric: 'COSINE' })
    const found = hitsOf(await engine.search({ setId: 'zeros', queries: bytesOf(Float32Array.of(3, 0, 0, 0)), nq: 2, k: 5 }))
    expect(found[0]).toEqual([
      { row: 1, score: 1 },
      { row: 4, score: 1 },
      { row: 0, score: 0 },
      { row: 3, score: 0 },
      { row: 2, score: -1 },
    ])
    expect(found[1]).toEqual([0, 1, 2, 3, 4].map((row) => ({ row, score: 0 })))
  })

  test('a growing set: only the first rows, then more, then other vectors', async () => {
    const set = { id: 'growing', vectors: bytesOf(vectors), dim: DIM, type: DataType.FloatVector, metric: 'L2' }
    engine.addSet({ ...set, rows: ROWS })
    const request = { setId: 'growing', queries: bytesOf(vectors.subarray(9000 * DIM, 9001 * DIM)), nq: 1, k: 1 }
    expect((await engine.search({ ...request, rows: 9000 })).rows[0]).not.toBe(9000)
    expect((await engine.search({ ...request, rows: 9001 })).rows[0]).toBe(9000)
    engine.addSet({ ...set, rows: 8000 })
    expect((await engine.search(request)).rows[0]).not.toBe(9000)
    engine.addSet({ ...set, vectors: bytesOf(vectors.slice(9000 * DIM)), rows: 3000 })
    expect((await engine.search(request)).rows[0]).toBe(0)
  })

  test('other types of vectors: half, brain float, bytes, bits', async () => {
    const half = Uint16Array.of(0x3c00, 0, 0, 0x4000, 0xc000, 0x0001)
    engine.addSet({ id: 'half', vectors: new Uint8Array(half.buffer), rows: 3, dim: 2, type: DataType.Float16Vector, metric: 'IP' })
    const byHalf = hitsOf(
      await engine.search({ setId: 'half', queries: new Uint8Array(Uint16Array.of(0x3c00, 0x3c00).buffer), nq: 1, k: 3 }),
    )
    expect(byHalf[0]?.map(({ row }) => row)).toEqual([1, 0, 2])
    expect(byHalf[0]?.[0]?.score).toBe(2)
    const brain = Uint16Array.of(0x3f80, 0, 0, 0x4000)
    engine.addSet({ id: 'brain', vectors: new Uint8Array(brain.buffer), rows: 2, dim: 2, type: DataType.BFloat16Vector, metric: 'L2' })
    expect(hitsOf(await engine.search({ setId: 'brain', queries: new Uint8Array(4), nq: 1, k: 3 }))[0]).toEqual([
      { row: 0, score: 1 },
      { row: 1, score: 4 },
    ])
    engine.addSet({ id: 'bytes', vectors: Uint8Array.of(1, 2, 255, 254), rows: 2, dim: 2, type: DataType.Int8Vector, metric: 'L2' })
    expect(hitsOf(await engine.search({ setId: 'bytes', queries: Uint8Array.of(255, 255), nq: 1, k: 1 }))[0]).toEqual([
      { row: 1, score: 1 },
    ])
    const bits = { vectors: Uint8Array.of(0b1111, 0, 0b0011, 0, 0, 0), rows: 3, dim: 16, type: DataType.BinaryVector }
    engine.addSet({ id: 'hamming', ...bits, metric: 'HAMMING' })
    engine.addSet({ id: 'jaccard', ...bits, metric: 'JACCARD' })
    const asked = { queries: Uint8Array.of(0b0111, 0), nq: 1, k: 3 }
    expect(hitsOf(await engine.search({ setId: 'hamming', ...asked }))[0]).toEqual([
      { row: 0, score: 1 },
      { row: 1, score: 1 },
      { row: 2, score: 3 },
    ])
    expect(hitsOf(await engine.search({ setId: 'jaccard', ...asked }))[0]?.map(({ score }) => score)).toEqual([0.25, Math.fround(1 / 3), 1])
  })

  test('half floats are indexed too', async () => {
    const rows = 4000
    const packed = new Uint8Array(rows * DIM * 2)
    const words = new Uint32Array(vectors.buffer, 0, rows * DIM)
    for (let i = 0; i < words.length; i++) new DataView(packed.buffer).setUint16(i * 2, (words[i] ?? 0) >>> 16, true)
    const set = { vectors: packed, rows, dim: DIM, type: DataType.BFloat16Vector, metric: 'L2' }
    const path = join(folder, 'brain')
    const { crc32 } = await engine.buildIndex({ ...set, path })
    engine.addSet({ id: 'brain', ...set })
    await engine.attachIndex({ setId: 'brain', path, crc32 })
    let found = 0
    for (let row = 0; row < 50; row++) {
      const result = await engine.search({ setId: 'brain', queries: packed.slice(row * DIM * 2, (row + 1) * DIM * 2), nq: 1, k: 1 })
      if (result.rows[0] === row && result.scores[0] === 0) found++
    }
    // A graph may miss a stored vector now and then; wrong decoding would miss nearly all.
    expect(found).toBeGreaterThanOrEqual(47)
  })

  test('many searches at once come back each to its own', async () => {
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        engine.search({ setId: 'L2', queries: bytesOf(vectors.subarray(i * DIM, (i + 1) * DIM)), nq: 1, k: 1, ef: 400 }),
      ),
    )
    // A graph may miss a stored vector now and then; answers that went to others would miss nearly all.
    expect(all.filter(({ rows }, i) => rows[0] === i).length).toBeGreaterThanOrEqual(190)
    const requests = metrics.flatMap((setId) => [
      { setId, queries: bytesOf(queryAt(1)), nq: 1, k: 3 },
      { setId: `${setId}-scan`, queries: bytesOf(queryAt(1)), nq: 1, k: 3 },
    ])
    const many = await engine.searchMany([...requests, { setId: 'zeros', queries: new Uint8Array(8), nq: 1, k: 3 }])
    expect(many).toHaveLength(7)
    metrics.forEach((metric, i) => {
      const expected = truth(vectors, queryAt(1), metric, 3)
      expect([...(many[i * 2 + 1]?.rows ?? [])]).toEqual(expected.map(({ row }) => row))
    })
  })

  test('wrong arguments are refused with what was expected', async () => {
    const good = { setId: 'L2', queries: bytesOf(queryAt(0)), nq: 1, k: 1 }
    for (const bad of [
      { k: 0 },
      { k: 1.5 },
      { nq: 0 },
      { nq: 2 },
      { ef: 0 },
      { queries: new Uint8Array(5) },
      { mask: new Uint8Array(5) },
    ]) {
      await expect(engine.search({ ...good, ...bad })).rejects.toBeInstanceOf(RangeError)
    }
    await expect(engine.search({ ...good, setId: 'nothing' })).rejects.toMatchObject({ code: 'ENGINE_UNKNOWN_SET' })
    const set = { id: 'x', vectors: new Uint8Array(8), rows: 1, dim: 2, type: DataType.FloatVector, metric: 'L2' }
    for (const bad of [{ rows: 2 }, { dim: 0 }, { metric: 'HAMMING' }, { metric: 'nope' }, { type: DataType.BinaryVector }]) {
      expect(() => engine.addSet({ ...set, ...bad })).toThrow(RangeError)
    }
    await expect(openEngine({ threads: 0 })).rejects.toBeInstanceOf(RangeError)
    engine.dropSet('nothing')
  })
})

describe('index files', () => {
  test('a damaged, cut or foreign file is refused before the library sees it, and the search goes on', async () => {
    const { path, crc32 } = files.get('L2') ?? { path: '', crc32: 0 }
    const bytes = await readFile(path)
    engine.addSet({ id: 'damaged', vectors: bytesOf(vectors), rows: ROWS, dim: DIM, type: DataType.FloatVector, metric: 'L2' })
    for (const [name, content] of [
      ['cut', bytes.subarray(0, 1000)],
      ['empty', new Uint8Array()],
      ['flipped', Uint8Array.from(bytes, (byte, i) => (i === 5000 ? byte ^ 1 : byte))],
    ] as const) {
      await writeFile(join(folder, name), content)
      await expect(engine.attachIndex({ setId: 'damaged', path: join(folder, name), crc32 })).rejects.toMatchObject({
        code: 'ENGINE_INDEX_CORRUPT',
      })
    }
    await expect(engine.attachIndex({ setId: 'damaged', path: join(folder, 'missing'), crc32 })).rejects.toMatchObject({
      code: 'ENGINE_INDEX_CORRUPT',
    })
    engine.addSet({ id: 'other', vectors: bytesOf(vectors), rows: 100, dim: DIM, type: DataType.FloatVector, metric: 'L2' })
    await expect(engine.attachIndex({ setId: 'other', path, crc32 })).rejects.toMatchObject({ code: 'ENGINE_INDEX_CORRUPT' })
    expect(await averageRecall('damaged', 'L2', 5)).toBe(1)
    await expect(engine.attachIndex({ setId: 'nothing', path, crc32 })).rejects.toMatchObject({ code: 'ENGINE_UNKNOWN_SET' })
  })

  test('progress is told, an aborted build stops and leaves no file', async () => {
    const set = { vectors: bytesOf(vectors), rows: ROWS, dim: DIM, type: DataType.FloatVector, metric: 'L2', path: join(folder, 'aborted') }
    const abort = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const building = engine.buildIndex({
      ...set,
      params: { M: 32, efConstruction: 1000 },
      signal: abort.signal,
      onProgress: (rows) => {
        seen.push(rows)
        abort.abort(reason)
      },
    })
    await expect(building).rejects.toBe(reason)
    expect(seen.length).toBeLessThan(6)
    await expect(stat(set.path)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(engine.buildIndex({ ...set, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await expect(engine.buildIndex({ ...set, params: { M: 1 } })).rejects.toBeInstanceOf(RangeError)
    await expect(engine.buildIndex({ ...set, path: join(folder, 'no', 'folder') })).rejects.toMatchObject({ code: 'ENGINE_INDEX_FAILED' })
  })

  test('a build that takes its vectors over finds what one on a copy finds, and their memory is gone from here', async () => {
    const own = bytesOf(vectors).slice(0, 2000 * DIM * 4)
    const set = { rows: 2000, dim: DIM, type: DataType.FloatVector, metric: 'L2' }
    const path = join(folder, 'own')
    const building = engine.buildIndex({ ...set, vectors: own, isOwn: true, path, threads: 1 })
    const copied = await engine.buildIndex({ ...set, vectors: bytesOf(vectors).slice(0, 2000 * DIM * 4), path: join(folder, 'copied'), threads: 1 })
    expect(await building).toEqual(copied)
    expect(own.buffer.byteLength).toBe(0)
  })

  test('a set without rows builds and opens', async () => {
    const set = { vectors: new Uint8Array(), rows: 0, dim: DIM, type: DataType.FloatVector, metric: 'L2' }
    const path = join(folder, 'none')
    const { crc32 } = await engine.buildIndex({ ...set, path })
    engine.addSet({ id: 'none', ...set })
    await engine.attachIndex({ setId: 'none', path, crc32 })
    expect([...(await engine.search({ setId: 'none', queries: bytesOf(queryAt(0)), nq: 1, k: 5 })).counts]).toEqual([0])
  })
})
