/** One channel of a {@link TimeTickProducer}: what is in flight there, and which tick may be written. */
import { encodeEnvelope } from './envelope.ts'
import { MsgStreamError } from './errors.ts'
import { END_OF_STREAM, type Timestamp } from './message.ts'
import type { MqProducer } from './mq.ts'
import { outcomeOf } from './settle-sends.ts'
import { createTimeTick } from './ts-msg.ts'

interface InFlight {
  readonly ts: Timestamp
  done: boolean
}

export class TickChannel {
  readonly producer: MqProducer
  lastTick: Timestamp = 0n
  /** A tick at or above this was asked for and not written yet. */
  wanted: Timestamp = 0n
  /** A write whose outcome is unknown: what the log holds cannot be promised about any more. */
  failure: unknown
  readonly #transient: boolean
  readonly #onError: (error: unknown) => void
  readonly #inFlight: InFlight[] = []
  #storedTick: Timestamp = 0n
  #lastData: Timestamp = 0n

  constructor(producer: MqProducer, transient: boolean, onError: (error: unknown) => void) {
    this.producer = producer
    this.#transient = transient
    this.#onError = onError
  }

  get idle(): boolean {
    return this.#inFlight.length === 0
  }

  /** A write at `ts` was appended; call the result with its error, if any, once it is acknowledged. */
  begin(ts: Timestamp): (error?: unknown) => void {
    const entry: InFlight = { ts, done: false }
    this.#inFlight.push(entry)
    this.#lastData = ts
    return (error) => {
      if (error !== undefined && outcomeOf(error) === 'unknown') {
        this.failure ??= error
        return
      }
      entry.done = true
      while (this.#inFlight[0]?.done === true) this.#inFlight.shift()
    }
  }

  /** The highest tick that keeps the promise: below every write that is not acknowledged. */
  safeTick(now: Timestamp): Timestamp {
    const first = this.#inFlight[0]
    return first === undefined ? now : first.ts - 1n
  }

  /**
   * Write the highest possible tick. `store` asks for one that stays in the log, where data came since the last such: so
   * that a reader who catches up later moves in steps and not in one leap. All others are handed over only.
   */
  tick(now: Timestamp, store: boolean): void {
    if (this.failure !== undefined) return
    const ts = this.safeTick(now)
    const unstored = this.#lastData > this.#storedTick && ts > this.#storedTick
    // Never a falling tick; one that was handed over may still have to be stored.
    if (ts < this.lastTick || (ts === this.lastTick && !(store && this.#transient && unstored))) return
    const durable = !this.#transient || (store && unstored)
    const frame = encodeEnvelope(createTimeTick(ts))
    if (durable) this.#store(frame, ts)
    else this.#handOver(frame)
    if (this.failure === undefined && ts > this.lastTick) this.lastTick = ts
  }

  /** Says that nothing follows, unless a write of unknown outcome may. */
  end(): void {
    if (this.failure === undefined && this.idle) this.#store(encodeEnvelope(createTimeTick(END_OF_STREAM)), END_OF_STREAM)
  }

  #store(frame: Uint8Array, ts: Timestamp): void {
    this.#storedTick = ts
    this.producer.send([frame]).catch((error: unknown) => {
      if (outcomeOf(error) === 'unknown') this.failure ??= error
      this.#onError(error)
    })
  }

  #handOver(frame: Uint8Array): void {
    try {
      this.producer.sendTransient(frame)
    } catch (error) {
      this.failure ??= error
      this.#onError(error)
    }
  }
}

export function producerFailed(cause: unknown): MsgStreamError {
  return new MsgStreamError('MSG_PRODUCER_FAILED', 'an earlier write has an unknown outcome; open a new producer', { cause, outcome: 'not-applied' })
}
