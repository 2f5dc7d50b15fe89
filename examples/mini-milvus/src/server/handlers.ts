/** What an RPC's handler is, and the table of them that gRPC and REST both call. */
import type { CollectionMeta, DatabaseMeta } from '../model/meta.ts'
import type { Init, Rpcs } from '../wire/index.ts'
import type { Visibility } from '../staging/visibility.ts'
import type { TaskQueue } from './task-queue.ts'

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
  /** Who staged writes belong to: opaque, the same for all calls of one client. */
  readonly client: string
  /** What the connection chose by its options. */
  readonly visibility?: Visibility | undefined
  /** Aborts when the client cancelled or went away, or the deadline passed. */
  readonly signal: AbortSignal
  /** Wall time in ms since 1970 at which the client stops waiting, if it said so. */
  readonly deadline: number | undefined
  /** Who calls; undefined where nobody must sign in. */
  readonly principal?: Principal | undefined
  /** W3C's, of the span that this call is or belongs to. */
  readonly traceparent?: string | undefined
}

/** A user who has signed in. */
export interface Principal {
  readonly name: string
  readonly isAdmin: boolean
  /** Whether lists show it to them. */
  sees(collection: CollectionMeta): boolean
  seesDatabase(database: DatabaseMeta): boolean
  /** What all this rests on; undefined once there is no such user. */
  standing(): Standing | undefined
}

export interface Standing {
  /** Counts changes of users, roles and grants. */
  readonly version: number
  /** Another one after each change of the password. */
  readonly credential: string
  /** A digest of all that the user may do: the same for the same rights, over restarts too. Costs a walk over them. */
  rights(): string
}

/**
 * One RPC. `run` gives the response (its `status` may be left out: success), or throws: a MilvusError becomes the
 * response's Status. `decode` and `encode` replace the general codec for hot messages.
 */
export interface RpcHandler<Request, Response> {
  readonly kind: RpcKind
  /** Before the execution: throws for a request that cannot be right, whatever the node holds. */
  check?(request: Request, call: CallContext): void
  run(request: Request, call: CallContext): Promise<Response>
  decode?(bytes: Uint8Array): Request
  encode?(response: Response): Uint8Array
}

export type WireHandler<Name extends RpcName> = RpcHandler<Rpcs[Name]['request'], Init<Rpcs[Name]['response']>>

/** A handler whose own types the table has forgotten. */
export interface AnyHandler {
  readonly kind: RpcKind
  /** Where calls wait for their turn; none: they do not. */
  readonly queue?: TaskQueue | undefined
  check?(request: never, call: CallContext): void
  run(request: never, call: CallContext): Promise<object>
  decode?(bytes: Uint8Array): object
  encode?(response: never): Uint8Array
}

/** Handlers by method name. A method without one answers "not served". */
export type HandlerTable = { readonly [Name in RpcName]?: AnyHandler | undefined }

/** Handlers whose messages go through the general codec. */
export type WireHandlers = { readonly [Name in RpcName]?: WireHandler<Name> | undefined }

/** What every entry passes before any effect. */
export interface Gate {
  /** Who calls, by the call's headers alone: the request is not read for those who are not known. Throws or rejects to refuse. */
  identify(rpc: RpcName, info: Pick<CallContext, 'metadata' | 'peer'>): Principal | undefined | Promise<Principal>
  /** Throws to refuse. */
  authorize(rpc: RpcName, call: CallContext, request: object): void
}

export type Authorize = Gate

/** The gate of a node without authorization. */
export const allowAll: Gate = { identify: () => undefined, authorize() {} }
