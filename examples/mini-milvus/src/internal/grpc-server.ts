/** The answering side of calls over gRPC: unary ones, and streams of frames. */
import { createHash, timingSafeEqual } from 'node:crypto'
import * as grpc from '@grpc/grpc-js'
import { RpcError } from './errors.ts'
import { asBytes, type GrpcTransportOptions, MAX_BYTES, PREFIX, SECRET, STREAM, toBuffer } from './grpc-common.ts'
import { ServedStreams } from './served-streams.ts'
import type { ServeBytes, TransportServer } from './transport.ts'

/** Streams that others may hold open here: each process has one. */
const MAX_STREAMS = 10_000

/** Rejects with `RPC_UNAVAILABLE` where it cannot listen. */
export async function openGrpcServer(options: GrpcTransportOptions, paths: readonly string[], serve: ServeBytes): Promise<TransportServer> {
  const { host, port, tls, secret = '', maxBytes = MAX_BYTES, maxCalls = 4096, closeGraceMs = 5_000, advertise, clock } = options
  const server = new grpc.Server({
    'grpc.max_receive_message_length': maxBytes,
    'grpc.max_send_message_length': maxBytes,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.enable_channelz': 0,
  })
  const gate = { running: 0, maxCalls, secret: digest(secret) }
  const streams = new ServedStreams({ paths: new Set(paths), serve, clock, maxBytes, gate })
  addPaths(server, paths, serve, gate)
  addStreams(server, streams, gate)
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
      const cancel = clock.setTimer(() => {
        // Without channelz a shutdown by force leaves connections open on which something is under way.
        streams.end()
        server.forceShutdown()
      }, closeGraceMs)
      server.tryShutdown(() => {
        cancel()
        resolve()
      })
      streams.close()
    }))
  return { address: advertise !== undefined && advertise !== '' ? advertise : `${name}:${bound}`, close }
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

function addStreams(server: grpc.Server, streams: ServedStreams, gate: ServerGate): void {
  const codec = { requestSerialize: toBuffer, requestDeserialize: asBytes, responseSerialize: toBuffer, responseDeserialize: asBytes }
  const open: grpc.handleBidiStreamingCall<Uint8Array, Uint8Array> = (stream) => {
    const refuse = (code: grpc.status, details: string): void => void stream.emit('error', { code, details })
    if (!knowsSecret(stream.metadata, gate)) refuse(grpc.status.UNAUTHENTICATED, 'the secret of the cluster is another')
    else if (streams.size >= MAX_STREAMS) refuse(grpc.status.RESOURCE_EXHAUSTED, `more than ${MAX_STREAMS} processes`)
    else streams.add(stream)
  }
  server.addService({ stream: { path: STREAM, requestStream: true, responseStream: true, ...codec } }, { stream: open })
}

function knowsSecret(metadata: grpc.Metadata, gate: ServerGate): boolean {
  const [secret = ''] = metadata.get(SECRET)
  return timingSafeEqual(digest(String(secret)), gate.secret)
}

async function answer(path: string, serve: ServeBytes, gate: ServerGate, call: grpc.ServerUnaryCall<Uint8Array, Uint8Array>, callback: grpc.sendUnaryData<Uint8Array>): Promise<void> {
  if (!knowsSecret(call.metadata, gate)) return callback({ code: grpc.status.UNAUTHENTICATED, details: 'the secret of the cluster is another' })
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

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
