/** What the kits share. */
import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import type { MsgStreamErrorCode } from '../errors.ts'
import type { MessageId, Mq, MqReader, StartPosition } from '../mq.ts'
import { withDeadline } from './deadline.edge.ts'

export interface KitRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

export interface KitOptions {
  readonly runner: KitRunner
  /** A queue without channels. The kit closes it. */
  readonly create: () => Mq | Promise<Mq>
  /** Close it and open the same data again; only for backends that keep it. */
  readonly reopen?: ((mq: Mq) => Promise<Mq>) | undefined
  /** For each answer that a test waits for. @default 5000 */
  readonly timeoutMs?: number | undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const bytes = (text: string): Uint8Array => encoder.encode(text)
export const text = (frame: Uint8Array): string => decoder.decode(frame)
export const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** One test's queue with helpers; everything it opened is closed behind it. */
export class Bench {
  mq: Mq
  readonly timeoutMs: number
  readonly #options: KitOptions
  readonly #readers: MqReader[] = []

  constructor(mq: Mq, options: KitOptions) {
    this.mq = mq
    this.#options = options
    this.timeoutMs = options.timeoutMs ?? 5000
  }

  soon<T>(work: Promise<T>, what: string): Promise<T> {
    return handled(withDeadline(work, this.timeoutMs, what))
  }

  async reopen(): Promise<void> {
    this.#readers.length = 0
    if (this.#options.reopen !== undefined) this.mq = await this.soon(this.#options.reopen(this.mq), 'reopen')
  }

  async send(channel: string, ...texts: string[]): Promise<readonly MessageId[]> {
    const producer = await this.mq.openProducer(channel)
    try {
      return await this.soon(producer.send(texts.map(bytes)), 'send')
    } finally {
      await producer.close()
    }
  }

  async reader(channel: string, start: StartPosition): Promise<MqReader> {
    const reader = await this.soon(this.mq.openReader(channel, start), 'openReader')
    this.#readers.push(reader)
    return reader
  }

  /** Exactly the next `count` frames as text. */
  take(reader: MqReader, count: number): Promise<string[]> {
    return handled(this.#take(reader, count))
  }

  async #take(reader: MqReader, count: number): Promise<string[]> {
    const got: string[] = []
    while (got.length < count) {
      const batch = await this.soon(reader.read({ maxMessages: count - got.length }), `frame ${got.length} of ${count}`)
      ok(batch !== undefined, 'the reader ended')
      deepStrictEqual(batch.ids.length, batch.frames.length, 'one id per frame')
      ok(batch.frames.length > 0, 'a batch has at least one frame')
      got.push(...batch.frames.map(text))
    }
    return got
  }

  async readAll(channel: string, count: number): Promise<string[]> {
    return this.take(await this.reader(channel, { at: 'earliest' }), count)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#readers.map((it) => it.close()))
    await this.soon(this.mq.close(), 'close')
  }
}

// A test may fail before it comes to await what it started.
function handled<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {})
  return work
}

export type Test = (name: string, body: (bench: Bench) => Promise<void>) => void

/** `it` with a fresh queue. */
export function tests(options: KitOptions): Test {
  return (name, body) => {
    options.runner.it(name, async () => {
      const bench = new Bench(await options.create(), options)
      try {
        await withDeadline(body(bench), 10 * bench.timeoutMs, name)
      } finally {
        await bench.close()
      }
    })
  }
}

/** The error has this code, whichever copy of the package made it. */
export function rejectsWith(work: Promise<unknown>, code: MsgStreamErrorCode): Promise<void> {
  return rejects(work, (error: { name?: unknown; code?: unknown }) => {
    deepStrictEqual({ name: error.name, code: error.code }, { name: 'MsgStreamError', code })
    return true
  })
}
