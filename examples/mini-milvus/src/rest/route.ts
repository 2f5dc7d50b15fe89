/** What a route is, and what it may call: the same handlers as gRPC, by RPC name. */
import type { RpcName } from '../server/handlers.ts'
import type { Init, Rpcs } from '../wire/index.ts'
import type { Body } from './body.ts'
import { type JsonSchema, type MemberName, members, nothing } from './schemas.ts'

/** One HTTP request's access to the RPCs. */
export interface Session {
  /** Whether int64 values go out as numbers, else as decimal strings. */
  readonly allowInt64: boolean
  /** A Status that is no success throws MilvusError. */
  call<Name extends RpcName>(rpc: Name, request: Init<Rpcs[Name]['request']>): Promise<Rpcs[Name]['response']>
  /** The response as it is, whatever its Status. */
  callAny(rpc: RpcName, request: object): Promise<object>
  /** Says that `what` is not served, to those who may call this RPC. */
  refuse(rpc: RpcName, what: string): Promise<never>
}

export interface Reply {
  /** `{}` where it is left out. */
  readonly data?: unknown
  readonly topks?: readonly number[] | undefined
}

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Which envelope answers and errors have: see families.ts. */
export type FamilyName = 'v2' | 'v1' | 'resource' | 'flat'

export interface Param {
  readonly name: string
  readonly in: 'path' | 'query' | 'body'
  readonly required: boolean
  readonly schema: JsonSchema
}

/**
 * One row of the table. Path, query and body fill one set of named values (`Body`); `run` makes the RPC's request message of them and
 * the reply of its response.
 */
export interface Route {
  readonly family: FamilyName
  readonly method: HttpMethod
  /** `/api/v1/collections/{collection_name}/load` */
  readonly path: string
  /** The RPC that the call becomes; a route may ask others before, such as for the schema. */
  readonly rpc: RpcName
  readonly params: readonly Param[]
  /** Of `data` (v1, v2) or of the whole answer. */
  readonly gives: JsonSchema
  run(body: Body, session: Session): Promise<Reply>
}

/** A member of the body, with `*` where it must be there and not empty. */
export type Takes = readonly (MemberName | `${MemberName}*`)[]

export function paramsOf(takes: Takes, place: 'query' | 'body'): readonly Param[] {
  return takes.map((taken) => {
    const name = taken.replace('*', '') as MemberName
    return { name, in: place, required: taken.endsWith('*'), schema: members[name] }
  })
}

const V2 = '/v2/vectordb/'

export function v2Route(path: string, rpc: RpcName, takes: Takes, gives: JsonSchema, run: Route['run']): Route {
  const withDb: Takes = takes.some((name) => name.startsWith('dbName')) ? takes : ['dbName', ...takes]
  return { family: 'v2', method: 'POST', path: V2 + path, rpc, params: paramsOf(withDb, 'body'), gives, run }
}

/** A v2 route that is one RPC: how the body fills its request, and what of its response is `data`. */
export function rpcRoute<Name extends RpcName>(
  path: string,
  rpc: Name,
  takes: Takes,
  request: (body: Body) => Init<Rpcs[Name]['request']>,
  data: (response: Rpcs[Name]['response'], session: Session) => unknown = () => ({}),
  gives: JsonSchema = nothing,
): Route {
  return v2Route(path, rpc, takes, gives, async (body, session) => ({ data: data(await session.call(rpc, request(body)), session) }))
}

/** An int64 as the client asked for it. */
export function int64(value: bigint, session: Session): bigint | string {
  return session.allowInt64 ? value : value.toString()
}
