/** From a method's bytes or request object to its response: the one way for gRPC and REST. */
import type { ClientCalls } from '../clients/calls.ts'
import { ruleOfIdentifier } from '../clients/identifier.ts'
import type { Ticket } from '../clients/order.ts'
import type { MethodInfo } from '../wire/index.ts'
import { completeType, decodeType, encodeType } from '../wire/index.ts'
import { AuthenticationError, PermissionError } from './auth-errors.ts'
import type { AnyHandler, CallContext, Gate, HandlerTable, Principal, RpcName } from './handlers.ts'
import { isRpcTraced, type RpcTrace, tracedRpc, traceparentOf } from '../tracing.ts'
import { asMilvusError, Code, MilvusError, success, toStatus } from './status.ts'

export interface Logger {
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

export interface DispatchOptions {
  readonly handlers: HandlerTable
  readonly authorize: Gate
  readonly logger?: Logger | undefined
  /** Who is connected, and the order of each client's calls. Without it every connection is a client that never goes. */
  readonly clients?: ClientCalls | undefined
  /** Lets other work run between the reading of a large request and its execution. */
  readonly clock?: { yieldToLoop(): Promise<void> } | undefined
}

/** Reading a larger request takes milliseconds. */
const LARGE_REQUEST_BYTES = 2 * 1024 * 1024

/** A request whose bytes are no message of the method: gRPC INVALID_ARGUMENT. */
export class MalformedRequestError extends Error {
  override readonly name: string = 'MalformedRequestError'
}

/** `status` in all responses but one, which says `alter_status`. */
function statusField(method: MethodInfo): string | undefined {
  const { fields, fieldsArray } = method.response
  if (fields['status'] !== undefined) return 'status'
  return fieldsArray.find((field) => field.resolvedType?.name === 'Status' && !field.repeated)?.name
}

/** A failure of a method whose response has no Status (one unary method of Milvus): gRPC UNIMPLEMENTED. */
export class StatuslessError extends Error {
  override readonly name: string = 'StatuslessError'
}

export interface CallInfo extends Omit<CallContext, 'rpc' | 'dbName' | 'principal' | 'client'> {
  /** The call's place among its client's calls. */
  readonly ticket?: Ticket | undefined
  /** Where the entry knows whose call it is; else the registry says so. */
  readonly client?: string | undefined
}

/** Where nobody keeps a list: the identifier that `Connect` gave, else the socket. */
export function clientOf({ client, identifier, peer }: Pick<CallInfo, 'client' | 'identifier' | 'peer'>): string {
  return client ?? (identifier === undefined ? `socket ${peer}` : `client ${identifier}`)
}

const DEFAULT_DB = 'default'

export function notServed(name: string): MilvusError {
  return new MilvusError(Code.Unimplemented, `${name} is not served by mini-milvus`)
}

/** A response that carries nothing but its status: bare, or as the field `status`. */
export function statusResponse(method: MethodInfo, status: object): object {
  if (isBareStatus(method)) return status
  const field = statusField(method)
  if (field !== undefined) return { [field]: status }
  const { reason = '' } = status as { reason?: string }
  if (method.name === 'Dummy') return { response: reason }
  throw new StatuslessError(reason)
}

/** The bytes of {@link statusResponse}. */
export function encodeStatusResponse(method: MethodInfo, status: object): Uint8Array {
  return encodeType(method.response, statusResponse(method, status))
}

function isBareStatus(method: MethodInfo): boolean {
  return method.response.name === 'Status'
}

/**
 * Runs one unary call from its bytes. Rejects with MalformedRequestError, StatuslessError, or a refusal of the gate; every
 * other failure is a response.
 */
export async function dispatchBytes(options: DispatchOptions, method: MethodInfo, bytes: Uint8Array, info: CallInfo): Promise<Uint8Array> {
  const name = method.name as RpcName
  const handler = options.handlers[name]
  try {
    const who = options.authorize.identify(name, info)
    const principal = who instanceof Promise ? await who : who
    const request = decodeRequest(handler, method, bytes)
    if (bytes.length > LARGE_REQUEST_BYTES) await options.clock?.yieldToLoop()
    if (handler === undefined) refuseUnserved(options, name, request, info, principal)
    const response = await runHandler(options, handler, name, request, info, principal)
    if (handler.encode !== undefined) return handler.encode(response)
    return encodeType(method.response, withStatus(method, response))
  } catch (error) {
    if (error instanceof MalformedRequestError || isRefusal(error)) throw error
    logUnexpected(options, name, error)
    return encodeStatusResponse(method, toStatus(error))
  }
}

/** Runs one call from a request object that lacks its defaults; the response is complete. Failures throw. */
export async function dispatchObject(options: DispatchOptions, method: MethodInfo, request: object, info: CallInfo): Promise<object> {
  const name = method.name as RpcName
  const handler = options.handlers[name]
  const who = options.authorize.identify(name, info)
  const principal = who instanceof Promise ? await who : who
  if (handler === undefined) refuseUnserved(options, name, completeType(method.request, request), info, principal)
  const complete =
    handler.decode === undefined ? completeType(method.request, request) : handler.decode(encodeType(method.request, request))
  const response = await runHandler(options, handler, name, complete, info, principal)
  if (handler.encode !== undefined) return decodeType(method.response, handler.encode(response))
  return completeType(method.response, withStatus(method, response))
}

/** What the gate said no to: on gRPC it is no response. */
export function isRefusal(error: unknown): error is AuthenticationError | PermissionError {
  return error instanceof AuthenticationError || error instanceof PermissionError
}

/** The gate comes first here too: who may not call a method does not learn whether it is served. */
function refuseUnserved(options: DispatchOptions, rpc: RpcName, request: object, info: CallInfo, principal: Principal | undefined): never {
  options.authorize.authorize(rpc, contextOf(info, rpc, request, principal), request)
  throw notServed(rpc)
}

/** For streams, which have no request yet: throws, or rejects, unless who calls may call this method at all. */
export async function admitStream(options: DispatchOptions, method: MethodInfo, info: CallInfo): Promise<void> {
  const rpc = method.name as RpcName
  const principal = await options.authorize.identify(rpc, info)
  const request = completeType(method.request, {})
  options.authorize.authorize(rpc, contextOf(info, rpc, request, principal), request)
}

function decodeRequest(handler: AnyHandler | undefined, method: MethodInfo, bytes: Uint8Array): object {
  try {
    return handler?.decode === undefined ? decodeType(method.request, bytes) : handler.decode(bytes)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable bytes'
    throw new MalformedRequestError(`the request is not a ${method.request.name}: ${reason}`, { cause: error })
  }
}

/** The seed's steps: the decoded request is a task, waits in the queue of its kind, is checked, and runs. */
async function runHandler(
  options: DispatchOptions,
  handler: AnyHandler,
  rpc: RpcName,
  request: object,
  info: CallInfo,
  principal: Principal | undefined,
): Promise<never> {
  const { ticket, client: known } = info
  const { clients } = options
  const client = known === undefined ? clients?.enter(rpc, info, principal) : undefined
  try {
    const call = contextOf(client === undefined ? info : { ...info, client: client.key }, rpc, request, principal)
    options.authorize.authorize(rpc, call, request)
    const turn = ticket === undefined ? undefined : clients?.inOrder(ticket, rpc, request, call)
    if (turn !== undefined) await turn
    return await inQueue(handler, request as never, call)
  } finally {
    if (client !== undefined) clients?.leave(client)
  }
}

async function inQueue(handler: AnyHandler, request: never, call: CallContext): Promise<never> {
  const { queue } = handler
  // Nothing is awaited where a place is free.
  if (queue !== undefined && !queue.tryEnter()) await queue.enter(call.signal)
  try {
    handler.check?.(request, call)
    if (!isRpcTraced()) return (await handler.run(request, call)) as never
    const trace: RpcTrace = { rpc: call.rpc, dbName: call.dbName, traceparent: call.traceparent }
    return (await tracedRpc(trace, () => handler.run(request, { ...call, traceparent: trace.traceparent }))) as never
  } finally {
    queue?.leave()
  }
}

function contextOf(info: CallInfo, rpc: RpcName, request: object, principal: Principal | undefined): CallContext {
  const { metadata, identifier, peer, signal, deadline, visibility = ruleOfIdentifier(identifier) } = info
  return { rpc, metadata, dbName: databaseOf(request, metadata), identifier, peer, client: clientOf(info), visibility, signal, deadline, principal, traceparent: traceparentOf(metadata) }
}

/** The request's own database wins over the connection's (Milvus); hot messages name it in camelCase. */
function databaseOf(request: object, metadata: ReadonlyMap<string, string>): string {
  const { db_name: wireName, dbName } = request as { db_name?: unknown; dbName?: unknown }
  for (const name of [wireName, dbName, metadata.get('dbname')]) if (typeof name === 'string' && name !== '') return name
  return DEFAULT_DB
}

function withStatus(method: MethodInfo, response: object): object {
  if (isBareStatus(method)) return 'code' in response ? response : success()
  const { status } = response as { status?: unknown }
  return status === undefined || status === null ? { ...response, status: success() } : response
}

function logUnexpected(options: DispatchOptions, rpc: RpcName, error: unknown): void {
  if (asMilvusError(error) !== undefined) return
  if (error instanceof Error && error.name === 'AbortError') return
  options.logger?.error(
    { rpc, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
    'an RPC failed unexpectedly',
  )
}
