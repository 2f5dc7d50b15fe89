/** What a remote source asks of a Milvus server, in plain values: 64 bit numbers are decimal strings. */
import type { Json } from '../core/model.ts'

export interface CollectionListed {
  readonly id: string
  readonly name: string
  readonly createdTs: string
}

export interface CollectionDescribed extends CollectionListed {
  readonly description: string
  readonly shards: number
  readonly consistency: string
  readonly dynamicField: boolean
  readonly fields: readonly Json[]
  readonly properties: { readonly [key: string]: string }
  readonly channels: readonly string[]
  readonly aliases: readonly string[]
  /** Of the last change of the schema, where the server says it. */
  readonly updatedTs: string | undefined
}

export interface IndexDescribed {
  readonly name: string
  readonly field: string
  readonly indexType: string
  readonly metric: string
  readonly params: { readonly [key: string]: string }
  readonly state: string
  readonly indexedRows: string
  readonly totalRows: string
  readonly pendingRows: string
  readonly reason: string
}

export interface MilvusApi {
  /** Version and what tells this server from another, where it says so. */
  connect(signal: AbortSignal): Promise<{ readonly version: string; readonly fingerprint?: string | undefined }>
  databases(): Promise<readonly string[]>
  collections(db: string): Promise<readonly CollectionListed[]>
  describe(db: string, collection: string): Promise<CollectionDescribed>
  indexes(db: string, collection: string): Promise<readonly IndexDescribed[]>
  partitions(db: string, collection: string): Promise<readonly { readonly id: string; readonly name: string }[]>
  loadState(db: string, collection: string): Promise<{ readonly state: string; readonly percent: number | null }>
  rows(db: string, collection: string): Promise<string>
  act(action: 'flush' | 'load' | 'release' | 'drop', db: string, collection: string): Promise<void>
  search(query: { readonly db: string; readonly collection: string; readonly field?: string | undefined; readonly vector?: readonly number[] | undefined; readonly key?: string | undefined; readonly filter?: string | undefined; readonly limit: number }): Promise<readonly { readonly [field: string]: Json }[]>
  close(): Promise<void>
}
