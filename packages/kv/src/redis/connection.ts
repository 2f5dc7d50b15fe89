/** One connection of the store's own: every command has a deadline, nothing is sent twice, nothing waits in a queue. */
import type { Clock } from '../clock.ts'
import { KVError } from '../errors.ts'
import type { RedisArgument, RedisClient } from './client.ts'
import type { Script } from './scripts.ts'

export interface SendOptions {
  readonly what: string
  readonly isWrite: boolean
  readonly timeoutMs?: number | undefined
}

/** The server did not do it and may do it later. */
const LATER = /^(LOADING|BUSY|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|READONLY|UNKILLABLE)/
const FULL = /^(OOM|MISCONF)/
const PAUSE_MS = 20

export class Connection {
  readonly #client: RedisClient
  readonly #clock: Clock
  readonly #timeoutMs: number
  #closed = false
  /** When the last answer came, on the monotonic clock. */
  #heardAt = 0
  /** The last trouble, for the message of a deadline. */
  #trouble: unknown
  readonly #pending = new Set<Promise<unknown>>()

  constructor(client: RedisClient, clock: Clock, timeoutMs: number) {
    this.#client = client
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    // Without a listener the driver prints; it connects again by itself.
    client.on('error', (error) => {
      this.#trouble = error
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** @param args with the number of keys and the keys first. */
  run(script: Script, args: readonly RedisArgument[], options: SendOptions): Promise<unknown> {
    return this.#tracked(this.#attempts(async () => {
      try {
        return await this.#client.callBuffer('evalsha', script.sha, ...args)
      } catch (error) {
        // A server that has not seen it has not run it.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return this.#client.callBuffer('eval', script.text, ...args)
      }
    }, options))
  }

  command(name: string, args: readonly RedisArgument[], options: SendOptions): Promise<unknown> {
    return this.#tracked(this.#attempts(() => this.#client.callBuffer(name, ...args), options))
  }

  /** Waits for what is under way, then ends the connection. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#pending)
    this.#client.disconnect()
  }

  /** Ends the connection at once; what is under way fails. */
  abort(): void {
    this.#closed = true
    this.#client.disconnect()
  }

  #tracked<T>(answer: Promise<T>): Promise<T> {
    this.#pending.add(answer)
    const settled = (): void => void this.#pending.delete(answer)
    answer.then(settled, settled)
    return answer
  }

  async #attempts(send: () => Promise<unknown>, options: SendOptions): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs
    const deadline = this.#clock.monotonic() + timeoutMs
    for (;;) {
      let failure: unknown = this.#trouble
      if (this.#client.status === 'ready') {
        try {
          return await this.#answer(send(), deadline, options)
        } catch (error) {
          if (error instanceof KVError) throw error
          failure = error
          const known = this.#refusal(error, options)
          if (known !== undefined) throw known
        }
      }
      if (this.#closed || this.#clock.monotonic() + PAUSE_MS > deadline) {
        throw new KVError('KV_UNAVAILABLE', `${options.what}: no connection to the server within ${timeoutMs} ms`, {
          cause: failure,
          outcome: options.isWrite ? 'not-applied' : undefined,
        })
      }
      await new Promise<void>((resolve) => {
        this.#clock.setTimer(resolve, PAUSE_MS)
      })
    }
  }

  /** What to tell the caller; `undefined` when it may be tried again. */
  #refusal(cause: unknown, { what, isWrite }: SendOptions): KVError | undefined {
    const message = cause instanceof Error ? cause.message : String(cause)
    const isAnswer = cause instanceof Error && cause.name === 'ReplyError'
    if (isAnswer && LATER.test(message)) {
      // A replica by now: the driver has to ask who is the master.
      if (message.startsWith('READONLY')) this.#client.disconnect(true)
      return undefined
    }
    if (!isAnswer && (!isWrite || /enableOfflineQueue/.test(message))) return this.#closed ? new KVError('KV_UNAVAILABLE', message, { cause }) : undefined
    const outcome = isWrite ? (isAnswer ? 'not-applied' : 'unknown') : undefined
    if (isAnswer && FULL.test(message)) return new KVError('KV_STORAGE_FAILED', `${what}: ${message}`, { cause, outcome })
    return new KVError('KV_UNAVAILABLE', `${what}: ${message}`, { cause, outcome, retryable: isAnswer ? false : undefined })
  }

  #answer(sent: Promise<unknown>, deadline: number, { what, isWrite }: SendOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const sentAt = this.#clock.monotonic()
      const cancel = this.#clock.setTimer(() => {
        reject(new KVError('KV_TIMEOUT', `${what}: no answer within the deadline`, { outcome: isWrite ? 'unknown' : undefined }))
        // Nothing at all has come since: the connection is dead, though nobody closed it.
        if (this.#heardAt < sentAt && !this.#closed) this.#client.disconnect(true)
      }, deadline - sentAt)
      sent.then((value) => {
        cancel()
        this.#heardAt = this.#clock.monotonic()
        resolve(value)
      }, (error: unknown) => {
        cancel()
        reject(error)
      })
    })
  }
}
