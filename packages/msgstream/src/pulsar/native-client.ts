/** What is used of pulsar-client: its module, or one of your own, fits when it has these. */
import type { NodeBuffer } from '../remote/node-buffer.ts'

export interface PulsarNativeId {
  serialize(): NodeBuffer
}

export interface PulsarNativeModule {
  readonly Client: new (options: { serviceUrl: string; operationTimeoutSeconds: number; authentication?: unknown }) => PulsarNativeClient
  readonly MessageId: { earliest(): PulsarNativeId; deserialize(bytes: NodeBuffer): PulsarNativeId }
  readonly AuthenticationToken?: (new (options: { token: string }) => unknown) | undefined
}

export interface PulsarNativeClient {
  createProducer(options: { topic: string; batchingEnabled: boolean; maxPendingMessages: number; blockIfQueueFull: boolean; sendTimeoutMs: number }): Promise<PulsarNativeProducer>
  createReader(options: { topic: string; startMessageId: PulsarNativeId; receiverQueueSize: number }): Promise<PulsarNativeReader>
  close(): Promise<unknown>
}

export interface PulsarNativeProducer {
  send(message: { data: NodeBuffer }): Promise<PulsarNativeId>
  close(): Promise<unknown>
}

export interface PulsarNativeReader {
  readNext(): Promise<{ getData(): NodeBuffer; getMessageId(): PulsarNativeId }>
  close(): Promise<unknown>
}
