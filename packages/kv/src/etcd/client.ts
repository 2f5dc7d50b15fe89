/** What is used of etcd3's raw clients, as a structure: no type of the driver leaves this package. An `Etcd3` fits. */

/** 64-bit numbers come as decimal strings. */
export interface EtcdHeader {
  readonly revision: string
}

export interface EtcdKeyValue {
  readonly key: Buffer
  readonly value: Buffer
  readonly create_revision: string
  readonly mod_revision: string
}

export interface EtcdRange {
  key: Buffer
  range_end?: Buffer
  limit?: string | number
  revision?: string | number
}

export interface EtcdRangeResult {
  readonly header: EtcdHeader
  readonly kvs: readonly EtcdKeyValue[]
  readonly more: boolean
}

export interface EtcdPut {
  key: Buffer
  value: Buffer
  lease?: string | number
}

export interface EtcdDelete {
  key: Buffer
  range_end?: Buffer
}

export interface EtcdCompare {
  key: Buffer
  target: 'Mod' | 'Create'
  result: 'Equal' | 'Greater'
  mod_revision?: string | number
  create_revision?: string | number
}

export interface EtcdOperation {
  request_put?: EtcdPut
  request_delete_range?: EtcdDelete
  request_range?: EtcdRange
}

export interface EtcdTxn {
  compare: EtcdCompare[]
  success: EtcdOperation[]
  failure: EtcdOperation[]
}

export interface EtcdTxnResult {
  readonly header: EtcdHeader
  readonly succeeded: boolean
  readonly responses: readonly { readonly response_range?: { readonly kvs: readonly EtcdKeyValue[] } }[]
}

export interface EtcdCallOptions {
  deadline?: number
}

/** A stream both ways. */
export interface EtcdStream<Out> {
  write(message: object): unknown
  end(): unknown
  cancel(): void
  on(event: 'data', listener: (message: Out) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
}

export interface EtcdWatchResponse {
  readonly header: EtcdHeader
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: string
  readonly cancel_reason?: string
  readonly fragment?: boolean
  readonly events: readonly { readonly type: 'Put' | 'Delete'; readonly kv: EtcdKeyValue }[]
}

export interface EtcdKeepAliveResponse {
  /** In seconds; 0 when the lease has ended. */
  readonly TTL: string
}

/** An etcd client with its low-level parts. */
export interface EtcdClient {
  readonly kv: {
    range(request: EtcdRange, options?: EtcdCallOptions): Promise<EtcdRangeResult>
    put(request: EtcdPut, options?: EtcdCallOptions): Promise<{ readonly header: EtcdHeader }>
    deleteRange(request: EtcdDelete, options?: EtcdCallOptions): Promise<{ readonly header: EtcdHeader }>
    txn(request: EtcdTxn, options?: EtcdCallOptions): Promise<EtcdTxnResult>
  }
  readonly leaseClient: {
    leaseGrant(request: { TTL: string | number; ID?: string | number }, options?: EtcdCallOptions): Promise<{ readonly ID: string; readonly TTL: string; readonly error: string }>
    leaseRevoke(request: { ID: string | number }, options?: EtcdCallOptions): Promise<unknown>
    leaseKeepAlive(options?: EtcdCallOptions): Promise<EtcdStream<EtcdKeepAliveResponse>>
  }
  readonly watchClient: {
    watch(options?: EtcdCallOptions): Promise<EtcdStream<EtcdWatchResponse>>
  }
  close(): void
}

/** What a client must look like from outside: an `Etcd3` fits, and no type of Node's is needed to say so. */
export interface EtcdClientLike {
  readonly kv: object
  readonly leaseClient: object
  readonly watchClient: object
  close(): void
}
