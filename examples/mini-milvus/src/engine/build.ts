/** Builds one index, in a thread of its own. */
import { decodeRows } from './decode.ts'
import { EngineError } from './errors.ts'
import { type FileSum, removeFile, sumFile } from './index-file.edge.ts'
import type { VectorSet } from './metric.ts'
import { createIndex } from './native.ts'
import type { BuildJob } from './protocol.ts'
import { lengthOf } from './scan.ts'

/** A quarter of a second's work or so: how soon a build can be cancelled. */
const CHUNK_ROWS = 2048

/** Writes the index to `job.path`, durably; undefined when it was cancelled, and then there is no file. */
export async function build(job: BuildJob, onProgress: (rows: number) => void): Promise<FileSum | undefined> {
  const { set, path, cancel } = job
  const index = await createIndex({ dim: set.dim, metric: set.metric, quantization: job.quantization }, job.connectivity, job.effort)
  for (let begin = 0; begin < set.rows; begin += CHUNK_ROWS) {
    if (Atomics.load(cancel, 0) !== 0) return undefined
    const end = Math.min(set.rows, begin + CHUNK_ROWS)
    const keys = new BigUint64Array(end - begin)
    for (let i = 0; i < keys.length; i++) keys[i] = BigInt(begin + i)
    index.add(keys, chunkOf(set, begin, end), job.threads)
    onProgress(end)
  }
  try {
    index.save(path)
    return await sumFile(path, true)
  } catch (error) {
    await removeFile(path).catch(() => undefined)
    throw new EngineError('ENGINE_INDEX_FAILED', `cannot save the index: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function chunkOf(set: VectorSet, begin: number, end: number): Float32Array {
  const rows = decodeRows(set.vectors, set.type, set.dim, begin, end)
  if (set.metric !== 'COSINE') return rows
  const units = rows.slice()
  for (let base = 0; base < units.length; base += set.dim) {
    const length = lengthOf(units, base, set.dim)
    if (length > 0) for (let i = base; i < base + set.dim; i++) units[i] = (units[i] ?? 0) / length
  }
  return units
}
