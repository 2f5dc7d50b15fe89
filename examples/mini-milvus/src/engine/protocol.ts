/** What the engine and its worker threads say to each other. */
import type { IndexedColumn } from '../scalar/index.ts'
import type { VectorSet } from './metric.ts'
import type { Quantization } from './native.ts'
import type { SearchQuery, SearchResult } from './search.ts'

export interface SearchItem {
  readonly id: string
  readonly query: SearchQuery
}

export type ToWorker =
  | { readonly kind: 'set'; readonly id: string; readonly set: VectorSet }
  | { readonly kind: 'drop'; readonly id: string }
  | { readonly kind: 'verify'; readonly seq: number; readonly path: string; readonly crc32: number }
  | { readonly kind: 'attach'; readonly seq: number; readonly id: string; readonly path: string }
  | { readonly kind: 'detach'; readonly id: string }
  | { readonly kind: 'search'; readonly seq: number; readonly items: readonly SearchItem[] }

export interface Failure {
  readonly code: string
  readonly message: string
}

export type FromWorker =
  { readonly seq: number; readonly results: readonly SearchResult[] } | { readonly seq: number; readonly error: Failure }

export interface BuildJob {
  readonly set: VectorSet
  readonly connectivity: number
  readonly effort: number
  readonly quantization: Quantization
  readonly threads: number
  /** A new file. */
  readonly path: string
  /** Not 0: stop before the next chunk. */
  readonly cancel: Int32Array
}

export type FromBuilder =
  | { readonly kind: 'progress'; readonly rows: number }
  | { readonly kind: 'done'; readonly bytes: number; readonly crc32: number }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly error: Failure }

/** Sparse vectors to be turned around. */
export interface InvertJob {
  readonly vectors: Uint8Array
  readonly offsets: Uint32Array
  readonly rows: number
}

/** Values to be brought into order. */
export interface SortJob {
  readonly column: IndexedColumn
}

/** What a worker says that does one thing. */
export type FromOnce<T> = { readonly result: T } | { readonly error: Failure }

export type WorkerRole =
  | { readonly role: 'search' }
  | { readonly role: 'invert'; readonly job: InvertJob }
  | { readonly role: 'sort'; readonly job: SortJob }
  | { readonly role: 'build'; readonly job: BuildJob }

export function toFailure(error: unknown): Failure {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  return { code, message: error instanceof Error ? error.message : String(error) }
}
