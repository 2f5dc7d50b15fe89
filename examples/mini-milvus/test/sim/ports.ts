/** The stores as one life sees them: every call goes through {@link Life.call}. */
import { KVError, type KVBase } from '@timetick/kv'
import { MsgStreamError, type CallOptions, type MessageId, type Mq, type MqBatch, type MqFeatures, type MqProducer, type MqReader, type StartPosition } from '@timetick/msgstream'
import { StorageError, type ObjectStorage } from '../../src/storage/index.ts'
import type { CallKind, Life } from './life.ts'

const KV_WRITES = new Set(['save', 'multiSave', 'remove', 'multiRemove', 'removeWithPrefix', 'multiSaveAndRemove', 'compareAndSave'])
const STORAGE_WRITES = new Set(['put', 'adopt', 'delete', 'deletePrefix'])
/** Not calls to the outside. */
const LOCAL = new Set(['close', 'localPath', 'openFile', 'temporaryPath', 'watch', 'watchWithPrefix'])

export function kvOf(life: Life, kv: KVBase): KVBase {
  const failure = (outcome: 'not-applied' | 'unknown'): KVError => new KVError(outcome === 'unknown' ? 'KV_TIMEOUT' : 'KV_UNAVAILABLE', 'simulated', { outcome })
  return calling(life, kv, (name) => ({ port: 'kv', name, write: KV_WRITES.has(name), failure }))
}

export function storageOf(life: Life, storage: ObjectStorage): ObjectStorage {
  const failure = (outcome: 'not-applied' | 'unknown'): StorageError => new StorageError('STORAGE_IO', 'simulated', { outcome })
  return calling(life, storage, (name) => ({ port: 'storage', name, write: STORAGE_WRITES.has(name), failure }))
}

/** The same object, but its methods are calls; closing it from within a life leaves the store as it is. */
function calling<T extends object>(life: Life, target: T, kindOf: (name: string) => CallKind): T {
  return new Proxy(target, {
    get(_target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function' || typeof property !== 'string') return value
      if (property === 'close') return async () => undefined
      const method = (...args: unknown[]): unknown => Reflect.apply(value, target, args)
      if (LOCAL.has(property)) return method
      return (...args: unknown[]): Promise<unknown> => life.call(kindOf(property), () => method(...args))
    },
  })
}

const logKind = (name: string, write: boolean): CallKind => ({
  port: 'log',
  name,
  write,
  failure: (outcome) => new MsgStreamError(outcome === 'unknown' ? 'MSG_TIMEOUT' : 'MSG_UNAVAILABLE', 'simulated', { outcome }),
})

export class SimulatedMq implements Mq {
  readonly features: MqFeatures
  readonly #life: Life
  readonly #mq: Mq

  constructor(life: Life, mq: Mq) {
    this.#life = life
    this.#mq = mq
    this.features = mq.features
  }

  createChannel(channel: string): Promise<void> {
    return this.#life.call(logKind('createChannel', true), () => this.#mq.createChannel(channel))
  }

  deleteChannel(channel: string): Promise<void> {
    return this.#life.call(logKind('deleteChannel', true), () => this.#mq.deleteChannel(channel))
  }

  listChannels(): Promise<string[]> {
    return this.#life.call(logKind('listChannels', false), () => this.#mq.listChannels())
  }

  openProducer(channel: string): Promise<MqProducer> {
    return this.#life.call(logKind('openProducer', false), async () => new SimulatedProducer(this.#life, await this.#mq.openProducer(channel)))
  }

  openReader(channel: string, start: StartPosition): Promise<MqReader> {
    return this.#life.call(logKind('openReader', false), async () => new SimulatedReader(this.#life, await this.#mq.openReader(channel, start)))
  }

  bounds(channel: string): Promise<{ readonly first: MessageId | undefined; readonly last: MessageId | undefined }> {
    return this.#life.call(logKind('bounds', false), () => this.#mq.bounds(channel))
  }

  truncate(channel: string, before: MessageId): Promise<void> {
    return this.#life.call(logKind('truncate', true), () => this.#mq.truncate(channel, before))
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Calls keep their order, however late each is; after an answer that was lost nothing is taken any more. */
class SimulatedProducer implements MqProducer {
  readonly channel: string
  readonly #life: Life
  readonly #producer: MqProducer
  #tail: Promise<unknown> = Promise.resolve()
  #failed: unknown

  constructor(life: Life, producer: MqProducer) {
    this.#life = life
    this.#producer = producer
    this.channel = producer.channel
  }

  send(frames: readonly Uint8Array[], _options?: CallOptions): Promise<MessageId[]> {
    const copies = frames.map((frame) => frame.slice())
    const sent = this.#tail.then(() => {
      if (this.#failed !== undefined) throw new MsgStreamError('MSG_PRODUCER_FAILED', 'an earlier write has an unknown outcome', { cause: this.#failed, outcome: 'not-applied' })
      return this.#life.call(logKind('send', true), () => this.#producer.send(copies))
    })
    this.#tail = sent.catch((error: unknown) => {
      if (error instanceof MsgStreamError && error.outcome === 'unknown') this.#failed ??= error
    })
    return sent
  }

  sendTransient(frame: Uint8Array): void {
    const copy = frame.slice()
    this.#tail = this.#tail.then(() => {
      if (this.#life.alive && this.#failed === undefined) this.#producer.sendTransient(copy)
    })
  }

  async close(): Promise<void> {
    await this.#tail
    await this.#producer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

class SimulatedReader implements MqReader {
  readonly channel: string
  readonly #life: Life
  readonly #reader: MqReader

  constructor(life: Life, reader: MqReader) {
    this.#life = life
    this.#reader = reader
    this.channel = reader.channel
  }

  read(options: { readonly maxMessages?: number | undefined; readonly maxBytes?: number | undefined; readonly signal?: AbortSignal | undefined } = {}): Promise<MqBatch | undefined> {
    const small = this.#life.world.buggify('small reads') ? { ...options, maxMessages: 1 } : options
    return this.#life.call(logKind('read', false), () => this.#reader.read(small))
  }

  seek(position: StartPosition): Promise<void> {
    return this.#life.call(logKind('seek', false), () => this.#reader.seek(position))
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

