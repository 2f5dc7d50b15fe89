/** Which positions of a consumer may be saved, and saving them one after the other. */
import type { MsgPack, MsgPosition, TsMsg } from './message.ts'
import type { AckMode, PositionStore } from './reading.ts'

interface OpenPack {
  left: number
  readonly end: readonly MsgPosition[]
}

export interface AckOptions {
  readonly mode: AckMode
  readonly store: PositionStore | undefined
  readonly subscription: string
  readonly maxUnacknowledged: number
  /** What the store has, or where reading begins. */
  readonly positions: readonly MsgPosition[]
}

export class Acknowledgements {
  readonly #options: AckOptions
  #committed: readonly MsgPosition[]
  #last: readonly MsgPosition[] | undefined
  #open: OpenPack[] = []
  #packOf = new WeakMap<TsMsg, OpenPack>()
  #messagesOut = 0
  #saving: Promise<void> = Promise.resolve()
  #queued: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(options: AckOptions) {
    this.#options = options
    this.#committed = options.positions
  }

  get openPacks(): number {
    return this.#open.length
  }

  /** Under `individual`: nothing more may be given out. */
  get isFull(): boolean {
    return this.#messagesOut >= this.#options.maxUnacknowledged
  }

  /** The consumer asks for the next pack. Throws, once, what saving the one before failed with. */
  advance(): void {
    const { mode } = this.#options
    if (mode === 'auto' && this.#last !== undefined) {
      this.commit().catch((error: unknown) => {
        this.#failure = { error }
      })
      this.#last = undefined
    }
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }

  delivered({ msgs, endPositions }: MsgPack): void {
    this.#last = endPositions
    if (this.#options.mode !== 'individual') return
    const open: OpenPack = { left: msgs.length, end: endPositions }
    this.#open.push(open)
    this.#messagesOut += msgs.length
    for (const msg of msgs) this.#packOf.set(msg, open)
  }

  async acknowledge(msgs: readonly TsMsg[]): Promise<void> {
    if (this.#options.mode !== 'individual') throw new TypeError('expected `acknowledge` on a stream with `ack: \'individual\'`')
    for (const msg of msgs) {
      const pack = this.#packOf.get(msg)
      // Twice, or from before a seek.
      if (pack === undefined) continue
      this.#packOf.delete(msg)
      pack.left--
      this.#messagesOut--
    }
    let done = 0
    while (this.#open[done]?.left === 0) done++
    const last = this.#open.splice(0, done).at(-1)
    if (last !== undefined) await this.commit(last.end)
  }

  commit(positions?: readonly MsgPosition[]): Promise<void> {
    const { store } = this.#options
    if (store === undefined) return Promise.reject(new TypeError('expected a `store` at `asConsumer` before a commit'))
    const given = positions ?? this.#last
    if (given === undefined) return Promise.resolve()
    this.#committed = this.#committed.map((kept) => given.find(({ channel }) => channel === kept.channel) ?? kept)
    return this.#save(store)
  }

  // One save at a time; all who come meanwhile share the next one.
  #save(store: PositionStore): Promise<void> {
    this.#queued ??= this.#saving
      .catch(() => {})
      .then(() => {
        this.#queued = undefined
        this.#saving = store.save(this.#options.subscription, this.#committed)
        return this.#saving
      })
    return this.#queued
  }

  /** The stream was moved: what is out does not come back. */
  forget(): void {
    this.#open = []
    this.#packOf = new WeakMap()
    this.#messagesOut = 0
    this.#last = undefined
  }

  /** Waits for saves under way. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#queued, this.#saving])
  }
}
