/// <reference lib="esnext.disposable" />
/** An oracle, or a candidate for the leadership, behind gRPC. */
import type { ServerCredentials, ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import { checkInteger, checkMethods, show } from '../check.ts'
import type { Clock } from '../clock.ts'
import { systemClock } from '../edge.ts'
import { TsoError } from '../errors.ts'
import type { TimestampSource } from '../timestamp-allocator.ts'
import type { TimestampFailure, TimestampRequest, TimestampResponse } from './codec.ts'
import { NOT_SERVING, SERVING, healthMethod, streamMethod } from './definition.ts'
import { loadDriver } from './driver.ts'

export interface TimestampServiceOptions {
  /** A `TimestampOracle`, a `TimestampLeader`, or any source. It stays yours: close it after the server. */
  readonly oracle: TimestampSource & { readonly states?: object | undefined }
  /** More streams are refused with RESOURCE_EXHAUSTED. Default 5,000 (PD). */
  readonly maxStreams?: number | undefined
  /** Requests of one stream that may wait for the store; more are refused with `TSO_OVERLOADED`. Default 64. */
  readonly maxPending?: number | undefined
}

export interface ServeTimestampOracleOptions extends TimestampServiceOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 0: any free port. */
  readonly port?: number | undefined
  /** `ServerCredentials` of the gRPC driver. Default: plain text, as suits the loopback. */
  readonly credentials?: object | undefined
  readonly clock?: Clock | undefined
}

/** What is needed of a `Server` of the gRPC driver. */
export interface GrpcServer {
  addService(service: object, implementation: object): void
}

export interface TimestampServer extends AsyncDisposable {
  /** `host:port`, what clients connect to. */
  readonly address: string
  readonly port: number
  /** Ends the streams, then the server. Idempotent. */
  close(): Promise<void>
}

/** So long the last answers may take to leave at a close. */
const CLOSE_MS = 500
/** A status code of gRPC. */
const RESOURCE_EXHAUSTED = 8
type Call = ServerDuplexStream<TimestampRequest, TimestampResponse>

/** Adds the timestamp service and the standard health service to a server of yours. The result ends the streams. */
export function addTimestampService(server: GrpcServer, options: TimestampServiceOptions): () => void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { oracle, maxStreams = 5_000, maxPending = 64 } = options
  checkMethods('server', server, ['addService'])
  checkMethods('oracle', oracle, ['getTimestamp'])
  checkInteger('maxStreams', maxStreams, 1, 1_000_000)
  checkInteger('maxPending', maxPending, 1, 1_000_000)
  const calls = new Set<Call>()
  const stream = (call: Call): void => {
    if (calls.size >= maxStreams) return void call.emit('error', { code: RESOURCE_EXHAUSTED, details: `more than ${maxStreams} streams` })
    calls.add(call)
    call.once('close', () => calls.delete(call))
    serveStream(call, oracle, maxPending, () => calls.delete(call))
  }
  const check = (_: ServerUnaryCall<object, number>, answer: sendUnaryData<number>): void => answer(null, isServing(oracle) ? SERVING : NOT_SERVING)
  server.addService({ stream: streamMethod }, { stream })
  server.addService({ check: healthMethod }, { check })
  return () => {
    for (const call of calls) call.end()
  }
}

/** @throws `TSO_DRIVER_MISSING`, and what binding the port throws; nothing stays open then. */
export async function serveTimestampOracle(options: ServeTimestampOracleOptions): Promise<TimestampServer> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { host = '127.0.0.1', port = 0, credentials, clock = systemClock } = options
  if (typeof host !== 'string' || host === '') throw new TypeError(`expected \`host\` to be a name or an address, got ${show(host)}`)
  checkInteger('port', port, 0, 65_535)
  const driver = await loadDriver()
  const server = new driver.Server({ 'grpc.max_receive_message_length': 1_024, 'grpc.keepalive_time_ms': 10_000, 'grpc.keepalive_timeout_ms': 5_000 })
  const endStreams = addTimestampService(server, options)
  const name = host.includes(':') ? `[${host}]` : host
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${name}:${port}`, (credentials as ServerCredentials | undefined) ?? driver.ServerCredentials.createInsecure(), (error, got) => (error === null ? resolve(got) : reject(error)))
  }).catch((error: unknown) => {
    server.forceShutdown()
    throw error
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => {
      endStreams()
      const cancel = clock.setTimer(() => server.forceShutdown(), CLOSE_MS)
      server.tryShutdown(() => {
        cancel()
        resolve()
      })
    })
    return closing
  }
  return { address: `${name}:${bound}`, port: bound, close, [Symbol.asyncDispose]: close }
}

function serveStream(call: Call, oracle: TimestampSource, maxPending: number, onEnd: () => void): void {
  const ended = new AbortController()
  let pending = 0
  const write = (response: TimestampResponse): void => {
    if (ended.signal.aborted) return
    // Who does not read gets no more requests served.
    if (call.write(response) || call.isPaused()) return
    call.pause()
    call.once('drain', () => call.resume())
  }
  const refuse = (id: number, error: unknown): void => write({ id, first: 0n, count: 0, failure: failureOf(error) })
  const wait = async ({ id, count }: TimestampRequest): Promise<void> => {
    pending++
    try {
      const { first } = await oracle.getTimestamp(count, { signal: ended.signal })
      write({ id, first, count, failure: undefined })
    } catch (error) {
      refuse(id, error)
    }
    pending--
  }
  const end = (): void => {
    ended.abort()
    onEnd()
  }
  call.on('data', (request: TimestampRequest) => {
    const { id, count } = request
    try {
      const range = oracle.tryGetTimestamp?.(count)
      if (range !== undefined) write({ id, first: range.first, count, failure: undefined })
      else if (pending < maxPending) void wait(request)
      else refuse(id, new TsoError('TSO_OVERLOADED', `more than ${maxPending} requests of a stream wait`))
    } catch (error) {
      refuse(id, error)
    }
  })
  call.on('end', () => call.end())
  call.on('cancelled', end)
  call.on('close', end)
  call.on('error', end)
}

function failureOf(error: unknown): TimestampFailure {
  if (error instanceof TsoError) {
    const { leader } = error.details
    return { code: error.code, message: error.message, leader: typeof leader === 'string' ? leader : '', retryable: error.retryable }
  }
  // A bad count; anything else stays inside.
  const message = error instanceof RangeError || error instanceof TypeError ? error.message : 'internal error'
  return { code: 'TSO_UNAVAILABLE', message, leader: '', retryable: false }
}

function isServing({ states }: TimestampServiceOptions['oracle']): boolean {
  const { status: state, role } = (states ?? {}) as { status?: unknown; role?: unknown }
  return (state === undefined || state === 'serving') && (role === undefined || role === 'leading')
}
