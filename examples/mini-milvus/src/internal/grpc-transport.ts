/** Calls between processes as unary gRPC, each a path `/timetick.internal.<service>/<method>`, with a shared secret or certificates. */
import { createHash, timingSafeEqual } from 'node:crypto'
import * as grpc from '@grpc/grpc-js'
import { RpcError } from './errors.ts'
import type { ServeBytes, Transport, TransportCall, TransportServer } from './transport.ts'

export interface GrpcTransportOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** What others reach it by; the host and the port that were bound unless given. */
  readonly advertise?: string | undefined
  /** Both sides must have the same; '' for none. */
  readonly secret?: string | undefined
  readonly tls?: InternalTls | undefined
  /** Asked before the first call to an address: `false` refuses it. @default any */
  readonly mayCall?: ((address: string) => boolean) | undefined
  /** Of one message. @default 256 MiB */
  readonly maxBytes?: number | undefined
  /** Calls under way here; more are refused. @default 4096 */
  readonly maxCalls?: number | undefined
  /** How long a close lets running calls finish. @default 5000 */
  readonly closeGraceMs?: number | undefined
  readonly clock: { setTimer(callback: () => void, delayMs: number): () => void; now(): number }
}

/** PEM of a certificate that serves and calls, its key, and who signed those of the others. */
export interface InternalTls {
  readonly cert: Uint8Array
  readonly key: Uint8Array
  readonly ca: Uint8Array
}

const PREFIX = '/timetick.internal.'
const SECRET = 'timetick-secret'
const MAX_BYTES = 256 * 1024 * 1024

export function createGrpcTransport(options: GrpcTransportOptions): Transport {
  return new GrpcTransport(options)
}

class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions
  readonly #clients = new Map<string, grpc.Client>()
  #closed = false

  constructor(options: GrpcTransportOptions) {
    this.#options = options
  }

  call(address: string, path: string, request: Uint8Array, { signal, timeoutMs }: TransportCall): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new RpcError('RPC_CLOSED', 'the transport is closed', { outcome: 'not-applied' }))
    const { maxBytes = MAX_BYTES, mayCall } = this.#options
    if (!this.#clients.has(address) && mayCall?.(address) === false) return Promise.reject(new RpcError('RPC_UNAUTHENTICATED', `${address} is on another machine and there is no cluster.secret: nothing is sent there`, { outcome: 'not-applied' }))
    if (request.length > maxBytes) return Promise.reject(new RpcError('RPC_TOO_LARGE', `${path}: a message of ${request.length} bytes is larger than ${maxBytes}`, { outcome: 'not-applied' }))
    return new Promise((resolve, reject) => {
      const metadata = new grpc.Metadata()
      if (this.#options.secret !== undefined && this.#options.secret !== '') metadata.set(SECRET, this.#options.secret)
      const options = { deadline: this.#options.clock.now() + timeoutMs }
      const call = this.#client(address).makeUnaryRequest(PREFIX + path, toBuffer, asBytes, request, metadata, options, (error, reply) => {
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

  async serve(paths: readonly string[], serve: ServeBytes): Promise<TransportServer> {
    const { host, port, tls, secret = '', maxBytes = MAX_BYTES, maxCalls = 4096, closeGraceMs = 5_000, advertise, clock } = this.#options
    const server = new grpc.Server({
      'grpc.max_receive_message_length': maxBytes,
      'grpc.max_send_message_length': maxBytes,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.enable_channelz': 0,
    })
    const gate = { running: 0, maxCalls, secret: digest(secret) }
    addPaths(server, paths, serve, gate)
    const credentials = tls === undefined ? grpc.ServerCredentials.createInsecure() : grpc.ServerCredentials.createSsl(Buffer.from(tls.ca), [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }], true)
    const name = host.includes(':') ? `[${host}]` : host
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`${name}:${port}`, credentials, (error, got) => (error === null ? resolve(got) : reject(error)))
    }).catch((error: unknown) => {
      server.forceShutdown()
      throw new RpcError('RPC_UNAVAILABLE', `cannot listen on ${name}:${port} for other processes of the cluster: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    })
    let closing: Promise<void> | undefined
    const close = (): Promise<void> =>
      (closing ??= new Promise((resolve) => {
        const cancel = clock.setTimer(() => server.forceShutdown(), closeGraceMs)
        server.tryShutdown(() => {
          cancel()
          resolve()
        })
      }))
    return { address: advertise !== undefined && advertise !== '' ? advertise : `${name}:${bound}`, close }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }

  #client(address: string): grpc.Client {
    const known = this.#clients.get(address)
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
    })
    // Addresses come and go with processes.
    if (this.#clients.size >= 1_000) {
      const [oldest] = this.#clients
      if (oldest !== undefined) {
        oldest[1].close()
        this.#clients.delete(oldest[0])
      }
    }
    this.#clients.set(address, client)
    return client
  }
}

interface ServerGate {
  running: number
  readonly maxCalls: number
  readonly secret: Uint8Array
}

function addPaths(server: grpc.Server, paths: readonly string[], serve: ServeBytes, gate: ServerGate): void {
  const codec = { requestSerialize: toBuffer, requestDeserialize: asBytes, responseSerialize: toBuffer, responseDeserialize: asBytes }
  const definition = Object.fromEntries(paths.map((path): [string, grpc.MethodDefinition<Uint8Array, Uint8Array>] => [path, { path: PREFIX + path, requestStream: false, responseStream: false, ...codec }]))
  const handlers = Object.fromEntries(
    paths.map((path): [string, grpc.handleUnaryCall<Uint8Array, Uint8Array>] => [path, (call, callback) => void answer(path, serve, gate, call, callback)]),
  )
  server.addService(definition, handlers)
}

async function answer(path: string, serve: ServeBytes, gate: ServerGate, call: grpc.ServerUnaryCall<Uint8Array, Uint8Array>, callback: grpc.sendUnaryData<Uint8Array>): Promise<void> {
  const [secret = ''] = call.metadata.get(SECRET)
  if (!timingSafeEqual(digest(String(secret)), gate.secret)) return callback({ code: grpc.status.UNAUTHENTICATED, details: 'the secret of the cluster is another' })
  if (gate.running >= gate.maxCalls) return callback({ code: grpc.status.RESOURCE_EXHAUSTED, details: `more than ${gate.maxCalls} calls` })
  const abort = new AbortController()
  let ended = false
  call.once('cancelled', () => {
    if (!ended) abort.abort(new RpcError('RPC_CLOSED', 'the caller gave up', { outcome: 'unknown' }))
  })
  gate.running++
  try {
    callback(null, await serve(path, call.request, abort.signal))
  } catch (error) {
    callback({ code: grpc.status.INTERNAL, details: error instanceof Error ? error.message : 'internal error' })
  } finally {
    ended = true
    gate.running--
  }
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

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function asBytes(bytes: Buffer): Uint8Array {
  return bytes
}
