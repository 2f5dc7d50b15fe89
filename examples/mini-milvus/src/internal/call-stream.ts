/** The calling side of a stream that carries many calls: one stream for each process that is called, opened anew when it ended. */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { type CallFrame, readFrames } from './call-frames.ts'
import { RpcError } from './errors.ts'
import { FrameOutbox } from './frame-outbox.ts'
import type { TransportCall } from './transport.ts'

export type FrameStream = ClientDuplexStream<Uint8Array, Uint8Array>

export interface CallStreamOptions {
  readonly stream: FrameStream
  readonly address: string
  readonly clock: { setTimer(callback: () => void, delayMs: number): () => void }
  /** Of one reply. */
  readonly maxBytes: number
  /** What a stream that broke says of the calls on it. */
  readonly errorOf: (error: ServiceError, path: string) => RpcError
  /** It takes no more calls. */
  readonly onEnd: () => void
}

interface Pending {
  readonly path: string
  readonly pieces: Uint8Array[]
  bytes: number
  /** The first of these ends the call. */
  readonly resolve: (reply: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

export class CallStream {
  readonly #options: CallStreamOptions
  readonly #outbox: FrameOutbox
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #isOver = false

  constructor(options: CallStreamOptions) {
    this.#options = options
    const { stream } = options
    this.#outbox = new FrameOutbox(stream)
    stream.on('data', (message: Uint8Array) => this.#take(message))
    stream.on('error', (error: ServiceError) => this.#finish((path) => options.errorOf(error, path)))
    // The other side answers all that it took before it ends in order.
    stream.on('end', () => this.#finish(() => new RpcError('RPC_UNAVAILABLE', `${options.address} is stopping`, { outcome: 'not-applied' })))
  }

  call(path: string, body: Uint8Array, { signal, timeoutMs }: TransportCall): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId()
      const settle = (): void => {
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
        this.#pending.delete(id)
        if (this.#isOver && this.#pending.size === 0) this.#endStream()
      }
      const giveUp = (errorOf: (neverLeft: boolean) => unknown): void => {
        const neverLeft = this.#outbox.withdraw(id)
        if (!neverLeft) this.#outbox.send({ kind: 'cancel', id })
        settle()
        reject(errorOf(neverLeft))
      }
      const onAbort = (): void => giveUp(() => signal?.reason)
      const timeout = (neverLeft: boolean): RpcError => new RpcError('RPC_TIMEOUT', `${this.#options.address} did not answer ${path} within ${timeoutMs} ms`, { outcome: neverLeft ? 'not-applied' : 'unknown' })
      const cancelTimer = this.#options.clock.setTimer(() => giveUp(timeout), timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#pending.set(id, {
        path, pieces: [], bytes: 0,
        resolve: (reply) => {
          settle()
          resolve(reply)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      })
      this.#outbox.send({ kind: 'call', id, timeoutMs, path, body })
    })
  }

  /** Calls under way go on; then it ends. Idempotent. */
  close(): void {
    if (this.#isOver) return
    this.#over()
    if (this.#pending.size === 0) this.#endStream()
  }

  #endStream(): void {
    this.#outbox.close()
    this.#options.stream.end()
  }

  #over(): void {
    this.#isOver = true
    this.#options.onEnd()
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) % 2 ** 32
    while (this.#pending.has(this.#lastId))
    return this.#lastId
  }

  #take(message: Uint8Array): void {
    try {
      for (const frame of readFrames(message)) this.#answer(frame)
    } catch (error) {
      this.#finish(() => error as RpcError)
      this.#options.stream.cancel()
    }
  }

  #answer(frame: CallFrame): void {
    const pending = this.#pending.get(frame.id)
    // Nobody waits for it any more.
    if (pending === undefined) return
    const { address, maxBytes } = this.#options
    if (frame.kind === 'refused') return pending.reject(new RpcError(frame.code, `${address}: ${frame.message}`, { outcome: frame.isDone ? 'unknown' : 'not-applied' }))
    if (frame.kind !== 'reply') return
    pending.bytes += frame.body.length
    if (pending.bytes > maxBytes) {
      this.#outbox.send({ kind: 'cancel', id: frame.id })
      return pending.reject(new RpcError('RPC_TOO_LARGE', `${address}: a reply is larger than ${maxBytes} bytes`, { outcome: 'unknown' }))
    }
    pending.pieces.push(frame.body)
    if (frame.isLast) pending.resolve(joined(pending))
  }

  #finish(errorOf: (path: string) => RpcError): void {
    if (!this.#isOver) this.#over()
    this.#outbox.abandon()
    for (const { reject, path } of Array.from(this.#pending.values())) reject(errorOf(path))
  }
}

function joined({ pieces, bytes }: Pending): Uint8Array {
  const [only] = pieces
  if (only !== undefined && pieces.length === 1) return only
  const all = new Uint8Array(bytes)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}
