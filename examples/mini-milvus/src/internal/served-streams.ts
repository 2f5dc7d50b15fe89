/** The answering side of streams that carry many calls. */
import { status, type ServerDuplexStream } from '@grpc/grpc-js'
import { type CallFrame, readFrames } from './call-frames.ts'
import { RpcError, type RpcErrorCode } from './errors.ts'
import { FrameOutbox } from './frame-outbox.ts'
import type { ServeBytes } from './transport.ts'

type ServedFrames = ServerDuplexStream<Uint8Array, Uint8Array>
type Call = CallFrame & { readonly kind: 'call' }

export interface ServedStreamsOptions {
  readonly paths: ReadonlySet<string>
  readonly serve: ServeBytes
  readonly clock: { setTimer(callback: () => void, delayMs: number): () => void }
  /** Of one reply. */
  readonly maxBytes: number
  /** Calls under way here, on all streams and beside them. */
  readonly gate: { running: number; readonly maxCalls: number }
}

export class ServedStreams {
  readonly #options: ServedStreamsOptions
  readonly #streams = new Set<ServedStream>()
  #closing = false

  constructor(options: ServedStreamsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#streams.size
  }

  add(stream: ServedFrames): void {
    const served = new ServedStream(stream, this.#options, () => this.#streams.delete(served))
    this.#streams.add(served)
    if (this.#closing) served.close()
  }

  /** Takes no more calls; each stream ends when those under way are answered. */
  close(): void {
    this.#closing = true
    for (const stream of Array.from(this.#streams)) stream.close()
  }

  /** Those under way are given up. */
  end(): void {
    this.close()
    for (const stream of Array.from(this.#streams)) stream.end()
  }
}

class ServedStream {
  readonly #stream: ServedFrames
  readonly #options: ServedStreamsOptions
  readonly #outbox: FrameOutbox
  readonly #running = new Map<number, AbortController>()
  readonly #gone: () => void
  #isClosing = false

  constructor(stream: ServedFrames, options: ServedStreamsOptions, onEnd: () => void) {
    this.#stream = stream
    this.#options = options
    this.#outbox = new FrameOutbox(stream)
    this.#gone = () => {
      onEnd()
      this.#isClosing = true
      this.#outbox.abandon()
      for (const abort of this.#running.values()) abort.abort(new RpcError('RPC_CLOSED', 'the caller is gone', { outcome: 'unknown' }))
    }
    stream.on('data', (message: Uint8Array) => this.#take(message))
    stream.on('end', () => this.close())
    stream.on('cancelled', this.#gone)
    stream.on('error', this.#gone)
    stream.on('finish', onEnd)
  }

  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#endWhenIdle()
  }

  end(): void {
    this.#stream.emit('error', Object.assign(new Error('the process is stopping'), { code: status.UNAVAILABLE, details: 'the process is stopping' }))
  }

  #take(message: Uint8Array): void {
    try {
      for (const frame of readFrames(message)) {
        if (frame.kind === 'cancel') this.#cancel(frame.id)
        else if (frame.kind === 'call') this.#start(frame)
      }
    } catch {
      // What comes behind it cannot be trusted either.
      this.close()
    }
  }

  #cancel(id: number): void {
    this.#outbox.withdraw(id)
    this.#running.get(id)?.abort(new RpcError('RPC_CLOSED', 'the caller gave up', { outcome: 'unknown' }))
  }

  #start(call: Call): void {
    const { gate, paths } = this.#options
    if (this.#isClosing) return this.#refuse(call.id, 'RPC_UNAVAILABLE', 'the process is stopping')
    if (!paths.has(call.path)) return this.#refuse(call.id, 'RPC_UNKNOWN_METHOD', `${call.path.slice(0, 200)} is not served here`)
    if (gate.running >= gate.maxCalls) return this.#refuse(call.id, 'RPC_OVERLOADED', `more than ${gate.maxCalls} calls`)
    if (this.#running.has(call.id)) throw new RpcError('RPC_MALFORMED', `call ${call.id} is under way`)
    const abort = new AbortController()
    this.#running.set(call.id, abort)
    gate.running++
    void this.#run(call, abort)
  }

  async #run({ id, path, body, timeoutMs }: Call, abort: AbortController): Promise<void> {
    const { serve, clock, gate, maxBytes } = this.#options
    const cancelTimer = clock.setTimer(() => abort.abort(new RpcError('RPC_TIMEOUT', `not done within ${timeoutMs} ms`, { outcome: 'unknown' })), timeoutMs)
    try {
      const reply = await serve(path, body, abort.signal)
      if (reply.length > maxBytes) this.#refuse(id, 'RPC_TOO_LARGE', `${path}: a reply of ${reply.length} bytes is larger than ${maxBytes}`, true)
      else this.#outbox.send({ kind: 'reply', id, isLast: true, body: reply })
    } catch (error) {
      this.#refuse(id, 'RPC_UNAVAILABLE', error instanceof Error ? error.message : 'internal error', true)
    } finally {
      cancelTimer()
      gate.running--
      this.#running.delete(id)
      this.#endWhenIdle()
    }
  }

  #refuse(id: number, code: RpcErrorCode, message: string, isDone = false): void {
    this.#outbox.send({ kind: 'refused', id, code, isDone, message })
  }

  #endWhenIdle(): void {
    if (!this.#isClosing || this.#running.size > 0 || this.#stream.writableEnded) return
    this.#outbox.close()
    this.#stream.end()
  }
}
