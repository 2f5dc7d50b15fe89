/** Reads one channel ahead for as long as its buffer takes more. */
import { isMsgStreamError } from './errors.ts'
import type { MessageId, MqBatch, MqReader } from './mq.ts'
import { Signal } from './signal.ts'

export interface PumpTarget {
  /** Room for more? */
  wants(): boolean
  accept(batch: MqBatch): void
  /** Where the channel ends for this reader. */
  readonly end: MessageId | undefined
  /** It was passed, and no frame came of it. */
  ended(): void
  /** Retention overtook the reader, which goes on elsewhere. */
  expired(): void
  fail(error: unknown): void
}

export interface PumpLimits {
  readonly maxMessages: number
  readonly maxBytes: number
  readonly onExpired: 'fail' | 'earliest' | 'latest'
  /** Give the event loop a turn when a slice of work was long enough. */
  readonly breathe: () => Promise<void> | undefined
}

export class ChannelPump {
  readonly #reader: MqReader
  readonly #target: PumpTarget
  readonly #limits: PumpLimits
  readonly #resumed = new Signal()
  #stopped = false
  #done: Promise<void> | undefined

  constructor(reader: MqReader, target: PumpTarget, limits: PumpLimits) {
    this.#reader = reader
    this.#target = target
    this.#limits = limits
  }

  start(): void {
    this.#done ??= this.#run()
  }

  /** Something was taken out: look again whether there is room. */
  resume(): void {
    this.#resumed.notify()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#resumed.notify()
    await this.#reader.close()
    await this.#done
  }

  async #run(): Promise<void> {
    const limits = { maxMessages: this.#limits.maxMessages, maxBytes: this.#limits.maxBytes, until: this.#target.end }
    try {
      while (!this.#stopped) {
        if (!this.#target.wants()) {
          await this.#resumed.wait()
          continue
        }
        const batch = await this.#reader.read(limits).catch((error: unknown) => this.#expired(error))
        if (batch === 'moved') continue
        if (batch === undefined || this.#stopped) return
        if (batch.frames.length > 0) this.#target.accept(batch)
        else this.#target.ended()
        const pause = this.#limits.breathe()
        if (pause !== undefined) await pause
      }
    } catch (error) {
      if (!this.#stopped) this.#target.fail(error)
    }
  }

  async #expired(error: unknown): Promise<'moved'> {
    const { onExpired } = this.#limits
    if (this.#stopped || onExpired === 'fail' || !isMsgStreamError(error, 'MSG_POSITION_EXPIRED')) throw error
    this.#target.expired()
    await this.#reader.seek({ at: onExpired })
    return 'moved'
  }
}
