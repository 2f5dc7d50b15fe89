/** An index as it is searched: by the vectors of a query, whatever the file holds. */
import { type ByteGrid, type Codes, encodeQuery } from './byte-grid.ts'
import { EngineError } from './errors.ts'
import { readGrid } from './grid-file.edge.ts'
import type { VectorSet } from './metric.ts'
import { createIndex, type Index } from './native.ts'
import { toUnits } from './unit-length.ts'

/** A query in the form of the file's vectors. */
export interface Probe {
  readonly vector: Float32Array | Codes
  /** How many candidates to ask for instead of one: more where the query lies off the grid. */
  readonly widening: number
}

export interface Graph {
  /** Undefined where the index cannot tell what is near to the query. */
  probe(query: Float32Array): Probe | undefined
  /** Keys, nearest first; fewer than `count` where there are no more. */
  search(probe: Probe, count: number): BigUint64Array
}

/** Steps of the grid (of which there are 127 to each side) by which a query may be off it. */
const FAR_OUTSIDE = 64
const OUTSIDE = 8
const WIDENING = 4

/** Maps the file. It is read as what it says it is. Throws ENGINE_INDEX_CORRUPT where it has not these rows and dimensions. */
export async function openGraph(path: string, set: Pick<VectorSet, 'dim' | 'metric' | 'rows'>): Promise<Graph> {
  const { dim, metric, rows } = set
  const grid = await readGrid(path, dim)
  const index = await createIndex({ dim, metric, quantization: grid === undefined ? 'bf16' : 'i8' })
  try {
    index.view(path)
  } catch (error) {
    throw new EngineError('ENGINE_INDEX_CORRUPT', `${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (index.dimensions() !== dim || index.size() !== rows) {
    throw new EngineError('ENGINE_INDEX_CORRUPT', `${path}: has ${index.size()} x ${index.dimensions()} vectors, expected ${rows} x ${dim}`)
  }
  return graphOf(index, grid, set)
}

function graphOf(index: Index, grid: ByteGrid | undefined, { dim, metric }: Pick<VectorSet, 'dim' | 'metric'>): Graph {
  const scaled = (query: Float32Array) => (metric === 'COSINE' ? (toUnits(query.slice(), dim) ?? query) : query)
  return {
    probe(query) {
      const vector = scaled(query)
      if (grid === undefined) return { vector, widening: 1 }
      const { codes, outside } = encodeQuery(vector, grid, metric)
      return outside > FAR_OUTSIDE ? undefined : { vector: codes, widening: outside > OUTSIDE ? WIDENING : 1 }
    },
    search: ({ vector }, count) => index.search(vector, count, 1).keys,
  }
}
