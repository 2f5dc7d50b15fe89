/**
 * The HTTP side of the port: one table of routes (`/v2/vectordb`, `/v1/vector`, `/api/v1`), `/openapi.json` and `/healthz`. Every route
 * calls the handlers that gRPC calls, by RPC name, with the same request objects.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { ClientCalls } from '../clients/calls.ts'
import { type RestClient, type RestSessions, SESSION_HEADER } from '../clients/rest-sessions.ts'
import { type NodeClock, systemClock } from '../edge/system.ts'
import type { DispatchOptions, Logger } from '../server/dispatch.ts'
import { allowAll, type Gate, type HandlerTable } from '../server/handlers.ts'
import { defaultLimits, type ServerLimits } from '../server/limits.ts'
import { asMilvusError, Code, MilvusError } from '../server/status.ts'
import { Body } from './body.ts'
import { missing, TimeoutError } from './errors.ts'
import { type Answer, families } from './families.ts'
import { createRouteFinder, type Found } from './find-route.ts'
import { callInfo, readBody, refuse, askedTimeoutMs, sendJson, sendText } from './http.ts'
import { defaultJsonLimits, parseJsonBody } from './json.ts'
import { openApiText } from './openapi.ts'
import type { Route } from './route.ts'
import { createSession } from './session.ts'
import { routes } from './table.ts'

export { routes } from './table.ts'

export interface RestOptions {
  readonly handlers: HandlerTable
  readonly authorize?: Gate | undefined
  readonly logger?: Logger | undefined
  /** Those of the port that gRPC keeps too: bytes of a request and of all in flight, JSON depth, time of a call. */
  readonly limits?: Partial<ServerLimits> | undefined
  readonly clock?: Pick<NodeClock, 'now' | 'setTimer'> | undefined
  /** Whose work a call is. Without it each connection is a client. */
  readonly sessions?: RestSessions | undefined
  readonly clients?: ClientCalls | undefined
}

const find = createRouteFinder(routes)

export function createRestHandler(options: RestOptions): RequestListener {
  const { handlers, authorize = allowAll, logger, clock = systemClock, sessions, clients } = options
  const limits = { ...defaultLimits, ...options.limits }
  const context: Context = {
    dispatch: { handlers, authorize, logger, clients },
    sessions,
    maxBodyBytes: limits.maxReceiveBytes,
    gate: { bytes: 0, limit: limits.maxInFlightBytes },
    jsonLimits: { ...defaultJsonLimits, maxDepth: limits.maxJsonDepth },
    callTimeoutMs: limits.callTimeoutMs,
    clock,
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
  readonly sessions: RestSessions | undefined
  readonly maxBodyBytes: number
  readonly gate: { bytes: number; readonly limit: number }
  readonly jsonLimits: typeof defaultJsonLimits
  readonly callTimeoutMs: number
  readonly clock: Pick<NodeClock, 'now' | 'setTimer'>
}

async function answer(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path, query] = splitUrl(request.url ?? '/')
  const method = request.method ?? 'GET'
  const isReading = method === 'GET' || method === 'HEAD'
  if (isReading && path === '/healthz') return health(context, request, response)
  if (isReading && path === '/openapi.json') return sendText(response, 200, 'application/json; charset=utf-8', openApiText())
  const found = findRoute(method, path)
  if (found === undefined || 'methods' in found) return noRoute(request, response, path, found?.methods)
  // At once: this is the call's place among those of its session.
  const client = claimClient(context, found.route, request, response)
  if (client === 'refused') return
  try {
    await answerFound(context, found, query, request, response, client)
  } finally {
    client?.release()
  }
}

/** Refuses calls of sessions that are not there. */
function claimClient({ sessions }: Context, { family }: Route, request: IncomingMessage, response: ServerResponse): RestClient | undefined | 'refused' {
  try {
    // Whoever asks for one counts on writes that wait for a flush.
    if (sessions === undefined && request.headers[SESSION_HEADER] !== undefined) throw new MilvusError(Code.Unimplemented, 'no sessions are served here')
    const client = sessions?.claim(request.headers[SESSION_HEADER])
    if (client?.session !== undefined) response.setHeader(SESSION_HEADER, client.session)
    return client
  } catch (error) {
    const { status, body } = families[family].failed(error)
    sendJson(response, status, body)
    request.resume()
    return 'refused'
  }
}

async function answerFound(context: Context, found: Found, query: string, request: IncomingMessage, response: ServerResponse, client: RestClient | undefined): Promise<void> {
  if (!(await isKnown(context, found.route, request, response))) return
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') return refuse(response, 415, `content-encoding ${encoding} is not accepted`)
  const bytes = await readBody(request, context.maxBodyBytes)
  if (bytes === 'gone') return
  if (bytes === 'too large') return refuse(response, 413, `the body is larger than ${context.maxBodyBytes} bytes`)
  const { status, body } = await underGate(context, found.route, bytes.length, () => runRoute(context, found, query, request, response, bytes, client))
  sendJson(response, status, body)
}

function splitUrl(url: string): readonly [string, string] {
  const at = url.indexOf('?')
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
}

/** Who is not known does not get their body read. */
async function isKnown({ dispatch }: Context, { rpc, family }: Route, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  if (dispatch.authorize === allowAll) return true
  try {
    await dispatch.authorize.identify(rpc, callInfo(request, new AbortController().signal, undefined))
    return true
  } catch (error) {
    const { status, body } = families[family].failed(error)
    response.setHeader('connection', 'close')
    sendJson(response, status, body)
    return false
  }
}

/** The seed names its resources without the version prefix: both ways lead there. */
function findRoute(method: string, path: string): ReturnType<typeof find> {
  const found = find(method, path)
  if (found !== undefined || path.startsWith('/v') || path.startsWith('/api/')) return found
  const prefixed = find(method, `/api/v1${path}`)
  return prefixed === undefined || 'methods' in prefixed || prefixed.route.family === 'resource' ? prefixed : undefined
}

function noRoute(request: IncomingMessage, response: ServerResponse, path: string, methodsThere: readonly string[] | undefined): void {
  if (methodsThere !== undefined) response.setHeader('allow', methodsThere.join(', '))
  const message = methodsThere === undefined ? `no such path: ${path.slice(0, 200)}` : `use ${methodsThere.join(' or ')}`
  const status = methodsThere === undefined ? 404 : 405
  sendJson(response, status, { code: status, message })
  request.resume()
}

async function underGate(context: Context, route: Route, size: number, run: () => Promise<Answer>): Promise<Answer> {
  const { gate } = context
  if (gate.bytes + size > gate.limit) {
    return families[route.family].failed(new MilvusError(Code.RateLimit, `more than ${gate.limit} bytes of requests are in flight: retry later`))
  }
  gate.bytes += size
  try {
    return await run()
  } finally {
    gate.bytes -= size
  }
}

async function runRoute(
  context: Context,
  { route, values }: Found,
  query: string,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  client: RestClient | undefined,
): Promise<Answer> {
  const family = families[route.family]
  const abort = new AbortController()
  const asked = askedTimeoutMs(request)
  const timeoutMs = Math.min(asked ?? context.callTimeoutMs, context.callTimeoutMs)
  const timedOut = new Promise<never>((_, reject) => abort.signal.addEventListener('abort', () => reject(abort.signal.reason as Error), { once: true }))
  const cancelTimer = context.clock.setTimer(() => abort.abort(new TimeoutError('the call took too long')), timeoutMs)
  const onClose = (): void => {
    if (!response.writableFinished) abort.abort(new DOMException('the client went away', 'AbortError'))
  }
  response.once('close', onClose)
  try {
    const body = bodyOf(context, route, values, query, bytes)
    const info = callInfo(request, abort.signal, asked === undefined ? undefined : context.clock.now() + timeoutMs)
    const session = createSession(context.dispatch, { ...info, client: client?.client, ticket: client?.ticket }, request, family.int64AsNumber)
    const running = client === undefined ? route.run(body, session) : client.run(() => route.run(body, session), abort.signal)
    // A handler that does not listen to the signal must not keep the client.
    return { status: 200, body: family.done(await Promise.race([running, timedOut])) }
  } catch (error) {
    logUnexpected(context, route, error)
    return family.failed(error)
  } finally {
    cancelTimer()
    response.off('close', onClose)
  }
}

/** Path wins over body, body over query. Only v1 and v2's POST need a body; `{}` is one, nothing is not. */
function bodyOf(context: Context, route: Route, values: Readonly<Record<string, string>>, query: string, bytes: Uint8Array): Body {
  const mayBeEmpty = route.family === 'resource' || route.family === 'flat' || route.method === 'GET'
  const parsed = bytes.length === 0 && mayBeEmpty ? {} : parseJsonBody(bytes, context.jsonLimits)
  const body = query === '' && Object.keys(values).length === 0 ? new Body(parsed) : new Body({ ...queryValues(query), ...parsed, ...values })
  for (const { name, required } of route.params) {
    if (!required) continue
    const value = body.value(name)
    if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) throw missing(name)
  }
  return body
}

/** A name that is there twice is a list. */
function queryValues(query: string): Readonly<Record<string, unknown>> {
  const given = new URLSearchParams(query)
  return Object.fromEntries([...new Set(given.keys())].map((name) => [name, given.getAll(name).length > 1 ? given.getAll(name) : given.get(name)]))
}

function logUnexpected(context: Context, route: Route, error: unknown): void {
  if (asMilvusError(error) !== undefined || error instanceof TimeoutError) return
  if (error instanceof Error && error.name === 'AbortError') return
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  context.dispatch.logger?.error({ path: route.path, error: text }, 'a REST call failed unexpectedly')
}

/** As Milvus: `OK`, or the states as JSON for clients that name that type. */
async function health(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const info = callInfo(request, new AbortController().signal, undefined)
  const { isHealthy, reasons } = await createSession(context.dispatch, info, request, false)
    .call('CheckHealth', {})
    .catch((error: unknown) => ({ isHealthy: false, reasons: [error instanceof Error ? error.message : 'unknown'] }))
  const status = isHealthy ? 200 : 500
  const wantsJson = `${request.headers['content-type'] ?? ''} ${request.headers.accept ?? ''}`.includes('application/json')
  if (wantsJson) return sendJson(response, status, { state: isHealthy ? 'OK' : 'not all components are healthy', detail: reasons })
  sendText(response, status, 'text/plain; charset=utf-8', isHealthy ? 'OK' : `Not all components are healthy: ${reasons.join(', ')}`)
}
