import type { NodeBuffer } from '../remote/node-buffer.ts'

/** What is used of kafkajs 2.2: a `Kafka` of your own fits when it has these. */
export interface KafkaClient {
  admin(): KafkaAdmin
  producer(options: KafkaProducerOptions): KafkaProducer
  consumer(options: {
    readonly groupId: string
    readonly maxWaitTimeInMs: number
    readonly minBytes: number
    readonly maxBytesPerPartition: number
    readonly allowAutoTopicCreation: boolean
    readonly retry: { readonly retries: number; readonly initialRetryTime: number; readonly maxRetryTime: number; readonly restartOnFailure: () => Promise<boolean> }
  }): KafkaConsumer
}

export interface KafkaProducerOptions {
  readonly idempotent: boolean
  readonly maxInFlightRequests: number
  readonly allowAutoTopicCreation: boolean
  readonly createPartitioner: () => () => number
  readonly transactionalId?: string
  readonly retry: { readonly retries: number; readonly initialRetryTime: number; readonly maxRetryTime: number }
}

export interface KafkaAdmin {
  connect(): Promise<void>
  disconnect(): Promise<void>
  listTopics(): Promise<string[]>
  createTopics(options: { topics: { topic: string; numPartitions: number; replicationFactor?: number }[]; waitForLeaders: boolean; timeout: number }): Promise<boolean>
  deleteTopics(options: { topics: string[]; timeout: number }): Promise<void>
  deleteTopicRecords(options: { topic: string; partitions: { partition: number; offset: string }[] }): Promise<void>
  deleteGroups(groups: string[]): Promise<unknown>
  fetchTopicOffsets(topic: string): Promise<{ partition: number; high: string; low: string }[]>
}

export interface KafkaSendBatch {
  readonly acks: number
  readonly topicMessages: { topic: string; messages: { value: NodeBuffer; partition: number }[] }[]
}

export interface KafkaSender {
  sendBatch(batch: KafkaSendBatch): Promise<{ topicName: string; errorCode: number; baseOffset?: string | undefined }[]>
}

export interface KafkaProducer extends KafkaSender {
  connect(): Promise<void>
  disconnect(): Promise<void>
  /** Of a producer with a `transactionalId`. */
  transaction(): Promise<KafkaTransaction>
}

export interface KafkaTransaction extends KafkaSender {
  commit(): Promise<void>
  abort(): Promise<void>
}

export interface KafkaBatch {
  readonly messages: readonly { readonly offset: string; readonly value: NodeBuffer | null }[]
}

export interface KafkaConsumer {
  readonly events: { readonly GROUP_JOIN: 'consumer.group_join'; readonly CRASH: 'consumer.crash'; readonly END_BATCH_PROCESS: 'consumer.end_batch_process' }
  connect(): Promise<void>
  disconnect(): Promise<void>
  subscribe(options: { topics: string[]; fromBeginning: boolean }): Promise<void>
  run(options: { autoCommit: boolean; eachBatch: (payload: { batch: KafkaBatch; heartbeat(): Promise<void> }) => Promise<void> }): Promise<void>
  seek(position: { topic: string; partition: number; offset: string }): void
  on(event: 'consumer.group_join', listener: () => void): unknown
  on(event: 'consumer.end_batch_process', listener: (event: { readonly payload: { readonly lastOffset: string } }) => void): unknown
  on(event: 'consumer.crash', listener: (event: { readonly payload: { readonly error: Error; readonly restart: boolean } }) => void): unknown
}
