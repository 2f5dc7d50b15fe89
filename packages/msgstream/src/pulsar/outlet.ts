/** One channel's producer: a pack per message, a bounded number of them under way. */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import type { MessageId } from '../mq.ts'
import { entryIds } from '../remote/entry-id.ts'
import { packFrames, splitBySize } from '../remote/packing.ts'
import type { Outlet } from '../remote/producer.ts'
import type { PulsarEntry, PulsarSender, PulsarTransport } from './transport.ts'

export interface PulsarOutletOptions {
  readonly transport: PulsarTransport
  readonly clock: Clock
  readonly topic: string
  readonly timeoutMs: number
  readonly maxMessageBytes: number
}

interface Pending {
  readonly payload: Buffer
  settle(id: PulsarEntry | undefined, error: MsgStreamError | undefined): void
}

const window = 500

export class PulsarOutlet implements Outlet {
  readonly #options: PulsarOutletOptions
  #sender: PulsarSender | undefined
  #queue: Pending[] = []
  #underWay = 0
  #connecting = false
  #failure: MsgStreamError | undefined

  constructor(options: PulsarOutletOptions) {
    this.#options = options
  }

  async open(): Promise<this> {
    this.#sender = await this.#options.transport.openSender(this.#options.topic)
    return this
  }

  async append(frames: readonly Uint8Array[]): Promise<MessageId[]> {
    const groups = splitBySize(frames, this.#options.maxMessageBytes, 4)
    const sent = groups.map((group) => this.#enqueue(packFrames(group)))
    this.#pump()
    const ids: MessageId[] = []
    for (const [i, result] of (await Promise.allSettled(sent)).entries()) {
      if (result.status === 'rejected') {
        const error = result.reason as MsgStreamError
        if (i === 0 || error.outcome === 'unknown') throw error
        throw new MsgStreamError(error.code, `${error.message} (a part of the send was written)`, { cause: error, outcome: 'unknown' })
      }
      for (const id of entryIds('pulsar', result.value.ledger, result.value.entry, groups[i]?.length ?? 0)) ids.push(id)
    }
    return ids
  }

  #enqueue(payload: Buffer): Promise<PulsarEntry> {
    const { clock, timeoutMs, topic } = this.#options
    return new Promise((resolve, reject) => {
      let isSettled = false
      const pending: Pending = {
        payload,
        settle: (id, error) => {
          if (isSettled) return
          isSettled = true
          cancel()
          if (id !== undefined) resolve(id)
          else reject(error ?? new Error('no id'))
        },
      }
      const cancel = clock.setTimer(() => {
        const at = this.#queue.indexOf(pending)
        if (at >= 0) this.#queue.splice(at, 1)
        pending.settle(undefined, new MsgStreamError('MSG_TIMEOUT', `send to ${topic}: no answer within ${timeoutMs} ms`, { outcome: at >= 0 ? 'not-applied' : 'unknown' }))
        if (at < 0) this.#lose()
      }, timeoutMs)
      this.#queue.push(pending)
    })
  }

  #pump(): void {
    if (this.#failure !== undefined) return this.#lose()
    if (this.#sender?.isOpen !== true) {
      if (!this.#connecting && this.#underWay === 0) void this.#reconnect()
      return
    }
    while (this.#underWay < window) {
      const pending = this.#queue.shift()
      if (pending === undefined) return
      this.#underWay++
      this.#sender.send(pending.payload).then(
        (id) => {
          this.#underWay--
          pending.settle(id, undefined)
          this.#pump()
        },
        (error: unknown) => this.#failed(pending, error),
      )
    }
  }

  #failed(pending: Pending, cause: unknown): void {
    this.#underWay--
    const isRefused = (cause as { refused?: unknown } | null)?.refused === true
    const error = new MsgStreamError('MSG_UNAVAILABLE', `send to ${this.#options.topic}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, outcome: isRefused ? 'not-applied' : 'unknown' })
    pending.settle(undefined, error)
    if (isRefused) this.#pump()
    else this.#lose()
  }

  /** Nothing more is written behind a message of unknown outcome. */
  #lose(): void {
    this.#failure ??= new MsgStreamError('MSG_PRODUCER_FAILED', 'an earlier send has an unknown outcome', { outcome: 'not-applied' })
    for (const pending of this.#queue.splice(0)) pending.settle(undefined, this.#failure)
  }

  /** The server closes what was idle for long. */
  async #reconnect(): Promise<void> {
    this.#connecting = true
    try {
      await this.open()
      this.#connecting = false
      this.#pump()
    } catch (error) {
      this.#connecting = false
      const failure = error instanceof MsgStreamError ? error : new MsgStreamError('MSG_UNAVAILABLE', 'no connection to Pulsar', { cause: error, outcome: 'not-applied' })
      for (const pending of this.#queue.splice(0)) pending.settle(undefined, failure)
    }
  }

  async close(): Promise<void> {
    await this.#sender?.close()
  }
}
