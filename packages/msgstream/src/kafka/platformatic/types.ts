/** What is used of @platformatic/kafka 1.35 and 2, which differ in nothing of this. */
export interface ClientOptions {
  readonly clientId: string
  readonly bootstrapBrokers: string[]
  readonly timeout: number
  readonly connectTimeout: number
  readonly retries: number
  readonly retryDelay: number
  readonly autocreateTopics: boolean
  readonly tls?: object
  readonly sasl?: object
}

export interface Metadata {
  readonly brokers: ReadonlyMap<number, unknown>
  readonly topics: ReadonlyMap<string, { readonly id: string; readonly partitions: readonly { readonly leader: number; readonly leaderEpoch: number }[] } | undefined>
}

interface Client {
  metadata(options: { topics: string[]; forceUpdate?: boolean }): Promise<Metadata>
}

export interface Admin extends Client {
  close(): Promise<void>
  listTopics(): Promise<string[]>
  createTopics(options: { topics: string[]; partitions: number; replicas: number }): Promise<unknown>
  deleteTopics(options: { topics: string[] }): Promise<void>
  deleteRecords(options: { topics: { name: string; partitions: { partition: number; offset: bigint }[] }[] }): Promise<unknown>
  listOffsets(options: {
    topics: { name: string; partitions: { partitionIndex: number; timestamp: bigint }[] }[]
    isolationLevel: number
  }): Promise<{ readonly name: string; readonly partitions: readonly { readonly partitionIndex: number; readonly offset: bigint }[] }[]>
}

export interface Send {
  readonly acks: number
  readonly messages: { topic: string; partition: number; value: Uint8Array }[]
}

export interface Sent {
  readonly offsets?: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[]
}

export interface Producer extends Client {
  close(force: boolean): Promise<void>
  send(options: Send): Promise<Sent>
  beginTransaction(): Promise<Transaction>
}

export interface Transaction {
  send(options: Send): Promise<Sent>
  commit(): Promise<void>
  abort(): Promise<void>
}

/** Batches of records as they lie in the log. */
export interface Batch {
  readonly firstOffset: bigint
  readonly lastOffsetDelta: number
  readonly attributes: number
  readonly producerId: bigint
  readonly records: readonly { readonly offsetDelta: number; readonly key: Uint8Array | null; readonly value: Uint8Array | null }[]
}

export interface FetchedPartition {
  readonly logStartOffset: bigint
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  readonly records?: readonly Batch[]
}

export interface Consumer extends Client {
  close(force: boolean): Promise<void>
  fetch(options: {
    node: number
    maxWaitTime: number
    minBytes: number
    maxBytes: number
    isolationLevel: number
    topics: { topicId: string; partitions: { partition: number; currentLeaderEpoch: number; fetchOffset: bigint; lastFetchedEpoch: number; partitionMaxBytes: number }[] }[]
  }): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] }>
}

export interface Driver {
  readonly Admin: new (options: ClientOptions) => Admin
  readonly Producer: new (options: ClientOptions & { idempotent: boolean; transactionalId?: string }) => Producer
  readonly Consumer: new (options: ClientOptions & { groupId: string }) => Consumer
}
