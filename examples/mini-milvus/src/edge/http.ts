/** A small HTTP server of its own port. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { listenError } from '../server/errors.ts'

export interface HttpAnswer {
  readonly status: number
  readonly type: string
  readonly body: string
}

export interface HttpServer {
  readonly host: string
  readonly port: number
  close(): Promise<void>
}

/** Somebody who serves paths of his own on the port; false: not his. */
export interface HttpGuest {
  handle(request: IncomingMessage, response: ServerResponse): boolean
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
}

/** GET only, but for what the guest serves. @param answer from path and `Content-Type` or `Accept` of the request */
export async function startHttpServer(
  { host, port }: { readonly host: string; readonly port: number },
  answer: (path: string, accept: string) => Promise<HttpAnswer>,
  guest?: HttpGuest | undefined,
): Promise<HttpServer> {
  const server = createServer({ headersTimeout: 15_000, requestTimeout: 60_000, maxHeaderSize: 16_384 }, (request, response) => {
    if (guest?.handle(request, response) === true) return
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const accept = `${request.headers['content-type'] ?? ''} ${request.headers.accept ?? ''}`
    const done = request.method === 'GET' || request.method === 'HEAD' ? answer(path, accept) : Promise.resolve({ status: 405, type: 'text/plain', body: 'GET only' })
    done
      .catch(() => ({ status: 500, type: 'text/plain', body: 'internal error' }))
      .then(({ status, type, body }) => response.writeHead(status, { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' }).end(request.method === 'HEAD' ? undefined : body))
      .catch(() => response.destroy())
  })
  server.on('upgrade', (request, socket, head) => {
    if (guest?.upgrade(request, socket, head) !== true) socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)))
    server.listen({ host, port, exclusive: true }, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    host,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
