/** What a route is, and what it may call: the same handlers as gRPC, by RPC name. */
import type { RpcName } from '../server/handlers.ts'
import type { Init, Rpcs } from '../wire/index.ts'
import type { Body } from './body.ts'

/** One HTTP request's access to the RPCs. Failures throw MilvusError. */
export interface Session {
  /** `Accept-Type-Allow-Int64`: int64 values and ids go out as numbers, else as decimal strings. */
  readonly allowInt64: boolean
  call<Name extends RpcName>(rpc: Name, request: Init<Rpcs[Name]['request']>): Promise<Rpcs[Name]['response']>
}

export interface Reply {
  /** `{}` where it is left out. */
  readonly data?: unknown
  readonly topks?: readonly number[] | undefined
}

export interface Route {
  readonly path: string
  /** Parameters that must be there and not empty. */
  readonly required: readonly string[]
  run(body: Body, session: Session): Promise<Reply>
}

/** A route that is one RPC: how the body fills its request, and what of its response is `data`. */
export function rpcRoute<Name extends RpcName>(
  path: string,
  rpc: Name,
  required: readonly string[],
  request: (body: Body) => Init<Rpcs[Name]['request']>,
  data: (response: Rpcs[Name]['response'], session: Session) => unknown = () => ({}),
): Route {
  return { path, required, run: async (body, session) => ({ data: data(await session.call(rpc, request(body)), session) }) }
}

/** An int64 as the client asked for it. */
export function int64(value: bigint, session: Session): bigint | string {
  return session.allowInt64 ? value : value.toString()
}
