/** Bytes in and out of HTTP/1 requests. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CallInfo } from '../server/dispatch.ts'
import { stringifyJson } from './json.ts'

export function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array | 'gone' | 'too large'> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    request.resume()
    return Promise.resolve('too large')
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= maxBytes) chunks.push(chunk)
      else {
        chunks.length = 0
        resolve('too large')
      }
    })
    request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    request.once('close', () => resolve('gone'))
    request.once('error', () => resolve('gone'))
  })
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, 'application/json; charset=utf-8', stringifyJson(body))
}

export function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), 'x-content-type-options': 'nosniff' })
  response.end(text)
}

/** What is left of the body is not read: the connection ends with the answer. */
export function refuse(response: ServerResponse, status: number, message: string): void {
  response.setHeader('connection', 'close')
  sendJson(response, status, { code: status, message })
}

/** The call's surroundings in gRPC's words, so that one gate judges both: `db-name` becomes `dbname`. */
export function callInfo(request: IncomingMessage, signal: AbortSignal, deadline: number | undefined): CallInfo {
  const metadata = new Map<string, string>()
  const { headers } = request
  for (const name in headers) {
    const value = headers[name]
    if (typeof value === 'string') metadata.set(name, value)
  }
  const database = metadata.get('db-name')
  if (database !== undefined) metadata.set('dbname', database)
  const { remoteAddress = '', remotePort = 0 } = request.socket
  return { metadata, identifier: undefined, peer: `${remoteAddress}:${remotePort}`, signal, deadline }
}

/** Seconds, as Milvus reads `Request-Timeout`; what is no positive integer is not heard. */
export function askedTimeoutMs(request: IncomingMessage): number | undefined {
  const header = request.headers['request-timeout']
  return typeof header === 'string' && /^\d{1,9}$/.test(header) && Number(header) > 0 ? Number(header) * 1000 : undefined
}
