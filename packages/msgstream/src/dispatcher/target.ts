/** One virtual channel: a bounded queue of packs between its consumer and its reader. */
import { throwIfAborted } from '../check.ts'
import type { VirtualChannel } from '../dispatcher.ts'
import type { MsgPack, MsgPosition, Timestamp, TsMsg } from '../message.ts'
import type { CallOptions } from '../mq.ts'
import { Signal } from '../signal.ts'

export class Target implements VirtualChannel {
  readonly vchannel: string
  /** Notified when a pack was taken out, or when it ended. */
  readonly drained = new Signal()
  /** Everything at or below was put into the queue. */
  queuedTs: Timestamp
  frontier: Timestamp
  readonly #max: number
  readonly #onClose: (target: Target) => Promise<void>
  readonly #filled = new Signal()
  #queue: MsgPack[] = []
  #positions: readonly MsgPosition[] | undefined
  #ended = false
  #failure: { readonly error: unknown } | undefined

  constructor(vchannel: string, begin: Timestamp, max: number, onClose: (target: Target) => Promise<void>) {
    this.vchannel = vchannel
    this.queuedTs = this.frontier = begin
    this.#max = max
    this.#onClose = onClose
  }

  get queuedPacks(): number {
    return this.#queue.length
  }

  get isFull(): boolean {
    return this.#queue.length >= this.#max && !this.#ended
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Takes what lies behind what it has: the consumer may stand before or behind the one that served it until now. */
  put(pack: MsgPack, isOwn: (msg: TsMsg) => boolean): void {
    if (this.#ended || pack.endTs <= this.queuedTs) return
    const from = this.queuedTs
    const begins = pack.beginTs >= from
    const msgs = pack.msgs.filter((msg) => (begins || msg.endTs > from) && isOwn(msg))
    const startPositions = this.#positions ?? pack.startPositions
    this.#queue.push({ beginTs: begins ? pack.beginTs : from, endTs: pack.endTs, msgs, startPositions, endPositions: pack.endPositions })
    this.#positions = pack.endPositions
    this.queuedTs = pack.endTs
    this.#filled.notify()
  }

  async consume(options?: CallOptions): Promise<MsgPack | undefined> {
    throwIfAborted(options)
    for (;;) {
      const pack = this.#queue.shift()
      if (pack !== undefined) {
        this.frontier = pack.endTs
        this.drained.notify()
        return pack
      }
      if (this.#failure !== undefined) throw this.#failure.error
      if (this.#ended) return undefined
      await this.#filled.wait(options?.signal)
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<MsgPack> {
    return {
      next: async () => {
        const value = await this.consume()
        return value === undefined ? { done: true, value: undefined } : { done: false, value }
      },
      return: async () => ({ done: true, value: undefined }),
    }
  }

  /** With an error: behind the packs that came before it. */
  end(failure?: { readonly error: unknown }): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    this.drained.notify()
    this.#filled.notify()
  }

  close(): Promise<void> {
    this.#queue = []
    return this.#onClose(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
