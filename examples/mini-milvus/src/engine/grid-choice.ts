/** Whether an index may hold bytes: what the rounding would lose is tried on some of the rows before it is built. */
import { DataType } from '../model/schema.ts'
import { type ByteGrid, encodeRows, gridOf, meanOf, outermostOf } from './byte-grid.ts'
import { decodeRows } from './decode.ts'
import type { Metric, VectorSet } from './metric.ts'
import { TopK } from './top-k.ts'
import { toUnits } from './unit-length.ts'

/** With fewer dimensions there is little memory to save, and few values to even out the rounding. */
const MIN_DIM = 16
const STEP_ROWS = 2048
/** Trials: rows that ask for their neighbours among the rows around them. */
const BLOCKS = 8
const BLOCK_ROWS = 1024
const ASKED_OF_BLOCK = 4
/** As a search does it: so many are wanted, and so many that the codes find best are ranked by the exact vectors. */
const WANTED = 10
const RANKED = 26
const MIN_KEPT = 0.99

/**
 * The grid for these rows; undefined where they are better kept as bfloat16: of few dimensions, where outliers leave the others
 * few steps of the grid, where rows lie closer than it can tell apart, without extent, with zeros among directions.
 * @param order rows near to each other side by side, as they will be added
 */
export function chooseGrid(set: VectorSet, order: Uint32Array | undefined): ByteGrid | undefined {
  const { type, metric, dim, rows } = set
  if (dim < MIN_DIM || rows === 0) return undefined
  // Bytes are kept as they are, but for the -128 that becomes -127.
  if (type === DataType.Int8Vector && metric !== 'COSINE') return { scale: 1, offsets: new Float32Array(dim) }
  if (type !== DataType.FloatVector || order === undefined) return undefined
  const grid = fitGrid(set)
  return grid !== undefined && keepsNeighbours(set, order, grid) ? grid : undefined
}

function fitGrid(set: VectorSet): ByteGrid | undefined {
  const { rows, dim, metric } = set
  const sample = Uint32Array.from({ length: Math.min(rows, STEP_ROWS) }, (_, i) => Math.floor((i * rows) / Math.min(rows, STEP_ROWS)))
  const offsets = metric === 'IP' ? new Float32Array(dim) : meanOf(pick(set, sample), dim)
  let outermost = 0
  for (let begin = 0; begin < rows; begin += STEP_ROWS) {
    const values = decodeRows(set.vectors, set.type, dim, begin, Math.min(rows, begin + STEP_ROWS))
    const units = metric === 'COSINE' ? toUnits(values.slice(), dim) : values
    // A zero vector has cosine 0 with all others; as a point it would be near to many.
    if (units === undefined) return undefined
    outermost = outermostOf(units, offsets, outermost)
  }
  return gridOf(offsets, outermost)
}

function keepsNeighbours(set: VectorSet, order: Uint32Array, grid: ByteGrid): boolean {
  const { rows, dim, metric } = set
  const length = Math.min(rows, BLOCK_ROWS)
  const blocks = Math.min(BLOCKS, Math.ceil(rows / length))
  let kept = 0
  for (let b = 0; b < blocks; b++) {
    const begin = blocks === 1 ? 0 : Math.floor((b * (rows - length)) / (blocks - 1))
    // The best by inner product lie anywhere.
    const picked = metric === 'IP' ? Uint32Array.from({ length }, (_, i) => Math.floor(((i + b / blocks) * rows) / length)) : order.subarray(begin, begin + length)
    const values = pick(set, picked)
    if (metric === 'COSINE') toUnits(values, dim)
    // As floats too: one kind of array keeps the loop that reads both fast.
    const codes = new Float32Array(encodeRows(values, grid))
    for (let q = 0; q < ASKED_OF_BLOCK; q++) kept += keptOf(values, codes, dim, metric, Math.floor(((q + 0.5) * length) / ASKED_OF_BLOCK))
  }
  return kept / (blocks * ASKED_OF_BLOCK) >= MIN_KEPT
}

/** The share of the row's best neighbours that are among the best by code. */
function keptOf(values: Float32Array, codes: Float32Array, dim: number, metric: Metric, row: number): number {
  const wanted = nearest(values, dim, metric, row, WANTED)
  const ranked = new Set(nearest(codes, dim, metric, row, RANKED))
  let kept = 0
  for (const neighbour of wanted) if (ranked.has(neighbour)) kept++
  return wanted.length === 0 ? 1 : kept / wanted.length
}

const top = new TopK()

function nearest(values: Float32Array, dim: number, metric: Metric, row: number, k: number): Uint32Array {
  top.reset(k)
  for (let other = 0; other * dim < values.length; other++) {
    if (other === row) continue
    top.offer(Math.fround(metric === 'IP' ? -product(values, row * dim, other * dim, dim) : distance(values, row * dim, other * dim, dim)), other)
  }
  const found = new Uint32Array(k)
  return found.subarray(0, top.drain(new Float32Array(k), found, 0))
}

function product(values: Float32Array, a: number, b: number, dim: number): number {
  let sum = 0
  for (let d = 0; d < dim; d++) sum += (values[a + d] as number) * (values[b + d] as number)
  return sum
}

function distance(values: Float32Array, a: number, b: number, dim: number): number {
  let sum = 0
  for (let d = 0; d < dim; d++) {
    const difference = (values[a + d] as number) - (values[b + d] as number)
    sum += difference * difference
  }
  return sum
}

function pick(set: VectorSet, rows: Uint32Array): Float32Array {
  const values = decodeRows(set.vectors, set.type, set.dim, 0, set.rows)
  const target = new Float32Array(rows.length * set.dim)
  for (const [i, row] of rows.entries()) target.set(values.subarray(row * set.dim, (row + 1) * set.dim), i * set.dim)
  return target
}
