/** One connection: every command has a deadline and ends when the connection does, nothing is sent twice. */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import { Signal } from '../signal.ts'
import type { RedisArgument, RedisClient } from './client.ts'

/** The server did not do it and may do it later. */
const later = /^(LOADING|BUSY|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|READONLY|UNKILLABLE|OOM|MISCONF|NOREPLICAS)/

export class RedisLink {
  readonly #client: RedisClient
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #waiting = new Set<(error: unknown) => void>()
  readonly #changed = new Signal()
  #trouble: unknown
  #closed = false

  constructor(client: RedisClient, clock: Clock, timeoutMs: number) {
    this.#client = client
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    // Without a listener the driver prints; it connects again by itself.
    client.on('error', (error) => {
      this.#trouble = error
    })
    // The driver forgets commands of a lost connection without settling them.
    client.on('ready', () => this.#changed.notify())
    client.on('close', () => this.#lost())
    client.on('end', () => this.#lost())
  }

  /** Resolves when commands can be sent; rejects with `MSG_UNAVAILABLE` after the deadline. */
  async ready(): Promise<this> {
    const deadline = this.#clock.monotonic() + this.#timeoutMs
    while (this.#client.status !== 'ready') {
      if (this.#closed || this.#clock.monotonic() > deadline) {
        this.close()
        throw new MsgStreamError('MSG_UNAVAILABLE', `no connection to Redis within ${this.#timeoutMs} ms`, { cause: this.#trouble, outcome: 'not-applied' })
      }
      await this.#readyOr(deadline - this.#clock.monotonic())
    }
    return this
  }

  async #readyOr(timeoutMs: number): Promise<void> {
    const ready = this.#changed.wait()
    const cancel = this.#clock.setTimer(() => this.#changed.notify(), Math.max(1, timeoutMs))
    await ready
    cancel()
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(resolve, ms)
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  write(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#send(command, args, true, this.#timeoutMs)
  }

  read(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#send(command, args, false, this.#timeoutMs)
  }

  /** A read that the server may answer `blockMs` late. */
  wait(blockMs: number, command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#send(command, args, false, blockMs + this.#timeoutMs)
  }

  #send(command: string, args: RedisArgument[], isWrite: boolean, timeoutMs: number): Promise<unknown> {
    if (this.#closed || this.#client.status !== 'ready') {
      return Promise.reject(new MsgStreamError('MSG_UNAVAILABLE', `${command}: no connection to Redis`, { cause: this.#trouble, outcome: isWrite ? 'not-applied' : undefined }))
    }
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.setTimer(() => {
        settle()
        reject(new MsgStreamError('MSG_TIMEOUT', `${command}: no answer within ${timeoutMs} ms`, { outcome: isWrite ? 'unknown' : undefined }))
      }, timeoutMs)
      const fail = (error: unknown): void => {
        settle()
        reject(redisError(error, command, isWrite))
      }
      const settle = (): void => {
        cancel()
        this.#waiting.delete(fail)
      }
      this.#waiting.add(fail)
      this.#client.callBuffer(command, ...args).then((answer) => {
        settle()
        resolve(answer)
      }, fail)
    })
  }

  #lost(): void {
    for (const fail of this.#waiting) fail(this.#trouble ?? new Error('the connection was lost'))
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#changed.notify()
    this.#client.disconnect()
    this.#lost()
  }
}

function redisError(cause: unknown, command: string, isWrite: boolean): MsgStreamError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const isAnswer = cause instanceof Error && cause.name === 'ReplyError'
  const isUnsent = /enableOfflineQueue|isn't writeable/.test(message)
  const outcome = isWrite ? (isAnswer || isUnsent ? 'not-applied' : 'unknown') : undefined
  const code = isAnswer && message.startsWith('OOM') ? 'MSG_FULL' : 'MSG_UNAVAILABLE'
  return new MsgStreamError(code, `${command}: ${message}`, { cause, outcome, retryable: isAnswer ? later.test(message) : true })
}
