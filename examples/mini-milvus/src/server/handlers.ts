/** What an RPC's handler is, and the table of them that gRPC and REST both call. */
import type { Init, Rpcs } from '../wire/index.ts'

export type RpcName = keyof Rpcs

/** Which queue a call belongs to: definition of data, change of data, or query. */
export type RpcKind = 'ddl' | 'dml' | 'dql'

export interface CallContext {
  readonly rpc: RpcName
  /** Text headers of the call, names in lower case. */
  readonly metadata: ReadonlyMap<string, string>
  /** The request's `db_name`, else the metadata's `dbname`, else `default`. */
  readonly dbName: string
  /** The client, as `Connect` named it; undefined for clients that never connected. */
  readonly identifier: bigint | undefined
  /** `ip:port` of the connection. */
  readonly peer: string
  /** Aborts when the client cancelled or went away, or the deadline passed. */
  readonly signal: AbortSignal
  /** Wall time in ms since 1970 at which the client stops waiting, if it said so. */
  readonly deadline: number | undefined
}

/**
 * One RPC. `run` gives the response (its `status` may be left out: success), or throws: a MilvusError becomes the
 * response's Status. `decode` and `encode` replace the general codec for hot messages.
 */
export interface RpcHandler<Request, Response> {
  readonly kind: RpcKind
  run(request: Request, call: CallContext): Promise<Response>
  decode?(bytes: Uint8Array): Request
  encode?(response: Response): Uint8Array
}

export type WireHandler<Name extends RpcName> = RpcHandler<Rpcs[Name]['request'], Init<Rpcs[Name]['response']>>

/** A handler whose own types the table has forgotten. */
export interface AnyHandler {
  readonly kind: RpcKind
  run(request: never, call: CallContext): Promise<object>
  decode?(bytes: Uint8Array): object
  encode?(response: never): Uint8Array
}

/** Handlers by method name. A method without one answers "not served". */
export type HandlerTable = { readonly [Name in RpcName]?: AnyHandler | undefined }

/** Handlers whose messages go through the general codec. */
export type WireHandlers = { readonly [Name in RpcName]?: WireHandler<Name> | undefined }

/** The gate that every entry passes before any effect; throws MilvusError 1400 / 1401 to refuse. */
export type Authorize = (rpc: RpcName, call: CallContext) => void

export const allowAll: Authorize = () => {}
