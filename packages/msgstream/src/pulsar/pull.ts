/** Reads one topic ahead: messages come by themselves, as many as were granted. */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import { entryIds, type EntryCursor } from '../remote/entry-id.ts'
import { unpackFrames } from '../remote/packing.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import type { PulsarEntry, PulsarReceiver, PulsarTransport } from './transport.ts'

export interface PulsarPullOptions {
  readonly transport: PulsarTransport
  readonly clock: Clock
  readonly topic: string
  /** Rejects with `MSG_POSITION_EXPIRED` or `MSG_CHANNEL_NOT_FOUND` when what stands there cannot come any more. */
  check(cursor: EntryCursor): Promise<void>
}

const window = 32

export class PulsarPull implements Pull {
  readonly #options: PulsarPullOptions
  readonly #feed: Feed
  #cursor: EntryCursor
  #receiver: PulsarReceiver | undefined
  #owed = 0
  #wake: (() => void) | undefined
  #isStopped = false
  #opening: Promise<void>

  constructor(options: PulsarPullOptions, cursor: EntryCursor, feed: Feed) {
    this.#options = options
    this.#cursor = cursor
    this.#feed = feed
    this.#opening = this.#open(0)
  }

  resume(): void {
    if (this.#owed === 0 || this.#receiver === undefined) return
    this.#receiver.grant(this.#owed)
    this.#owed = 0
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#wake?.()
    await this.#opening
    await this.#receiver?.close()
  }

  async #open(delayMs: number): Promise<void> {
    for (let pauseMs = Math.max(delayMs, 50); !this.#isStopped; pauseMs = Math.min(2 * pauseMs, 2000)) {
      if (delayMs > 0) await this.#pause(delayMs)
      if (this.#isStopped) return
      try {
        await this.#options.check(this.#cursor)
        this.#receiver = await this.#receive()
        this.#grantIfRoom()
        return
      } catch (error) {
        if (error instanceof MsgStreamError && !error.retryable) return this.#feed.fail(error)
        delayMs = pauseMs
      }
    }
  }

  #receive(): Promise<PulsarReceiver> {
    const { transport, topic } = this.#options
    const { high, low } = this.#cursor
    let isCurrent = true
    this.#owed = 0
    return transport.openReceiver(topic, high < 0 ? 'earliest' : { ledger: high, entry: low - 1 }, window, {
      onEntry: (id, payload) => {
        if (isCurrent && !this.#isStopped) this.#take(id, payload)
      },
      onLost: () => {
        isCurrent = false
        this.#receiver = undefined
        if (!this.#isStopped) this.#opening = this.#opening.then(() => this.#open(50))
      },
    })
  }

  #take({ ledger, entry }: PulsarEntry, payload: Buffer): void {
    const { high, low, index } = this.#cursor
    this.#owed++
    // What stands before the cursor was handed out already.
    if (ledger < high || (ledger === high && entry < low)) return this.#grantIfRoom()
    try {
      const skip = ledger === high && entry === low ? index : 0
      const frames = unpackFrames(payload, skip, `${ledger}:${entry}`)
      this.#cursor = { high: ledger, low: entry + 1, index: 0 }
      this.#feed.push(entryIds('pulsar', ledger, entry, frames.length + skip, skip), frames)
      this.#grantIfRoom()
    } catch (error) {
      this.#feed.fail(error)
    }
  }

  #grantIfRoom(): void {
    if (!this.#feed.isFull()) this.resume()
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setTimer(resolve, ms)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}
