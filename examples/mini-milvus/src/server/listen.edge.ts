/**
 * One port for two protocols. The first bytes of a connection say which: HTTP/2's preface goes to gRPC, all else to HTTP/1.
 * What never says anything, or half a preface, is dropped after `headerTimeoutMs` and costs one socket until then. Under TLS
 * the handshake has said it already (ALPN).
 */
import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { ClientCalls } from '../clients/calls.ts'
import { limitPerAddress } from './connection-limit.ts'
import { listenError } from './errors.ts'
import type { GrpcEntry } from './grpc.ts'
import type { ServerLimits } from './limits.ts'
import { readTls, TlsFileError, type TlsSettings, watchTls } from './tls.edge.ts'

export interface ListenOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** An address of this machine, e.g. `127.0.0.1`, `0.0.0.0`, `::`. */
  readonly host: string
  readonly grpc: GrpcEntry
  readonly http: RequestListener
  /** Hears of the sockets that calls come over. */
  readonly clients?: Pick<ClientCalls, 'socketOpened' | 'socketClosed'> | undefined
  readonly limits: ServerLimits
  readonly tls?: TlsSettings | undefined
  /** New certificates could not be taken; the old ones are used on. */
  readonly onTlsError?: ((error: unknown) => void) | undefined
}

export interface Listener extends AsyncDisposable {
  readonly host: string
  /** The real port. */
  readonly port: number
  /** Lets running calls end for a moment, then ends every connection. Idempotent. */
  close(): Promise<void>
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Rejects with ListenError, or TlsFileError. */
export async function startListener(options: ListenOptions): Promise<Listener> {
  const { tls, limits } = options
  const secure = tls === undefined ? undefined : await readTls(tls)
  const http = startHttp(options)
  const sockets = new Set<Socket>()
  const take = (socket: Socket, kind: 'http1' | 'http2'): void => {
    if (kind === 'http2') {
      if (options.clients !== undefined) tellOf(socket, options.clients)
      options.grpc.inject(socket)
    } else http.emit('connection', socket)
  }
  const watch = limitPerAddress(sockets, limits.maxConnectionsPerAddress)
  const server = secure === undefined ? openPlain(limits, watch, take) : openSecure(secure, watch, take)
  server.maxConnections = limits.maxConnections
  await bind(server, options).catch((error: unknown) => {
    http.close()
    throw listenError(error, options.host, options.port)
  })
  const stopWatching = tls === undefined || !('setSecureContext' in server) ? undefined : watchTls(server, tls, options.onTlsError ?? (() => {}))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    stopWatching?.()
    return (closing ??= closeAll(server, http, options, sockets))
  }
  return { host: options.host, port, close, [Symbol.asyncDispose]: close }
}

/** By the name that calls give their peer. */
function tellOf(socket: Socket, clients: Pick<ClientCalls, 'socketOpened' | 'socketClosed'>): void {
  const { remoteAddress, remotePort } = socket
  if (remoteAddress === undefined || socket.destroyed) return
  const peer = `${remoteAddress}:${remotePort}`
  clients.socketOpened(peer)
  socket.once('close', () => clients.socketClosed(peer))
}

type Take = (socket: Socket, kind: 'http1' | 'http2') => void

function openPlain(limits: ServerLimits, watch: (socket: Socket) => boolean, take: Take): Server {
  return createServer({ noDelay: true, pauseOnConnect: false }, (socket) => {
    if (watch(socket)) sortByProtocol(socket, limits.headerTimeoutMs, (kind) => take(socket, kind))
  })
}

function openSecure(secure: TlsOptions, watch: (socket: Socket) => boolean, take: Take): ReturnType<typeof createTlsServer> {
  try {
    const server = createTlsServer({ ...secure, noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy())
      take(socket, socket.alpnProtocol === 'h2' ? 'http2' : 'http1')
    })
    server.on('connection', (socket: Socket) => void watch(socket))
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    return server
  } catch (error) {
    throw new TlsFileError(`the certificate and its key cannot be used: ${error instanceof Error ? error.message : 'unreadable'}`, { cause: error })
  }
}

function bind(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: options.port, host: options.host, backlog: 511 }, () => {
      server.off('error', reject)
      // Running out of descriptors while accepting must not end the process.
      server.on('error', () => {})
      resolve()
    })
  })
}

/** Never listens itself; `listening` starts its watch over slow headers and requests. */
function startHttp({ http: listener, limits }: ListenOptions): HttpServer {
  const http = createHttpServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headerTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: 5_000,
    },
    listener,
  )
  http.maxHeadersCount = limits.maxHeaderCount
  http.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    else socket.destroy()
  })
  http.emit('listening')
  return http
}

function sortByProtocol(socket: Socket, timeoutMs: number, decided: (kind: 'http1' | 'http2') => void): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs)
  timer.unref()
  let head = Buffer.alloc(0)
  const finish = (kind: 'http1' | 'http2' | 'gone'): void => {
    clearTimeout(timer)
    socket.off('readable', look)
    socket.off('close', gone)
    if (kind === 'gone') return
    socket.unshift(head)
    decided(kind)
  }
  const gone = (): void => finish('gone')
  const look = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
      head = Buffer.concat([head, chunk])
    const known = Math.min(head.length, PREFACE.length)
    if (known === 0) return
    if (!head.subarray(0, known).equals(PREFACE.subarray(0, known))) finish('http1')
    else if (known === PREFACE.length) finish('http2')
  }
  socket.on('readable', look)
  socket.once('close', gone)
}

async function closeAll(server: Server, http: HttpServer, options: ListenOptions, sockets: Set<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  http.close()
  http.closeIdleConnections()
  await graceful(options.grpc.drain(), options.limits.closeGraceMs)
  options.grpc.destroy()
  http.closeAllConnections()
  for (const socket of sockets) socket.destroy()
  await closed
}

function graceful(done: Promise<void>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, graceMs)
    void done.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
