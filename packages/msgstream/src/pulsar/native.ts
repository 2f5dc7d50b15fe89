/**
 * Messages through pulsar-client, everything else by REST. The client knows neither the last id nor an inclusive start; its readers
 * begin behind the id, which is what a receiver asks for. One client per process: its constructors are not safe in worker threads.
 */
import { MsgStreamError } from '../errors.ts'
import { decodeMessageId, encodeMessageId } from './message-id.ts'
import type { PulsarNativeClient, PulsarNativeModule, PulsarNativeProducer, PulsarNativeReader } from './native-client.ts'
import type { PulsarEntry, PulsarListener, PulsarReceiver, PulsarSender, PulsarState, PulsarTransport } from './transport.ts'

/** What the client cannot do. */
export interface PulsarAdmin {
  topics(): Promise<string[]>
  create(topic: string): Promise<void>
  remove(topic: string): Promise<void>
  state(topic: string): Promise<PulsarState>
  payload(topic: string, id: PulsarEntry): Promise<Buffer>
}

export interface NativeTransportOptions {
  readonly module: PulsarNativeModule
  readonly serviceUrl: string
  readonly admin: PulsarAdmin
  readonly tenant: string
  readonly namespace: string
  readonly token: string | undefined
  readonly timeoutMs: number
}

export async function loadNativeClient(): Promise<PulsarNativeModule> {
  try {
    const loaded = (await import('pulsar-client')) as { default?: unknown }
    return (loaded.default ?? loaded) as PulsarNativeModule
  } catch (cause) {
    throw new MsgStreamError('MSG_DRIVER_MISSING', 'a `serviceUrl` needs the package pulsar-client: npm install pulsar-client; without it Pulsar is reached by `url` alone', { cause })
  }
}

export class NativeTransport implements PulsarTransport {
  readonly #options: NativeTransportOptions
  readonly #client: PulsarNativeClient

  constructor(options: NativeTransportOptions) {
    this.#options = options
    const { module, serviceUrl, token, timeoutMs } = options
    const authentication = token === undefined || module.AuthenticationToken === undefined ? undefined : new module.AuthenticationToken({ token })
    this.#client = new module.Client({ serviceUrl, operationTimeoutSeconds: Math.max(1, Math.round(timeoutMs / 1000)), ...(authentication === undefined ? {} : { authentication }) })
  }

  topics(): Promise<string[]> {
    return this.#options.admin.topics()
  }

  create(topic: string): Promise<void> {
    return this.#options.admin.create(topic)
  }

  remove(topic: string): Promise<void> {
    return this.#options.admin.remove(topic)
  }

  state(topic: string): Promise<PulsarState> {
    return this.#options.admin.state(topic)
  }

  payload(topic: string, id: PulsarEntry): Promise<Buffer> {
    return this.#options.admin.payload(topic, id)
  }

  #name(topic: string): string {
    return `persistent://${this.#options.tenant}/${this.#options.namespace}/${topic}`
  }

  async openSender(topic: string): Promise<PulsarSender> {
    // The backend keeps the window and the deadline: the client must neither block this thread nor give up by itself.
    const options = { topic: this.#name(topic), batchingEnabled: false, maxPendingMessages: 1000, blockIfQueueFull: false, sendTimeoutMs: 0 }
    return new NativeSender(await this.#client.createProducer(options).catch(unreachable))
  }

  async openReceiver(topic: string, after: PulsarEntry | 'earliest', window: number, listener: PulsarListener): Promise<PulsarReceiver> {
    const { MessageId } = this.#options.module
    const startMessageId = after === 'earliest' ? MessageId.earliest() : MessageId.deserialize(Buffer.from(encodeMessageId(after), 'base64'))
    const reader = await this.#client.createReader({ topic: this.#name(topic), startMessageId, receiverQueueSize: window }).catch(unreachable)
    return new NativeReceiver(reader, window, listener)
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}

function unreachable(cause: unknown): never {
  throw new MsgStreamError('MSG_UNAVAILABLE', `no connection: ${String(cause)}`, { cause, outcome: 'not-applied' })
}

const decode = (id: { serialize(): Buffer }): PulsarEntry => decodeMessageId(id.serialize().toString('base64'))

class NativeSender implements PulsarSender {
  readonly #producer: PulsarNativeProducer
  #isOpen = true

  constructor(producer: PulsarNativeProducer) {
    this.#producer = producer
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  async send(payload: Buffer): Promise<PulsarEntry> {
    try {
      return decode(await this.#producer.send({ data: payload }))
    } catch (cause) {
      const refused = /QueueIsFull|MessageTooBig|AlreadyClosed|TopicTerminated/i.test(String(cause))
      if (!refused) this.#isOpen = false
      throw Object.assign(new Error(String(cause), { cause }), { refused })
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false
    await this.#producer.close().catch(() => {})
  }
}

/** Asks for a message as long as it has been granted one. */
class NativeReceiver implements PulsarReceiver {
  readonly #reader: PulsarNativeReader
  readonly #listener: PulsarListener
  #granted: number
  #isReading = false
  #isClosed = false

  constructor(reader: PulsarNativeReader, window: number, listener: PulsarListener) {
    this.#reader = reader
    this.#listener = listener
    this.#granted = window
    void this.#read()
  }

  grant(count: number): void {
    this.#granted += count
    if (!this.#isReading) void this.#read()
  }

  async #read(): Promise<void> {
    this.#isReading = true
    try {
      while (this.#granted > 0 && !this.#isClosed) {
        const message = await this.#reader.readNext()
        if (this.#isClosed) return
        this.#granted--
        // A copy: the client frees its own.
        this.#listener.onEntry(decode(message.getMessageId()), Buffer.from(message.getData()))
      }
    } catch (error) {
      if (this.#isClosed) return
      this.#isClosed = true
      await this.#reader.close().catch(() => {})
      this.#listener.onLost(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#isReading = false
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#reader.close().catch(() => {})
  }
}
