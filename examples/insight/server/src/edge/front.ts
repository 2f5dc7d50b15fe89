/** HTTP and websockets in front of REST, hub and page: checks who calls before anything else. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Access } from '../access.ts'
import type { Hub } from '../hub/hub.ts'
import { SUBPROTOCOL } from '../hub/protocol.ts'
import { textFrame } from './frame.ts'
import { MILVUS_BASE } from '../rest/milvus-webui.ts'
import { METRICS_TYPE } from '../rest/metrics.ts'
import { failure, type Rest } from '../rest/rest.ts'
import { RestError, type Answer, type EventStream } from '../rest/route.ts'

export interface Asset {
  readonly body: Uint8Array
  readonly type: string
  /** Its name holds a hash of its content. */
  readonly isImmutable: boolean
  /** The same, compressed. */
  readonly br?: Uint8Array | undefined
  readonly gzip?: Uint8Array | undefined
}
/** Files of the page by path below `/webui/`; the empty path is the page itself. */
export type Assets = (path: string) => Asset | undefined

export interface FrontOptions {
  readonly access: Access
  readonly hub: Hub
  readonly rest: Rest
  readonly basePath: string
  readonly base: string
  readonly assets: Assets | undefined
  readonly metrics: () => string
  readonly onWarning?: ((message: string, error: unknown) => void) | undefined
}

/** Milvus has more below `/api/v1`; what is not answered here is not ours. */
const MILVUS_PATHS = new RegExp(`^${MILVUS_BASE}/_(cluster/info|db/list|collection/list)$`)
const MAX_BODY = 1024 * 1024
const MAX_MESSAGE = 64 * 1024
const PING_MS = 20_000
/** Scripts and styles of this server alone; nobody may frame the page. */
const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

export class HttpFront {
  readonly #options: FrontOptions
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: false,
    clientTracking: true,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  })
  readonly #streams = new Set<() => void>()
  readonly #pings: NodeJS.Timeout

  constructor(options: FrontOptions) {
    this.#options = options
    this.#pings = setInterval(() => this.#pingAll(), PING_MS)
    this.#pings.unref()
  }

  /** Answers a request of ours; false where the path is not. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const { basePath, base } = this.#options
    const isMilvus = MILVUS_PATHS.test(url.pathname.slice(basePath.length)) && url.pathname.startsWith(basePath)
    const isApi = isMilvus || url.pathname.startsWith(`${base}/`)
    const page = `${basePath}/webui`
    if (!isApi && url.pathname !== page && !url.pathname.startsWith(`${page}/`)) return false
    const reason = this.#options.access.refusal(request.headers, false)
    if (reason !== undefined) send(response, failure(new RestError(403, 'forbidden', reason)))
    else if (!isApi) this.#page(url.pathname.slice(page.length), request, response)
    else {
      this.#api(url, isMilvus ? `${basePath}${MILVUS_BASE}` : base, request, response).catch((error: unknown) => {
        this.#options.onWarning?.('a request failed', error)
        if (!response.headersSent) send(response, failure(error))
        else response.destroy()
      })
    }
    return true
  }

  /** Takes a websocket in; false where the path is not ours. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const { access, base, hub } = this.#options
    if (url.pathname !== `${base}/ws`) return false
    const reason = access.refusal(request.headers, true)
    if (reason !== undefined) {
      socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${reason.replace(/[^\x20-\x7e]/g, '?')}`)
      return true
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => attach(hub, webSocket, socket, request.socket.remoteAddress ?? ''))
    return true
  }

  /** For a scraper: with the token, where there is one. */
  metrics(request: IncomingMessage, response: ServerResponse): void {
    const { access, metrics } = this.#options
    const reason = access.refusal(request.headers, false)
    if (reason !== undefined) return send(response, failure(new RestError(403, 'forbidden', reason)))
    if (access.bearer(request.headers.authorization)?.principal.mayAct !== true) return send(response, failure(new RestError(401, 'unauthorized', 'log in first: send `Authorization: Bearer …`')))
    send(response, { status: 200, text: metrics(), type: METRICS_TYPE })
  }

  close(): void {
    clearInterval(this.#pings)
    for (const end of this.#streams) end()
    this.#streams.clear()
    for (const client of this.#sockets.clients) client.close(4503)
    this.#sockets.close()
    // Who does not answer the goodbye is cut off.
    setTimeout(() => this.#sockets.clients.forEach((client) => client.terminate()), 500).unref()
  }

  #page(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { assets, basePath } = this.#options
    if (path === '') {
      response.writeHead(308, { location: `${basePath}/webui/` }).end()
      return
    }
    const asset = assets?.(path.slice(1))
    if (asset === undefined) return send(response, failure(new RestError(404, 'not-found', assets === undefined ? 'this server was built without its page' : 'there is no such file')))
    const { body, encoding } = encodedFor(asset, String(request.headers['accept-encoding'] ?? ''))
    const cache = asset.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache'
    response.writeHead(200, { ...SECURITY_HEADERS, ...encoding, vary: 'accept-encoding', 'content-type': asset.type, 'content-length': body.length, 'cache-control': cache }).end(request.method === 'HEAD' ? undefined : body)
  }

  async #api(url: URL, base: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { access, rest } = this.#options
    const header = (name: string): string | undefined => {
      const value = request.headers[name]
      return typeof value === 'string' ? value : value?.join(',')
    }
    let body: unknown
    try {
      body = request.method === 'POST' ? await readBody(request) : undefined
    } catch (error) {
      return send(response, failure(error))
    }
    const identity = access.bearer(header('authorization'))
    const reply = await rest.answer({
      method: request.method ?? 'GET',
      path: url.pathname.slice(base.length),
      query: url.searchParams,
      header,
      body,
      peer: request.socket.remoteAddress ?? '',
      identity,
      principal: identity?.principal,
    }, base !== this.#options.base)
    if ('events' in reply) this.#stream(reply.events, response)
    else send(response, reply)
  }

  #stream(events: EventStream, response: ServerResponse): void {
    response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    response.write(': hello\n\n')
    let stop = (): void => undefined
    let isEnded = response.destroyed
    const end = (): void => {
      isEnded = true
      stop()
      this.#streams.delete(end)
      response.end()
    }
    this.#streams.add(end)
    response.once('close', end)
    stop = events.start(({ id, event, data }) => {
      // A reader that does not read starts again from its last id.
      if (response.writableLength > MAX_BODY) return response.destroy()
      response.write(`id: ${id}\n${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`)
    }, end)
    // It ended while it began.
    if (isEnded) end()
  }

  #pingAll(): void {
    for (const client of this.#sockets.clients) {
      if (silent.has(client)) client.terminate()
      else {
        silent.add(client)
        client.ping()
      }
    }
  }
}

/** Clients that have not answered the last ping. */
const silent = new WeakSet<WebSocket>()

function attach(hub: Hub, socket: WebSocket, raw: Duplex, peer: string): void {
  const session = hub.accept({
    peer,
    send: (text, shared) => {
      // What many get is framed once: the frames of a server are the same for all, and nothing is compressed.
      if (shared === undefined) socket.send(text)
      else if (socket.readyState === socket.OPEN) raw.write((shared.bytes ??= textFrame(text)))
    },
    get bufferedAmount() {
      return socket.bufferedAmount
    },
    close: (code, reason) => socket.close(code, reason),
  })
  if (session === undefined) return
  socket.on('pong', () => silent.delete(socket))
  socket.on('message', (data, isBinary) => {
    silent.delete(socket)
    if (isBinary) session.end(4400, 'expected text')
    else session.receive((data as Buffer).toString())
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => hub.leave(session))
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) throw new RestError(413, 'too-large', `expected a body of at most ${MAX_BODY} bytes`)
    chunks.push(chunk)
  }
  if (size === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown
  } catch {
    throw new RestError(400, 'bad-body', 'expected a JSON text')
  }
}

/** The smallest form that the caller takes; one that it takes with `q=0` it does not. */
function encodedFor({ body, br, gzip }: Asset, accepted: string): { readonly body: Uint8Array; readonly encoding: { readonly 'content-encoding'?: string } } {
  const takes = (name: string): boolean => accepted.split(',').some((part) => new RegExp(`^\\s*${name}\\s*(;\\s*q=(?!0(\\.0*)?\\s*$).*)?$`, 'i').test(part))
  if (br !== undefined && takes('br')) return { body: br, encoding: { 'content-encoding': 'br' } }
  if (gzip !== undefined && takes('gzip')) return { body: gzip, encoding: { 'content-encoding': 'gzip' } }
  return { body, encoding: {} }
}

function send(response: ServerResponse, reply: Answer): void {
  const [text, type] = 'body' in reply ? [JSON.stringify(reply.body), 'application/json; charset=utf-8'] : [reply.text, reply.type]
  response.writeHead(reply.status, { ...SECURITY_HEADERS, 'cache-control': 'no-cache', ...reply.headers, 'content-type': type }).end(reply.status === 304 ? undefined : text)
}
