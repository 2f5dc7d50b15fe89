/** A network in memory, whose delays, losses and partitions are somebody else's choice: for simulations, and for several roles in one process. */
import { RpcError } from './errors.ts'
import type { ServeBytes, Transport, TransportServer } from './transport.ts'

export interface NetworkClock {
  setTimer(callback: () => void, delayMs: number): () => void
}

export interface MemoryNetworkOptions {
  readonly clock: NetworkClock
  /** Of one way, in ms; undefined: it is lost. Default: no delay. */
  readonly delayMs?: ((from: string, to: string, way: 'request' | 'reply') => number | undefined) | undefined
}

interface Host {
  readonly serve: ServeBytes
  readonly clock: NetworkClock
  isOpen: boolean
}

export class MemoryNetwork {
  readonly #options: MemoryNetworkOptions
  readonly #hosts = new Map<string, Host>()

  constructor(options: MemoryNetworkOptions) {
    this.#options = options
  }

  /** The network as the process at this address sees it; its own clock stands still when it dies. */
  at(address: string, clock: NetworkClock = this.#options.clock): Transport {
    let closed = false
    return {
      call: (to, path, request, { signal, timeoutMs }) => {
        if (closed) return Promise.reject(new RpcError('RPC_CLOSED', 'the transport is closed', { outcome: 'not-applied' }))
        return this.#call(address, clock, to, path, request, signal, timeoutMs)
      },
      serve: async (_paths, serve) => this.#listen(address, { serve, clock, isOpen: true }),
      close: async () => {
        closed = true
      },
    }
  }

  #listen(address: string, host: Host): TransportServer {
    this.#hosts.set(address, host)
    return {
      address,
      close: async () => {
        host.isOpen = false
        if (this.#hosts.get(address) === host) this.#hosts.delete(address)
      },
    }
  }

  #call(from: string, clock: NetworkClock, to: string, path: string, request: Uint8Array, signal: AbortSignal | undefined, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const abort = new AbortController()
      const settle = (done: () => void): void => {
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
        done()
      }
      const fail = (error: unknown): void => settle(() => reject(error))
      const onAbort = (): void => {
        fail(signal?.reason)
        abort.abort(signal?.reason)
      }
      const cancelTimer = clock.setTimer(() => {
        const error = new RpcError('RPC_TIMEOUT', `${to} did not answer ${path} within ${timeoutMs} ms`, { outcome: 'unknown' })
        fail(error)
        abort.abort(error)
      }, timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      const bytes = request.slice()
      this.#travel(clock, from, to, 'request', () => {
        const host = this.#hosts.get(to)
        if (host === undefined) return fail(new RpcError('RPC_UNAVAILABLE', `nobody answers at ${to}`, { outcome: 'not-applied' }))
        host.serve(path, bytes, abort.signal).then(
          (reply) => this.#travel(host.clock, to, from, 'reply', () => settle(() => resolve(reply.slice()))),
          (error: unknown) => fail(error),
        )
      })
    })
  }

  #travel(clock: NetworkClock, from: string, to: string, way: 'request' | 'reply', arrive: () => void): void {
    const delayMs = this.#options.delayMs === undefined ? 0 : this.#options.delayMs(from, to, way)
    if (delayMs === undefined) return
    if (delayMs === 0) queueMicrotask(arrive)
    else clock.setTimer(arrive, delayMs)
  }
}
