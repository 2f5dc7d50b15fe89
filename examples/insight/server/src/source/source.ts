/** Where a layer's facts come from: pushed by the node around it, or polled from a server by address. */
import type { Json, Kind, Row } from '../core/model.ts'

/** What a source tells. Everything goes through the layer's reducer: telling twice does no harm. */
export interface Sink {
  upsert(kind: Kind, key: string, row: Row): void
  drop(kind: Kind, key: string): void
  /** A complete list of the keys under a scope: the others are gone. Never after an error. */
  full(kind: Kind, scope: string, keys: ReadonlySet<string>): void
  gauge(key: string, value: number): void
}

export interface VectorQuery {
  readonly collection: string
  readonly db: string
  readonly field?: string | undefined
  readonly vector: readonly number[] | string
  readonly filter?: string | undefined
  readonly limit?: number | undefined
}

export type ActionName = 'flush' | 'load' | 'release' | 'drop'

export interface InsightSource {
  readonly origin: 'push' | 'poll'
  /** How often `refresh` is called while all is well. */
  readonly intervalMs: number
  /** Connects; gives what tells this cluster from another at the same address, where the server says it. */
  start(sink: Sink, signal: AbortSignal): Promise<{ readonly fingerprint?: string | undefined }>
  /** One round of observations. Rejects when the server cannot be asked. */
  refresh(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
  /** What a page may ask the cluster to do, where it is allowed. */
  act?(action: ActionName, target: { readonly db: string; readonly collection: string }): Promise<void>
  search?(query: VectorQuery): Promise<{ readonly rows: readonly { readonly [field: string]: Json }[] }>
}
