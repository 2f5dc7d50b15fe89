/** What the three queues on the network share: arguments, life cycle, who has what open. */
import { checkChannel, checkChannels, checkStart, throwIfAborted } from '../check.ts'
import { MsgStreamError } from '../errors.ts'
import type { MqFeatures } from '../features.ts'
import type { CallOptions, MessageId, Mq, MqBroadcaster, MqProducer, MqReader, StartPosition } from '../mq.ts'
import { orAborted } from '../signal.ts'
import { RemoteBroadcaster, type BroadcastOutlet } from './broadcaster.ts'
import { RemoteProducer, type Outlet } from './producer.ts'
import { RemoteReader, type Feed, type Pull } from './reader.ts'

export interface Bounds {
  readonly first: MessageId | undefined
  readonly last: MessageId | undefined
}

/** `K` is the channel as the broker knows it, `C` a reader's place. Every call rejects with MsgStreamError and ends within its deadline. */
export interface RemoteBackend<K, C> {
  readonly features: MqFeatures
  readonly maxPendingBytes: number
  readonly maxBufferedBytes: number
  create(channel: string): Promise<K>
  /** `MSG_CHANNEL_NOT_FOUND` when it does not exist. */
  find(channel: string): Promise<K>
  remove(channel: string): Promise<void>
  list(): Promise<string[]>
  outlet(key: K): Promise<Outlet>
  /** Where `features.atomicBroadcast`. */
  broadcastOutlet?(keys: readonly K[]): Promise<BroadcastOutlet>
  resolve(key: K, start: StartPosition): Promise<C>
  pull(key: K, cursor: C, feed: Feed): Pull
  bounds(key: K): Promise<Bounds>
  truncate(key: K, before: MessageId): Promise<void>
  /** A TypeError for ids of other backends. */
  checkId(id: MessageId, name: string): void
  close(): Promise<void>
}

export class RemoteMq<K, C> implements Mq {
  readonly features: MqFeatures
  readonly #backend: RemoteBackend<K, C>
  readonly #producers = new Set<RemoteProducer>()
  readonly #broadcasters = new Set<RemoteBroadcaster>()
  readonly #readers = new Set<RemoteReader<C>>()
  #closed: Promise<void> | undefined

  constructor(backend: RemoteBackend<K, C>) {
    this.#backend = backend
    this.features = backend.features
  }

  async createChannel(channel: string, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    this.#check(options)
    await orAborted(this.#backend.create(channel), options?.signal)
  }

  async deleteChannel(channel: string, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    this.#check(options)
    const error = new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} was deleted`, { outcome: 'not-applied' })
    // Before the removal: a client that still has the channel open may make it anew where the broker allows that.
    const open = [...this.#producers, ...this.#readers].filter((it) => it.channel === channel)
    await Promise.all(open.map((it) => it.end(error)))
    await orAborted(this.#backend.remove(channel), options?.signal)
  }

  async listChannels(options?: CallOptions): Promise<string[]> {
    this.#check(options)
    return (await orAborted(this.#backend.list(), options?.signal)).sort()
  }

  async openProducer(channel: string, options?: CallOptions): Promise<MqProducer> {
    checkChannel(channel)
    this.#check(options)
    const opening = this.#openProducer(channel)
    return abandonable(opening, options)
  }

  async #openProducer(channel: string): Promise<MqProducer> {
    const { features, maxPendingBytes } = this.#backend
    const outlet = await this.#backend.outlet(await this.#backend.create(channel))
    const { backend, maxFrameBytes } = features
    const producer = new RemoteProducer(outlet, { channel, backend, maxFrameBytes, maxPendingBytes, onClose: (it) => this.#producers.delete(it) })
    this.#producers.add(producer)
    await this.#notIfClosed(producer)
    return producer
  }

  async openBroadcaster(channels: readonly string[], options?: CallOptions): Promise<MqBroadcaster> {
    checkChannels(channels)
    this.#check(options)
    return abandonable(this.#openBroadcaster(channels), options)
  }

  async #openBroadcaster(channels: readonly string[]): Promise<MqBroadcaster> {
    const backend = this.#backend
    if (backend.broadcastOutlet === undefined) throw new MsgStreamError('MSG_UNSUPPORTED', `${this.features.backend} cannot broadcast as one step`, { outcome: 'not-applied' })
    const outlet = await backend.broadcastOutlet(await Promise.all(channels.map((channel) => backend.create(channel))))
    const { maxPendingBytes, features: { maxFrameBytes } } = backend
    const broadcaster = new RemoteBroadcaster(outlet, { channels, maxFrameBytes, maxPendingBytes, onClose: (it) => this.#broadcasters.delete(it) })
    this.#broadcasters.add(broadcaster)
    await this.#notIfClosed(broadcaster)
    return broadcaster
  }

  async openReader(channel: string, start: StartPosition, options?: CallOptions): Promise<MqReader> {
    checkChannel(channel)
    this.#checkStart(start)
    this.#check(options)
    return abandonable(this.#openReader(channel, start), options)
  }

  async #openReader(channel: string, start: StartPosition): Promise<MqReader> {
    const backend = this.#backend
    const key = await backend.find(channel)
    const resolve = async (position: StartPosition): Promise<C> => {
      this.#checkStart(position)
      return backend.resolve(key, position)
    }
    const reader = new RemoteReader<C>({
      channel,
      cursor: await resolve(start),
      maxBufferedBytes: backend.maxBufferedBytes,
      resolve,
      pull: (cursor, feed) => backend.pull(key, cursor, feed),
      onClose: (it) => this.#readers.delete(it),
    })
    this.#readers.add(reader)
    await this.#notIfClosed(reader)
    return reader
  }

  async bounds(channel: string, options?: CallOptions): Promise<Bounds> {
    checkChannel(channel)
    this.#check(options)
    return orAborted(this.#backend.find(channel).then((key) => this.#backend.bounds(key)), options?.signal)
  }

  async truncate(channel: string, before: MessageId, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    this.#backend.checkId(before, 'before')
    this.#check(options)
    if (!this.features.truncate) throw new MsgStreamError('MSG_UNSUPPORTED', `${this.features.backend} cannot truncate`, { outcome: 'not-applied' })
    await orAborted(this.#backend.find(channel).then((key) => this.#backend.truncate(key, before)), options?.signal)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#producers, ...this.#broadcasters, ...this.#readers].map((it) => it.close()))
    await this.#backend.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkStart(start: StartPosition): void {
    checkStart(start)
    if ('from' in start) this.#backend.checkId(start.from, 'start.from')
    else if ('after' in start) this.#backend.checkId(start.after, 'start.after')
  }

  #check(options: CallOptions | undefined): void {
    throwIfAborted(options)
    if (this.#closed !== undefined) throw new MsgStreamError('MSG_CLOSED', 'the queue is closed', { outcome: 'not-applied' })
  }

  /** The queue may have been closed while this was opened. */
  async #notIfClosed(opened: RemoteProducer | RemoteBroadcaster | RemoteReader<C>): Promise<void> {
    if (this.#closed === undefined) return
    await opened.close()
    throw new MsgStreamError('MSG_CLOSED', 'the queue is closed', { outcome: 'not-applied' })
  }
}

/** What was opened for somebody who stopped waiting is closed. */
async function abandonable<T extends { close(): Promise<void> }>(opening: Promise<T>, options: CallOptions | undefined): Promise<T> {
  try {
    return await orAborted(opening, options?.signal)
  } catch (error) {
    opening.then((it) => it.close(), () => {})
    throw error
  }
}
