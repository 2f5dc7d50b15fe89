import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeQuery, encodeRows, gridOf } from '../../src/engine/byte-grid.ts'
import { chooseGrid } from '../../src/engine/grid-choice.ts'
import { appendGrid, readGrid } from '../../src/engine/grid-file.edge.ts'
import { type BuildIndexOptions, type Engine, openEngine } from '../../src/engine/index.ts'
import type { Metric } from '../../src/engine/metric.ts'
import { canTakeBytes } from '../../src/engine/native.ts'
import { localOrder } from '../../src/engine/order.ts'
import { DataType } from '../../src/model/schema.ts'
import { bytesOf, hitsOf, latent, randomOf, recall, truth } from './vectors.ts'

const ROWS = 6000
const DIM = 32
const QUERIES = 40
let folder = ''
let engine: Engine

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-bytes-'))
  engine = await openEngine({ threads: 2 })
})

afterAll(async () => {
  await engine.close()
  await rm(folder, { recursive: true, force: true })
})

type Change = (value: number, row: number, d: number) => number

/** Rows and queries of one distribution, changed value by value. */
function data(change: Change = (value) => value, rows = ROWS): { values: Float32Array; queries: Float32Array } {
  const values = latent(rows, DIM, 1)
  const queries = latent(QUERIES, DIM, 2)
  for (const array of [values, queries]) for (let i = 0; i < array.length; i++) array[i] = change(array[i] ?? 0, Math.floor(i / DIM), i % DIM)
  return { values, queries }
}

let built = 0
async function open(values: Float32Array, metric: string, more: Partial<BuildIndexOptions> = {}): Promise<{ id: string; path: string }> {
  const id = `set${++built}`
  const path = join(folder, id)
  const set = { vectors: bytesOf(values), rows: values.length / DIM, dim: DIM, type: DataType.FloatVector, metric }
  const { crc32 } = await engine.buildIndex({ ...set, path, ...more })
  engine.addSet({ id, ...set })
  await engine.attachIndex({ setId: id, path, crc32 })
  return { id, path }
}

async function recallOf(setId: string, values: Float32Array, queries: Float32Array, metric: string, k: number): Promise<number> {
  let sum = 0
  for (let i = 0; i < QUERIES; i++) {
    const query = queries.subarray(i * DIM, (i + 1) * DIM)
    const [found = []] = hitsOf(await engine.search({ setId, queries: bytesOf(query), nq: 1, k }))
    sum += recall(found, truth(values, query, metric, k))
  }
  return sum / QUERIES
}

const chosen = (values: Float32Array, metric: Metric, dim = DIM) => {
  const rows = values.length / dim
  const set = { vectors: bytesOf(values), rows, dim, type: DataType.FloatVector, metric }
  return chooseGrid(set, localOrder(values, dim, rows, () => false))
}

test('bytes reach the library as they are', async () => {
  expect(await canTakeBytes()).toBe(true)
})

describe('an index of bytes', () => {
  test.each(['L2', 'IP', 'COSINE'])('of %s finds the best 1, 10 and 100, and is ranked by the exact vectors', async (metric) => {
    const { values, queries } = data()
    const { id, path } = await open(values, metric)
    expect(await readGrid(path, DIM)).toBeDefined()
    for (const k of [1, 10, 100]) expect(await recallOf(id, values, queries, metric, k)).toBeGreaterThanOrEqual(0.95)
    const query = queries.subarray(0, DIM)
    const [found = []] = hitsOf(await engine.search({ setId: id, queries: bytesOf(query), nq: 1, k: 10 }))
    const all = new Map(truth(values, query, metric, ROWS).map(({ row, score }) => [row, score]))
    for (const { row, score } of found) expect(score).toBeCloseTo(all.get(row) ?? NaN, 4)
  })

  test('a middle far from zero, tiny values and dimensions that never change cost nothing', async () => {
    const { values, queries } = data((value, _row, d) => (d < 3 ? 1e-20 : 1e-20 * (value + 40)))
    const { id, path } = await open(values, 'L2')
    expect(await readGrid(path, DIM)).toBeDefined()
    // Their squares are below what float32 can tell: compare with what a scan gives in the right scale.
    const scaled = values.map((value) => value * 1e20)
    let sum = 0
    for (let i = 0; i < QUERIES; i++) {
      const query = queries.subarray(i * DIM, (i + 1) * DIM)
      const [found = []] = hitsOf(await engine.search({ setId: id, queries: bytesOf(query), nq: 1, k: 10 }))
      sum += recall(found, truth(scaled, query.map((value) => value * 1e20), 'L2', 10))
    }
    expect(sum / QUERIES).toBeGreaterThanOrEqual(0.95)
  })

  test('a query that lies off the grid, a little or far, finds its neighbours', async () => {
    const { values, queries } = data()
    const { id } = await open(values, 'L2')
    for (const factor of [2, 50]) {
      const away = queries.map((value) => value * factor)
      expect(await recallOf(id, values, away, 'L2', 10)).toBeGreaterThanOrEqual(0.95)
    }
  })

  test('stored bytes are indexed as they are', async () => {
    const random = randomOf(5)
    const vectors = Uint8Array.from({ length: ROWS * DIM }, () => Math.floor(random() * 256))
    const set = { vectors, rows: ROWS, dim: DIM, type: DataType.Int8Vector, metric: 'L2' }
    const path = join(folder, 'stored')
    const { crc32 } = await engine.buildIndex({ ...set, path })
    expect(await readGrid(path, DIM)).toEqual({ scale: 1, offsets: new Float32Array(DIM) })
    engine.addSet({ id: 'stored', ...set })
    await engine.attachIndex({ setId: 'stored', path, crc32 })
    let found = 0
    for (let row = 0; row < 50; row++) {
      const { rows, scores } = await engine.search({ setId: 'stored', queries: vectors.slice(row * DIM, (row + 1) * DIM), nq: 1, k: 1 })
      if (rows[0] === row && scores[0] === 0) found++
    }
    // A graph may miss a stored vector now and then.
    expect(found).toBeGreaterThanOrEqual(47)
  })
})

describe('where bytes would lose', () => {
  test('rows stay in bfloat16, and are found', async () => {
    // A value in a hundred is a thousand times larger: the others have no step of the grid left.
    const { values, queries } = data((value, row, d) => ((row * 31 + d) % 101 === 0 ? value * 1000 : value))
    const { id, path } = await open(values, 'L2')
    expect(await readGrid(path, DIM)).toBeUndefined()
    expect(await recallOf(id, values, queries, 'L2', 10)).toBeGreaterThanOrEqual(0.9)
  })

  test('the choice is made by the rows', () => {
    const { values } = data(undefined, 3000)
    for (const metric of ['L2', 'IP', 'COSINE'] as const) expect(chosen(values, metric)).toBeDefined()
    const withZero = values.slice()
    withZero.fill(0, 5 * DIM, 6 * DIM)
    expect(chosen(withZero, 'COSINE')).toBeUndefined()
    expect(chosen(withZero, 'L2')).toBeDefined()
    // One value of all may spoil the grid of the others.
    const outlier = values.slice()
    outlier[777] = 1e6
    for (const metric of ['L2', 'IP'] as const) expect(chosen(outlier, metric)).toBeUndefined()
    expect(chosen(new Float32Array(3000 * DIM).fill(3), 'L2')).toBeUndefined()
    expect(chosen(new Float32Array(0), 'L2')).toBeUndefined()
    expect(chosen(latent(3000, 8, 1), 'L2', 8)).toBeUndefined()
    expect(chosen(values.map((value) => value * 1e15), 'L2')).toBeDefined()
    const infinite = values.slice()
    infinite[3] = Infinity
    expect(chosen(infinite, 'L2')).toBeUndefined()
  })

  test('clusters that are tighter than a step of the grid are seen', () => {
    const random = randomOf(3)
    const centres = latent(30, DIM, 4)
    const values = new Float32Array(new SharedArrayBuffer(3000 * DIM * 4))
    for (let i = 0; i < values.length; i++) values[i] = (centres[(Math.floor(i / DIM) % 30) * DIM + (i % DIM)] ?? 0) + 1e-3 * random()
    expect(chosen(values, 'L2')).toBeUndefined()
  })
})

describe('files', () => {
  test('of bfloat16, as older nodes wrote them, open and are searched', async () => {
    const { values, queries } = data()
    const { id, path } = await open(values, 'COSINE', { quantization: 'bf16' })
    expect(await readGrid(path, DIM)).toBeUndefined()
    expect(await recallOf(id, values, queries, 'COSINE', 10)).toBeGreaterThanOrEqual(0.95)
  })

  test('a grid is read as it was written, and only by its dimensions', async () => {
    const path = join(folder, 'grid')
    await writeFile(path, 'anything')
    const grid = { scale: 1 / 3, offsets: Float32Array.of(1, -2, 1e-30) }
    await appendGrid(path, grid)
    expect(await readGrid(path, 3)).toEqual(grid)
    expect(await readGrid(path, 2)).toBeUndefined()
    expect(await readGrid(path, 4)).toBeUndefined()
    await writeFile(path, '')
    expect(await readGrid(path, 3)).toBeUndefined()
  })
})

describe('codes', () => {
  test('are rounded, cut off, and NaN becomes the middle', () => {
    const grid = gridOf(Float32Array.of(1, 1, 1), 127)
    if (grid === undefined) throw new Error('no grid')
    expect([...encodeRows(Float32Array.of(1, 2.4, 2.6, 500, -500, NaN), grid)]).toEqual([0, 1, 2, 127, -127, 0])
    expect(encodeQuery(Float32Array.of(1, 1, 228 + 30), grid, 'L2').outside).toBeCloseTo(130)
    expect(gridOf(Float32Array.of(0), 0)).toBeUndefined()
    expect(gridOf(Float32Array.of(0), Infinity)).toBeUndefined()
  })

  test('of a query by inner product have its own scale', () => {
    const grid = { scale: 1, offsets: new Float32Array(2) }
    expect([...encodeQuery(Float32Array.of(1000, -500), grid, 'IP').codes]).toEqual([127, -63])
    expect([...encodeQuery(Float32Array.of(0, 0), grid, 'IP').codes]).toEqual([0, 0])
  })
})
