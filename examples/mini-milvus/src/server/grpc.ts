/** The gRPC side of the port: every method of the descriptor, those without a handler too. */
import type { Socket } from 'node:net'
import * as grpc from '@grpc/grpc-js'
import type { NodeClock } from '../edge/system.ts'
import { type MethodInfo, methods } from '../wire/index.ts'
import { AuthenticationError } from './auth-errors.ts'
import {
  admitStream,
  type CallInfo,
  dispatchBytes,
  type DispatchOptions,
  encodeStatusResponse,
  isRefusal,
  MalformedRequestError,
  notServed,
  StatuslessError,
} from './dispatch.ts'
import { type Arrivals, createArrivals, identifierOf } from './grpc-arrivals.ts'
import { addHealth } from './health.ts'
import type { ServerLimits } from './limits.ts'
import { addReflection } from './reflection.ts'
import { Code, errorStatus, MilvusError } from './status.ts'
import { wholeRequests } from './whole-requests.ts'

export interface GrpcOptions extends DispatchOptions {
  readonly limits: ServerLimits
  readonly clock: NodeClock
  /** What health checks are told. @default true */
  readonly isServing?: (() => boolean) | undefined
}

interface EntryOptions extends GrpcOptions {
  readonly arrivals: Arrivals | undefined
}

export interface GrpcEntry {
  /** Hands over a socket that speaks HTTP/2; nothing may have been consumed from it. */
  inject(socket: Socket): void
  /** Refuses new calls and resolves when the running ones ended. */
  drain(): Promise<void>
  /** Ends everything now. */
  destroy(): void
}

const passThrough = (bytes: Buffer): Buffer => bytes

export function createGrpcEntry(options: GrpcOptions): GrpcEntry {
  const { limits, clients } = options
  const arrivals = clients === undefined ? undefined : createArrivals(clients)
  const server = new grpc.Server({
    'grpc.max_receive_message_length': limits.maxReceiveBytes,
    'grpc.max_send_message_length': limits.maxSendBytes,
    'grpc.max_concurrent_streams': limits.maxStreamsPerConnection,
    'grpc.max_connection_idle_ms': limits.idleTimeoutMs,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
    interceptors: arrivals === undefined ? [wholeRequests] : [wholeRequests, arrivals.interceptor],
  })
  const gate = { bytes: 0 }
  for (const service of new Set(methods.map((method) => method.service))) {
    const own = methods.filter((method) => method.service === service)
    server.addService(
      Object.fromEntries(own.map(definition)),
      Object.fromEntries(own.map((method) => implementation({ ...options, arrivals }, gate, method))),
    )
  }
  const health = addHealth(server, { isServing: options.isServing ?? (() => true), clock: options.clock })
  const reflection = addReflection(server, { clock: options.clock, maxStreamMs: limits.callTimeoutMs })
  const stopStreams = (): void => {
    health.stop()
    reflection.stop()
  }
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure())
  return {
    inject: (socket) => injector.injectConnection(socket),
    drain: () => {
      stopStreams()
      return new Promise((resolve) => server.tryShutdown(() => resolve()))
    },
    destroy: () => {
      stopStreams()
      server.forceShutdown()
    },
  }
}

/** Messages pass as bytes: what does not parse must be the caller's fault, and grpc-js would call it ours. */
function definition(method: MethodInfo): [string, grpc.MethodDefinition<Buffer, Buffer>] {
  const codec = {
    requestSerialize: passThrough,
    requestDeserialize: passThrough,
    responseSerialize: passThrough,
    responseDeserialize: passThrough,
  }
  const { path, requestStream, responseStream } = method
  return [method.name, { path, requestStream, responseStream, ...codec }]
}

function implementation(options: EntryOptions, gate: { bytes: number }, method: MethodInfo): [string, grpc.UntypedHandleCall] {
  if (method.requestStream && method.responseStream) {
    const refuse: grpc.handleBidiStreamingCall<Buffer, Buffer> = (call) => refuseStream(options, method, call)
    return [method.name, refuse]
  }
  if (method.responseStream) {
    const refuse: grpc.handleServerStreamingCall<Buffer, Buffer> = (call) => refuseStream(options, method, call)
    return [method.name, refuse]
  }
  const handle: grpc.handleUnaryCall<Buffer, Buffer> = (call, callback) => void answer(options, gate, method, call, callback)
  return [method.name, handle]
}

/** Streams carry no Status of their own kind, so here alone a refusal is a gRPC status. */
function refuseStream(
  options: GrpcOptions,
  method: MethodInfo,
  call: grpc.ServerDuplexStream<Buffer, Buffer> | grpc.ServerWritableStream<Buffer, Buffer>,
): void {
  const end = (code: grpc.status, reason: string): void => {
    call.emit('error', Object.assign(new Error(reason), { code }))
  }
  admitStream(options, method, infoOf(call, new AbortController().signal)).then(
    () => end(grpc.status.UNIMPLEMENTED, notServed(method.name).message),
    (error: unknown) => end(grpcCode(error), reasonOf(error)),
  )
}

async function answer(
  options: EntryOptions,
  gate: { bytes: number },
  method: MethodInfo,
  call: grpc.ServerUnaryCall<Buffer, Buffer>,
  callback: grpc.sendUnaryData<Buffer>,
): Promise<void> {
  const { limits } = options
  const size = call.request.length
  const ticket = options.arrivals?.take(call.metadata)
  if (gate.bytes + size > limits.maxInFlightBytes) {
    ticket?.leave()
    const busy = new MilvusError(Code.RateLimit, `more than ${limits.maxInFlightBytes} bytes of requests are in flight: retry later`)
    callback(null, toBuffer(encodeStatusResponse(method, errorStatus(busy))))
    return
  }
  gate.bytes += size
  const abort = new AbortController()
  let ended = false
  // The library says so of every call, of one that was answered as well.
  call.once('cancelled', () => {
    if (!ended) abort.abort(new CallAborted('the client cancelled the call'))
  })
  const cancelTimer = options.clock.setTimer(() => abort.abort(new CallAborted('the call took too long')), limits.callTimeoutMs)
  try {
    callback(null, toBuffer(await dispatchBytes(options, method, call.request, { ...infoOf(call, abort.signal), ticket })))
  } catch (error) {
    callback({ code: grpcCode(error), details: reasonOf(error) })
  } finally {
    ended = true
    ticket?.leave()
    cancelTimer()
    gate.bytes -= size
  }
}

function grpcCode(error: unknown): grpc.status {
  if (isRefusal(error)) return error instanceof AuthenticationError ? grpc.status.UNAUTHENTICATED : grpc.status.PERMISSION_DENIED
  if (error instanceof MalformedRequestError) return grpc.status.INVALID_ARGUMENT
  return error instanceof StatuslessError ? grpc.status.UNIMPLEMENTED : grpc.status.INTERNAL
}

/** The reason of an abort, by which handlers and logs tell it from failures. */
class CallAborted extends Error {
  override readonly name = 'AbortError'
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'internal error'
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function infoOf(call: Pick<grpc.ServerUnaryCall<Buffer, Buffer>, 'metadata' | 'getPeer' | 'getDeadline'>, signal: AbortSignal): CallInfo {
  const metadata = new Map<string, string>()
  for (const [key, value] of Object.entries(call.metadata.getMap())) if (typeof value === 'string') metadata.set(key, value)
  const deadline = Number(call.getDeadline())
  return {
    metadata,
    identifier: identifierOf(metadata.get('identifier')),
    peer: call.getPeer(),
    signal,
    deadline: Number.isFinite(deadline) ? deadline : undefined,
  }
}
