/** Builds one index, in a thread of its own. */
import { DataType } from '../model/schema.ts'
import { encodeRows } from './byte-grid.ts'
import { decodeRows } from './decode.ts'
import { EngineError } from './errors.ts'
import { chooseGrid } from './grid-choice.ts'
import { appendGrid } from './grid-file.edge.ts'
import { type FileSum, removeFile, sumFile } from './index-file.edge.ts'
import type { VectorSet } from './metric.ts'
import { canTakeBytes, createIndex } from './native.ts'
import { localOrder } from './order.ts'
import type { BuildJob } from './protocol.ts'
import { toUnits } from './unit-length.ts'

/** A quarter of a second's work or so: how soon a build can be cancelled. */
const CHUNK_ROWS = 2048

/** Writes the index to `job.path`, durably; undefined when it was cancelled, and then there is no file. */
export async function build(job: BuildJob, onProgress: (rows: number) => void): Promise<FileSum | undefined> {
  const { set, path, cancel } = job
  const isCancelled = () => Atomics.load(cancel, 0) !== 0
  const order = orderOf(set, isCancelled)
  const grid = job.quantization === 'i8' && !isCancelled() && (await canTakeBytes()) ? chooseGrid(set, order) : undefined
  const quantization = grid === undefined && job.quantization === 'i8' ? 'bf16' : job.quantization
  const index = await createIndex({ dim: set.dim, metric: set.metric, quantization }, job.connectivity, job.effort)
  for (let begin = 0; begin < set.rows; begin += CHUNK_ROWS) {
    if (isCancelled()) return undefined
    const end = Math.min(set.rows, begin + CHUNK_ROWS)
    const keys = new BigUint64Array(end - begin)
    for (let i = 0; i < keys.length; i++) keys[i] = BigInt(order?.[begin + i] ?? begin + i)
    const rows = chunkOf(set, order, begin, end)
    index.add(keys, grid === undefined ? rows : encodeRows(rows, grid), job.threads)
    onProgress(end)
  }
  try {
    index.save(path)
    if (grid !== undefined) await appendGrid(path, grid)
    return await sumFile(path, true)
  } catch (error) {
    await removeFile(path).catch(() => undefined)
    const reason = error instanceof Error ? error.message : String(error)
    throw new EngineError('ENGINE_INDEX_FAILED', `cannot save the index: ${reason}`, { cause: error })
  }
}

/** Only of float32: others would have to be decoded as a whole. */
function orderOf(set: VectorSet, isCancelled: () => boolean): Uint32Array | undefined {
  if (set.type !== DataType.FloatVector) return undefined
  return localOrder(decodeRows(set.vectors, set.type, set.dim, 0, set.rows), set.dim, set.rows, isCancelled)
}

function chunkOf(set: VectorSet, order: Uint32Array | undefined, begin: number, end: number): Float32Array {
  const chunk = order === undefined ? decodeRows(set.vectors, set.type, set.dim, begin, end) : gather(set, order.subarray(begin, end))
  if (set.metric !== 'COSINE') return chunk
  const units = order === undefined ? chunk.slice() : chunk
  toUnits(units, set.dim)
  return units
}

function gather(set: VectorSet, rows: Uint32Array): Float32Array {
  const values = decodeRows(set.vectors, set.type, set.dim, 0, set.rows)
  const target = new Float32Array(rows.length * set.dim)
  for (let i = 0; i < rows.length; i++) {
    const base = (rows[i] ?? 0) * set.dim
    for (let d = 0; d < set.dim; d++) target[i * set.dim + d] = values[base + d] as number
  }
  return target
}
