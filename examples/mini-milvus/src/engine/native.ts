/** The native index library, loaded when it is first needed: nodes without it scan. */
import type usearch from 'usearch'
import { DataType } from '../model/schema.ts'
import { Codes } from './byte-grid.ts'
import { EngineError } from './errors.ts'
import type { Metric } from './metric.ts'
import { throughGate, throughGateAsync } from './native-gate.ts'

/** How an index holds vectors. Only it needs those of a new one: an opened file says what it has. */
export type Quantization = 'i8' | 'bf16' | 'f32'

export interface IndexShape {
  readonly dim: number
  readonly metric: Metric
  readonly quantization: Quantization
}

/** What is used of the library's index. A search gives the keys, nearest first. */
export interface Index {
  add(keys: BigUint64Array, vectors: Float32Array | Codes, threads: number): void
  search(vector: Float32Array | Codes, count: number, threads: number): { readonly keys: BigUint64Array; readonly distances: Float32Array }
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
 * An empty index. COSINE is inner product of vectors that the caller has scaled to length 1, so that zero vectors are defined; of
 * bytes it is the distance of such, which has the same order wherever the grid's middle is.
 * The search effort is 1: the library takes the larger of it and of the number wanted, so `search(query, ef)` sets it anew each
 * time and no file need be opened twice.
 */
export async function createIndex(shape: IndexShape, connectivity = 16, effort = 128): Promise<Index> {
  const { Index, MetricKind, ScalarKind } = await load()
  const make = () => new Index({
    dimensions: shape.dim,
    metric: shape.metric === 'L2' || (shape.metric === 'COSINE' && shape.quantization === 'i8') ? MetricKind.L2sq : MetricKind.IP,
    quantization: ScalarKind[shape.quantization === 'i8' ? 'I8' : shape.quantization === 'f32' ? 'F32' : 'BF16'],
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

let takesBytes: Promise<boolean> | undefined

/** Whether bytes reach the library as they are: a cast on the way would give another distance than 3² + 4². */
export function canTakeBytes(): Promise<boolean> {
  takesBytes ??= tryBytes()
  return takesBytes
}

async function tryBytes(): Promise<boolean> {
  const index = await createIndex({ dim: 4, metric: 'L2', quantization: 'i8' })
  index.add(BigUint64Array.of(7n), Codes.of(10, 0, 127, -127), 1)
  const { keys, distances } = index.search(Codes.of(13, 4, 127, -127), 1, 1)
  return keys[0] === 7n && distances[0] === 25
}
