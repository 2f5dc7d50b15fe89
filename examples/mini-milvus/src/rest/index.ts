/**
 * The HTTP side of the port: `/v2/vectordb` (all POST, one table of routes) and `/healthz`. Every route calls the handlers
 * that gRPC calls, by RPC name, with the same request objects.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type CallInfo, dispatchObject, type DispatchOptions, type Logger } from '../server/dispatch.ts'
import { allowAll, type Authorize, type HandlerTable } from '../server/handlers.ts'
import { defaultLimits } from '../server/limits.ts'
import { asMilvusError, Code, MilvusError } from '../server/status.ts'
import { type MethodInfo, methods } from '../wire/index.ts'
import { Body } from './body.ts'
import { missing } from './errors.ts'
import { defaultJsonLimits, parseJsonBody, stringifyJson } from './json.ts'
import type { Route, Session } from './route.ts'
import { collectionRoutes } from './routes-collections.ts'
import { entityRoutes } from './routes-entities.ts'
import { metadataRoutes } from './routes-metadata.ts'

export interface RestOptions {
  readonly handlers: HandlerTable
  readonly authorize?: Authorize | undefined
  readonly logger?: Logger | undefined
  /** @default 64 MB */
  readonly maxBodyBytes?: number | undefined
  /** @default 64 */
  readonly maxJsonDepth?: number | undefined
}

const PREFIX = '/v2/vectordb/'
const routes: ReadonlyMap<string, Route> = new Map(
  [...collectionRoutes, ...entityRoutes, ...metadataRoutes].map((route) => [PREFIX + route.path, route]),
)
const methodsByName: ReadonlyMap<string, MethodInfo> = new Map(methods.map((method) => [method.name, method]))

/** `POST` paths that are served. */
export const restPaths: readonly string[] = [...routes.keys()]

export function createRestHandler(options: RestOptions): RequestListener {
  const { handlers, authorize = allowAll, logger, maxBodyBytes = defaultLimits.maxReceiveBytes } = options
  const context: Context = {
    dispatch: { handlers, authorize, logger },
    maxBodyBytes,
    jsonLimits: { ...defaultJsonLimits, maxDepth: options.maxJsonDepth ?? defaultJsonLimits.maxDepth },
  }
  return (request, response) => {
    answer(context, request, response).catch((error: unknown) => {
      logger?.error(
        { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
        'an HTTP request failed unexpectedly',
      )
      response.destroy()
    })
  }
}

interface Context {
  readonly dispatch: DispatchOptions
  readonly maxBodyBytes: number
  readonly jsonLimits: typeof defaultJsonLimits
}

async function answer(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '/'] = (request.url ?? '/').split('?')
  if (path === '/healthz' && (request.method === 'GET' || request.method === 'HEAD')) return health(context, request, response)
  const route = request.method === 'POST' ? routes.get(path) : undefined
  if (route === undefined) {
    send(response, routes.has(path) ? 405 : 404, {
      code: routes.has(path) ? 405 : 404,
      message: routes.has(path) ? 'use POST' : `no such path: ${path.slice(0, 200)}`,
    })
    request.resume()
    return
  }
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') return refuse(response, 415, `content-encoding ${encoding} is not accepted`)
  const bytes = await readBody(request, context.maxBodyBytes)
  if (bytes === 'gone') return
  if (bytes === 'too large') return refuse(response, 413, `the body is larger than ${context.maxBodyBytes} bytes`)
  send(response, 200, await runRoute(context, route, request, response, bytes))
}

/** What is left of the body is not read: the connection ends with the answer. */
function refuse(response: ServerResponse, status: number, message: string): void {
  response.setHeader('connection', 'close')
  send(response, status, { code: status, message })
}

function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array | 'gone' | 'too large'> {
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
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('close', () => resolve('gone'))
    request.once('error', () => resolve('gone'))
  })
}

async function runRoute(
  context: Context,
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
): Promise<object> {
  const abort = new AbortController()
  const onClose = (): void => {
    if (!response.writableFinished) abort.abort(new DOMException('the client went away', 'AbortError'))
  }
  response.once('close', onClose)
  try {
    const body = new Body(parseJsonBody(bytes, context.jsonLimits))
    for (const name of route.required) {
      const value = body.value(name)
      if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) throw missing(name)
    }
    const { data = {}, topks } = await route.run(body, sessionOf(context, request, abort.signal))
    return { code: 0, cost: 0, data, topks }
  } catch (error) {
    return failure(context, route, error)
  } finally {
    response.off('close', onClose)
  }
}

function failure(context: Context, route: Route, error: unknown): object {
  const known = asMilvusError(error)
  if (known !== undefined) return { code: known.code, message: known.message }
  if (!(error instanceof Error && error.name === 'AbortError')) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    context.dispatch.logger?.error({ path: route.path, error: text }, 'a REST call failed unexpectedly')
  }
  return { code: Code.Unexpected, message: error instanceof Error ? `${error.name}: ${error.message}` : 'internal error' }
}

function sessionOf({ dispatch }: Context, request: IncomingMessage, signal: AbortSignal): Session {
  const info = infoOf(request, signal)
  return {
    allowInt64: request.headers['accept-type-allow-int64'] === 'true',
    call: async (rpc, message) => {
      const method = methodsByName.get(rpc)
      if (method === undefined) throw new MilvusError(Code.Unimplemented, `${rpc} is unknown`)
      const response: unknown = await dispatchObject(dispatch, method, message, info)
      const status = (method.response.name === 'Status' ? response : (response as { status?: unknown }).status) as {
        code: number
        reason: string
      } | null
      if (status !== null && status.code !== 0) throw new MilvusError(status.code, status.reason)
      return response as never
    },
  }
}

function infoOf(request: IncomingMessage, signal: AbortSignal): CallInfo {
  const metadata = new Map<string, string>()
  for (const [name, value] of Object.entries(request.headers)) if (typeof value === 'string') metadata.set(name, value)
  const database = metadata.get('db-name')
  if (database !== undefined) metadata.set('dbname', database)
  const { remoteAddress = '', remotePort = 0 } = request.socket
  return { metadata, identifier: undefined, peer: `${remoteAddress}:${remotePort}`, signal, deadline: undefined }
}

/** As Milvus: `OK`, or the states as JSON for clients that name that type. */
async function health(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const session = sessionOf(context, request, new AbortController().signal)
  const { isHealthy, reasons } = await session.call('CheckHealth', {}).catch((error: unknown) => ({
    isHealthy: false,
    reasons: [error instanceof Error ? error.message : 'unknown'],
  }))
  const wantsJson = `${request.headers['content-type'] ?? ''} ${request.headers.accept ?? ''}`.includes('application/json')
  if (wantsJson)
    return send(response, isHealthy ? 200 : 500, { state: isHealthy ? 'OK' : 'not all components are healthy', detail: reasons })
  response.writeHead(isHealthy ? 200 : 500, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
  response.end(isHealthy ? 'OK' : `Not all components are healthy: ${reasons.join(', ')}`)
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = stringifyJson(body)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'x-content-type-options': 'nosniff',
  })
  response.end(text)
}
