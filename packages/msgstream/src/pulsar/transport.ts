/**
 * What the Pulsar backend needs of a client. The one here speaks Pulsar's WebSocket API and its REST API; another one, over a native
 * client, fits when it does the same.
 */
import type { NodeBuffer } from '../remote/node-buffer.ts'
export interface PulsarEntry {
  readonly ledger: number
  /** -1: before the ledger's first entry. */
  readonly entry: number
}

export interface PulsarState {
  /** The first entry that is kept. */
  readonly first: PulsarEntry | undefined
  readonly last: PulsarEntry | undefined
  /** The last entry ever written, or the place before the first one. */
  readonly end: PulsarEntry
  readonly firstLedger: number
}

export interface PulsarSender {
  readonly isOpen: boolean
  /** In order. Rejects with an error that may have `refused: true` when the broker said no. */
  send(payload: NodeBuffer): Promise<PulsarEntry>
  close(): Promise<void>
}

export interface PulsarReceiver {
  /** This many more messages may come. */
  grant(count: number): void
  close(): Promise<void>
}

export interface PulsarListener {
  onEntry(id: PulsarEntry, payload: NodeBuffer): void
  /** The connection ended, and not by `close`. */
  onLost(error: Error): void
}

export interface PulsarTransport {
  topics(): Promise<string[]>
  create(topic: string): Promise<void>
  remove(topic: string): Promise<void>
  state(topic: string): Promise<PulsarState>
  payload(topic: string, id: PulsarEntry): Promise<NodeBuffer>
  openSender(topic: string): Promise<PulsarSender>
  /** Delivers what comes behind the entry, `window` messages before the first grant. */
  openReceiver(topic: string, after: PulsarEntry | 'earliest', window: number, listener: PulsarListener): Promise<PulsarReceiver>
  /** Ends what it shares between senders and receivers. */
  close?(): Promise<void>
}
