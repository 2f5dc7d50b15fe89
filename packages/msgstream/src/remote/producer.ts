/** The producer of backends on the network: what is the same for all of them. */
import { checkFrames, throwIfAborted } from '../check.ts'
import { MsgStreamError } from '../errors.ts'
import type { CallOptions, MessageId, MqProducer } from '../mq.ts'
import { orAborted } from '../signal.ts'

/** One channel's way to the broker. */
export interface Outlet {
  /**
   * Takes the frames over during the call (later changes to them are not seen), in order of calls. Rejects with a MsgStreamError that
   * has an `outcome`.
   */
  append(frames: readonly Uint8Array[]): Promise<MessageId[]>
  /** Called when nothing is under way any more. Idempotent. */
  close(): Promise<void>
}

export interface RemoteProducerOptions {
  readonly channel: string
  readonly backend: string
  readonly maxFrameBytes: number
  /** Bytes that may be under way; more is refused with `MSG_FULL`. */
  readonly maxPendingBytes: number
  onClose(producer: RemoteProducer): void
}

export class RemoteProducer implements MqProducer {
  readonly channel: string
  readonly #outlet: Outlet
  readonly #options: RemoteProducerOptions
  readonly #pending = new Set<Promise<unknown>>()
  #pendingBytes = 0
  #failure: MsgStreamError | undefined
  #closing: Promise<void> | undefined

  constructor(outlet: Outlet, options: RemoteProducerOptions) {
    this.channel = options.channel
    this.#outlet = outlet
    this.#options = options
  }

  async send(frames: readonly Uint8Array[], options?: CallOptions): Promise<MessageId[]> {
    checkFrames(frames)
    throwIfAborted(options)
    const bytes = this.#check(frames)
    if (frames.length === 0) return []
    this.#pendingBytes += bytes
    const appended = this.#outlet.append(frames).catch((error: unknown) => {
      if (error instanceof MsgStreamError && error.outcome === 'unknown') {
        this.#failure ??= new MsgStreamError('MSG_PRODUCER_FAILED', `an earlier send to channel ${this.channel} has an unknown outcome`, { cause: error, outcome: 'not-applied' })
      }
      throw error
    })
    const settled = appended.then(() => {}, () => {}).finally(() => {
      this.#pendingBytes -= bytes
      this.#pending.delete(settled)
    })
    this.#pending.add(settled)
    return orAborted(appended, options?.signal)
  }

  sendTransient(frame: Uint8Array): void {
    checkFrames([frame])
    throw new MsgStreamError('MSG_UNSUPPORTED', `${this.#options.backend} has no transient frames`, { outcome: 'not-applied' })
  }

  /** The channel is gone: every later send rejects with this. */
  async end(error: MsgStreamError): Promise<void> {
    this.#failure = error
    await Promise.all(this.#pending)
    await this.#outlet.close()
  }

  #check(frames: readonly Uint8Array[]): number {
    if (this.#closing !== undefined) throw new MsgStreamError('MSG_CLOSED', `the producer of channel ${this.channel} is closed`, { outcome: 'not-applied' })
    if (this.#failure !== undefined) throw this.#failure
    const { maxFrameBytes, maxPendingBytes } = this.#options
    let bytes = 0
    for (const { length } of frames) {
      if (length > maxFrameBytes) throw new MsgStreamError('MSG_TOO_LARGE', `a frame of ${length} bytes, at most ${maxFrameBytes}`, { outcome: 'not-applied' })
      bytes += length
    }
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > maxPendingBytes) {
      throw new MsgStreamError('MSG_FULL', `${this.#pendingBytes} bytes of channel ${this.channel} wait for the broker`, { outcome: 'not-applied' })
    }
    return bytes
  }

  /** Waits for what was sent. */
  close(): Promise<void> {
    this.#closing ??= Promise.all(this.#pending).then(async () => {
      this.#options.onClose(this)
      await this.#outlet.close()
    })
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
