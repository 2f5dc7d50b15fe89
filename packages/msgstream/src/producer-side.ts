/** The writing half of a stream. */
import { checkChannels, checkFunction, checkObject, show, throwIfAborted } from './check.ts'
import { encodeEnvelopes } from './envelope.ts'
import { MsgStreamError } from './errors.ts'
import type { MsgPack, RepackFunc, TsMsg } from './message.ts'
import type { CallOptions, MessageId, Mq, MqBroadcaster, MqProducer } from './mq.ts'
import { defaultRepack, repack } from './repack.ts'
import { settleSends, type PendingSend } from './settle-sends.ts'
import type { ProducedIds } from './stream.ts'

export class ProducerSide {
  readonly #mq: Mq
  #producers: readonly MqProducer[] | undefined
  #repack: RepackFunc = defaultRepack
  #opening = false
  #broadcaster: Promise<MqBroadcaster> | undefined
  /** Settled sends are forgotten; an atomic broadcast waits for the others. */
  readonly #underWay = new Set<Promise<unknown>>()
  /** While there is one, sends wait behind an atomic broadcast. */
  #barrier: Promise<unknown> | undefined

  constructor(mq: Mq) {
    this.#mq = mq
  }

  async open(channels: readonly string[], options?: CallOptions): Promise<void> {
    checkChannels(channels)
    if (channels.length === 0) throw new RangeError('expected `channels` to name at least one channel, got none')
    throwIfAborted(options)
    if (this.#opening) throw new TypeError('expected `asProducer` to be called once, it was called before')
    this.#opening = true
    const opened = await Promise.allSettled(channels.map((channel) => this.#mq.openProducer(channel, options)))
    const producers = opened.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
    const failed = opened.find((it) => it.status === 'rejected')
    if (failed !== undefined) {
      this.#opening = false
      await Promise.allSettled(producers.map((it) => it.close()))
      throw failed.reason
    }
    this.#producers = producers
  }

  setRepackFunc(func: RepackFunc): void {
    checkFunction(func, 'repack')
    this.#repack = func
  }

  async produce(pack: Pick<MsgPack, 'msgs'>, options?: CallOptions): Promise<ProducedIds> {
    const { producers, msgs } = this.#check(pack, options)
    if (msgs.length === 0) return new Map()
    if (this.#barrier !== undefined) await this.#barrier
    const sends: PendingSend[] = []
    // All sends are called before the first await: so the order of calls is the order in every channel.
    const buckets = repack(this.#repack, msgs, producers.length)
    const encoded = [...buckets].map(([bucket, list]) => ({ producer: producers[bucket] as MqProducer, frames: encodeEnvelopes(list) }))
    for (const { producer, frames } of encoded) if (frames.length > 0) sends.push(startSend(producer, frames, options))
    return this.#track(settleSends(sends))
  }

  async broadcast(pack: Pick<MsgPack, 'msgs'>, options: CallOptions & { readonly atomic?: boolean | undefined } = {}): Promise<ProducedIds> {
    const { producers, msgs } = this.#check(pack, options)
    if (options.atomic !== undefined && typeof options.atomic !== 'boolean') throw new TypeError(`expected \`atomic\` to be a boolean, got ${show(options.atomic)}`)
    if (options.atomic === true) return this.#atomic(producers, encodeEnvelopes(msgs), options)
    if (msgs.length === 0) return new Map(producers.map(({ channel }): [string, MessageId[]] => [channel, []]))
    if (this.#barrier !== undefined) await this.#barrier
    const frames = encodeEnvelopes(msgs)
    return this.#track(settleSends(producers.map((producer) => startSend(producer, frames, options))))
  }

  #track<T>(sending: Promise<T>): Promise<T> {
    const forget = (): void => void this.#underWay.delete(sending)
    this.#underWay.add(sending)
    sending.then(forget, forget)
    return sending
  }

  // Other connections may carry the other sends: nothing else of this stream is under way meanwhile.
  async #atomic(producers: readonly MqProducer[], frames: readonly Uint8Array[], options: CallOptions): Promise<ProducedIds> {
    const channels = producers.map(({ channel }) => channel)
    const earlier = [this.#barrier ?? Promise.resolve(), ...this.#underWay]
    const written = Promise.allSettled(earlier).then(async () => {
      throwIfAborted(options)
      return (await this.#openBroadcaster(channels)).send(frames, options)
    })
    const barrier = written.then(
      () => {},
      () => {},
    )
    this.#barrier = barrier
    try {
      const ids = await written
      return new Map(channels.map((channel, i) => [channel, ids[i] ?? []]))
    } catch (error) {
      this.#broadcasterFailed(error)
      throw error
    } finally {
      if (this.#barrier === barrier) this.#barrier = undefined
    }
  }

  #openBroadcaster(channels: readonly string[]): Promise<MqBroadcaster> {
    if (!this.#mq.features.atomicBroadcast || this.#mq.openBroadcaster === undefined) {
      throw new MsgStreamError('MSG_UNSUPPORTED', `${this.#mq.features.backend} cannot broadcast as one step`, { outcome: 'not-applied' })
    }
    this.#broadcaster ??= this.#mq.openBroadcaster(channels)
    return this.#broadcaster
  }

  /** The next one begins anew: this one may be failed for good. */
  #broadcasterFailed(error: unknown): void {
    if (error instanceof MsgStreamError && error.outcome === 'not-applied') return
    const failed = this.#broadcaster
    this.#broadcaster = undefined
    void failed?.then((it) => it.close()).catch(() => {})
  }

  #check(pack: Pick<MsgPack, 'msgs'>, options: CallOptions | undefined): { producers: readonly MqProducer[]; msgs: readonly TsMsg[] } {
    checkObject(pack, 'pack')
    if (!Array.isArray(pack.msgs)) throw new TypeError(`expected \`pack.msgs\` to be an array of TsMsg, got ${show(pack.msgs)}`)
    for (const [i, msg] of (pack.msgs as readonly Partial<TsMsg>[]).entries()) {
      if (!(msg?.body instanceof Uint8Array) || typeof msg.beginTs !== 'bigint') {
        throw new TypeError(`expected \`pack.msgs[${i}]\` to be a TsMsg (see createTsMsg), got ${show(msg)}`)
      }
    }
    throwIfAborted(options)
    if (this.#producers === undefined) throw new MsgStreamError('MSG_NOT_STARTED', 'call asProducer before producing', { outcome: 'not-applied' })
    return { producers: this.#producers, msgs: pack.msgs }
  }

  async close(): Promise<void> {
    await Promise.allSettled([...(this.#producers ?? []).map((it) => it.close()), this.#broadcaster?.then((it) => it.close())])
  }
}

export function startSend(producer: MqProducer, frames: readonly Uint8Array[], options?: CallOptions): PendingSend {
  try {
    return { channel: producer.channel, count: frames.length, done: producer.send(frames, options) }
  } catch (error) {
    return { channel: producer.channel, count: frames.length, done: Promise.reject(error) }
  }
}
