/** The native index library, loaded when it is first needed: nodes without it scan. */
import type usearch from 'usearch'
import { DataType } from '../model/schema.ts'
import { EngineError } from './errors.ts'
import type { Metric } from './metric.ts'
import { throughGate, throughGateAsync } from './native-gate.ts'

export type Quantization = 'bf16' | 'f32'

export interface IndexShape {
  readonly dim: number
  readonly metric: Metric
  readonly quantization: Quantization
}

/** What is used of the library's index. A search gives the keys, nearest first. */
export interface Index {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void
  search(vector: Float32Array, count: number, threads: number): { readonly keys: BigUint64Array }
  /** Maps a file. */
  view(path: string): void
  save(path: string): void
  dimensions(): number
  size(): number
}

type Library = typeof usearch
let library: Promise<Library> | undefined

async function load(): Promise<Library> {
  library ??= throughGateAsync(() => import('usearch')).then((module) => module.default)
  try {
    return await library
  } catch (error) {
    library = undefined
    throw new EngineError('ENGINE_INDEX_UNAVAILABLE', 'usearch cannot be loaded', { cause: error })
  }
}

export function canIndex(type: DataType): boolean {
  return type !== DataType.BinaryVector && type !== DataType.SparseFloatVector && type !== DataType.ArrayOfVector
}

/**
 * An empty index. COSINE is inner product of vectors that the caller has scaled to length 1, so that zero vectors are defined.
 * The search effort is 1: the library takes the larger of it and of the number wanted, so `search(query, ef)` sets it anew each
 * time and no file need be opened twice.
 */
export async function createIndex(shape: IndexShape, connectivity = 16, effort = 128): Promise<Index> {
  const { Index, MetricKind, ScalarKind } = await load()
  const make = () => new Index({
    dimensions: shape.dim,
    metric: shape.metric === 'L2' ? MetricKind.L2sq : MetricKind.IP,
    quantization: shape.quantization === 'f32' ? ScalarKind.F32 : ScalarKind.BF16,
    connectivity,
    expansion_add: effort,
    expansion_search: 1,
    multi: false,
  })
  const index = throughGate(make)
  return {
    add: (keys, vectors, threads) => throughGate(() => index.add(keys, vectors, threads)),
    search: (vector, count, threads) => throughGate(() => index.search(vector, count, threads)),
    view: (path) => throughGate(() => index.view(path)),
    save: (path) => throughGate(() => index.save(path)),
    dimensions: () => throughGate(() => index.dimensions()),
    size: () => throughGate(() => index.size()),
  }
}
