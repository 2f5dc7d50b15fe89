/**
 * Calls between processes over gRPC, with a shared secret or certificates. Those to one process share a stream, as frames: a unary call
 * of grpc-js costs both sides about ten times as much processor time. Requests that would keep others waiting go by themselves, as
 * unary calls, each a path `/timetick.internal.<service>/<method>`.
 */
import * as grpc from '@grpc/grpc-js'
import { CallStream } from './call-stream.ts'
import { RpcError } from './errors.ts'
import { PIECE_BYTES } from './frame-outbox.ts'
import { asBytes, type GrpcTransportOptions, MAX_BYTES, PREFIX, SECRET, STREAM, toBuffer } from './grpc-common.ts'
import { openGrpcServer } from './grpc-server.ts'
import type { ServeBytes, Transport, TransportCall, TransportServer } from './transport.ts'

export type { GrpcTransportOptions, InternalTls } from './grpc-common.ts'

export function createGrpcTransport(options: GrpcTransportOptions): Transport {
  return new GrpcTransport(options)
}

class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions
  readonly #peers = new Map<string, Peer>()
  #closed = false

  constructor(options: GrpcTransportOptions) {
    this.#options = options
  }

  call(address: string, path: string, request: Uint8Array, { signal, timeoutMs }: TransportCall): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new RpcError('RPC_CLOSED', 'the transport is closed', { outcome: 'not-applied' }))
    const { maxBytes = MAX_BYTES, mayCall } = this.#options
    if (!this.#peers.has(address) && mayCall?.(address) === false) return Promise.reject(new RpcError('RPC_UNAUTHENTICATED', `${address} is on another machine and there is no cluster.secret: nothing is sent there`, { outcome: 'not-applied' }))
    if (request.length > maxBytes) return Promise.reject(new RpcError('RPC_TOO_LARGE', `${path}: a message of ${request.length} bytes is larger than ${maxBytes}`, { outcome: 'not-applied' }))
    const peer = this.#peer(address)
    if (request.length > PIECE_BYTES) return this.#callAlone(peer.client, address, path, request, { signal, timeoutMs })
    peer.stream ??= this.#openStream(peer, address)
    return peer.stream.call(path, request, { signal, timeoutMs })
  }

  serve(paths: readonly string[], serve: ServeBytes): Promise<TransportServer> {
    return openGrpcServer(this.#options, paths, serve)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const peer of this.#peers.values()) closePeer(peer)
    this.#peers.clear()
  }

  #callAlone(client: grpc.Client, address: string, path: string, request: Uint8Array, { signal, timeoutMs }: TransportCall): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const options = { deadline: this.#options.clock.now() + timeoutMs }
      const call = client.makeUnaryRequest(PREFIX + path, toBuffer, asBytes, request, this.#metadata(), options, (error, reply) => {
        signal?.removeEventListener('abort', onAbort)
        if (signal?.aborted === true) reject(signal.reason as Error)
        else if (error !== null) reject(errorOf(error, address, path, timeoutMs))
        else if (reply === undefined) reject(new RpcError('RPC_MALFORMED', `${address} gave no reply`, { outcome: 'unknown' }))
        else resolve(reply)
      })
      const onAbort = (): void => call.cancel()
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  #openStream(peer: Peer, address: string): CallStream {
    const { clock, maxBytes = MAX_BYTES } = this.#options
    return new CallStream({
      stream: peer.client.makeBidiStreamRequest(STREAM, toBuffer, asBytes, this.#metadata()),
      address, clock, maxBytes,
      errorOf: (error, path) => errorOf(error, address, path, 0),
      onEnd: () => {
        peer.stream = undefined
      },
    })
  }

  #metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata()
    if (this.#options.secret !== undefined && this.#options.secret !== '') metadata.set(SECRET, this.#options.secret)
    return metadata
  }

  #peer(address: string): Peer {
    const known = this.#peers.get(address)
    if (known !== undefined) return known
    const { tls, maxBytes = MAX_BYTES } = this.#options
    const credentials = tls === undefined ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert))
    const client = new grpc.Client(address, credentials, {
      'grpc.max_receive_message_length': maxBytes,
      'grpc.max_send_message_length': maxBytes,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3_000,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // What is asked again, and where, is decided above.
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_channelz': 0,
    })
    // Addresses come and go with processes.
    if (this.#peers.size >= 1_000) {
      const [oldest] = this.#peers
      if (oldest !== undefined) {
        closePeer(oldest[1])
        this.#peers.delete(oldest[0])
      }
    }
    const peer: Peer = { client, stream: undefined }
    this.#peers.set(address, peer)
    return peer
  }
}

/** A process that is called. */
interface Peer {
  readonly client: grpc.Client
  /** None before the first call, and where it ended. */
  stream: CallStream | undefined
}

function closePeer({ client, stream }: Peer): void {
  stream?.close()
  client.close()
}

function errorOf(error: grpc.ServiceError, address: string, path: string, timeoutMs: number): RpcError {
  const { status } = grpc
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return new RpcError('RPC_TIMEOUT', `${address} did not answer ${path} within ${timeoutMs} ms`, { cause: error, outcome: 'unknown' })
    case status.UNAUTHENTICATED:
      return new RpcError('RPC_UNAUTHENTICATED', `${address} refused: ${error.details}`, { outcome: 'not-applied' })
    case status.UNIMPLEMENTED:
      return new RpcError('RPC_UNKNOWN_METHOD', `${path} is not served at ${address}`, { outcome: 'not-applied' })
    case status.RESOURCE_EXHAUSTED:
      if (/message larger|larger than max/i.test(error.details)) return new RpcError('RPC_TOO_LARGE', `${path}: ${error.details}`, { outcome: 'unknown' })
      return new RpcError('RPC_OVERLOADED', `${address}: ${error.details}`, { outcome: 'not-applied' })
    default: {
      // A connection that was never there carried nothing.
      const neverSent = error.code === status.UNAVAILABLE && /No connection established|ECONNREFUSED|Name resolution/i.test(error.details)
      return new RpcError('RPC_UNAVAILABLE', `${address} cannot be reached: ${error.details}`, { cause: error, outcome: neverSent ? 'not-applied' : 'unknown' })
    }
  }
}
