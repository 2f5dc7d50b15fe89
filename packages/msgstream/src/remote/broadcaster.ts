/** Atomic broadcast of backends on the network: what is the same for all of them. */
import { checkFrames, throwIfAborted } from '../check.ts'
import { MsgStreamError } from '../errors.ts'
import type { CallOptions, MessageId, MqBroadcaster } from '../mq.ts'
import { orAborted } from '../signal.ts'

/** One step over several channels. */
export interface BroadcastOutlet {
  /** All or none; ids per channel. Takes the frames over during the call. Rejects with a MsgStreamError that has an `outcome`. */
  append(frames: readonly Uint8Array[]): Promise<MessageId[][]>
  close(): Promise<void>
}

export interface RemoteBroadcasterOptions {
  readonly channels: readonly string[]
  readonly maxFrameBytes: number
  readonly maxPendingBytes: number
  onClose(broadcaster: RemoteBroadcaster): void
}

/** One step is under way at a time. */
export class RemoteBroadcaster implements MqBroadcaster {
  readonly channels: readonly string[]
  readonly #outlet: BroadcastOutlet
  readonly #options: RemoteBroadcasterOptions
  #last: Promise<unknown> = Promise.resolve()
  #pendingBytes = 0
  #failure: MsgStreamError | undefined
  #closing: Promise<void> | undefined

  constructor(outlet: BroadcastOutlet, options: RemoteBroadcasterOptions) {
    this.channels = options.channels
    this.#outlet = outlet
    this.#options = options
  }

  async send(frames: readonly Uint8Array[], options?: CallOptions): Promise<MessageId[][]> {
    checkFrames(frames)
    throwIfAborted(options)
    const bytes = this.#check(frames)
    if (frames.length === 0) return this.channels.map(() => [])
    const copy = frames.map((frame) => frame.slice())
    this.#pendingBytes += bytes
    const sent = this.#last.then(() => this.#append(copy)).finally(() => {
      this.#pendingBytes -= bytes
    })
    this.#last = sent.catch(() => {})
    return orAborted(sent, options?.signal)
  }

  async #append(frames: readonly Uint8Array[]): Promise<MessageId[][]> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      return await this.#outlet.append(frames)
    } catch (error) {
      if (!(error instanceof MsgStreamError) || error.outcome !== 'not-applied') {
        this.#failure = new MsgStreamError('MSG_PRODUCER_FAILED', 'an earlier broadcast has an unknown outcome', { cause: error, outcome: 'not-applied' })
      }
      throw error
    }
  }

  #check(frames: readonly Uint8Array[]): number {
    if (this.#closing !== undefined) throw new MsgStreamError('MSG_CLOSED', 'the broadcaster is closed', { outcome: 'not-applied' })
    const { maxFrameBytes, maxPendingBytes } = this.#options
    let bytes = 0
    for (const { length } of frames) {
      if (length > maxFrameBytes) throw new MsgStreamError('MSG_TOO_LARGE', `a frame of ${length} bytes, at most ${maxFrameBytes}`, { outcome: 'not-applied' })
      bytes += length
    }
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > maxPendingBytes) {
      throw new MsgStreamError('MSG_FULL', `${this.#pendingBytes} bytes of broadcasts wait for the broker`, { outcome: 'not-applied' })
    }
    return bytes
  }

  close(): Promise<void> {
    this.#closing ??= this.#last.then(async () => {
      this.#options.onClose(this)
      await this.#outlet.close()
    })
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
