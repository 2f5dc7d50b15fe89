/** The rows of `resource-table.ts` as routes: path, query and body fill the request message by its own field names. */
import type protobuf from 'protobufjs/light.js'
import { statusResponse } from '../server/dispatch.ts'
import { asMilvusError, Code, toStatus } from '../server/status.ts'
import { type MethodInfo, methods } from '../wire/index.ts'
import type { Body } from './body.ts'
import { RestError } from './errors.ts'
import { fillMessage } from './message-in.ts'
import { messageToJson } from './message-out.ts'
import { messageRef, messageMembers } from './message-schema.ts'
import { type ResourceRow, laterRows, resourceRows } from './resource-table.ts'
import type { FamilyName, HttpMethod, Param, Route, Session } from './route.ts'
import { wrapped } from './wrapped.ts'

const PREFIX = '/api/v1'
const methodsByName: ReadonlyMap<string, MethodInfo> = new Map(methods.map((method) => [method.name, method]))

export const resourceRoutes: readonly Route[] = [...resourceRows, ...laterRows].flatMap((row) => [
  ...row.resource.map((line) => route('resource', line, row)),
  ...row.flat.map((line) => route('flat', line, row)),
])

function route(family: FamilyName, line: string, { rpc }: ResourceRow): Route {
  const [verb = '', path = ''] = line.split(' ')
  const method = verb as HttpMethod
  const info = methodsByName.get(rpc)
  if (info === undefined) throw new Error(`no method ${rpc}`)
  const run: Route['run'] = async (body, session) => ({ data: await runMessage(info, body, session) })
  return { family, method, path: PREFIX + path, rpc, params: paramsFor(method, path, info.request), gives: messageRef(info.response), run }
}

/** Names in the path, then every field of the message: of a GET and a DELETE in the query too, for clients that send them no body. */
function paramsFor(method: HttpMethod, path: string, request: protobuf.Type): readonly Param[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const known = messageMembers(request)
  const rest = [...known].filter(([name]) => !inPath.includes(name))
  const place = method === 'GET' || method === 'DELETE' ? 'query' : 'body'
  return [
    ...inPath.map((name): Param => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...rest.map(([name, schema]): Param => ({ name, in: place, required: false, schema })),
  ]
}

async function runMessage(method: MethodInfo, body: Body, session: Session): Promise<unknown> {
  const request = requestOf(method, body)
  const response = await session.callAny(method.name as never, request).catch((error: unknown) => statusOnly(method, error))
  return messageToJson(response, session.allowInt64)
}

function requestOf(method: MethodInfo, body: Body): object {
  const values = body.all()
  const special = wrapped.get(method.name as never)
  const message = fillMessage(method.request, special?.before(values) ?? values, '')
  return special === undefined ? message : special.after(message, values)
}

/** As gRPC: a refusal is a response with its Status. Who may not call learns it from HTTP itself. */
function statusOnly(method: MethodInfo, error: unknown): object {
  const known = asMilvusError(error)
  if (known === undefined || known instanceof RestError || known.code === Code.NotAuthenticated || known.code === Code.NotPermitted) throw error
  return statusResponse(method, toStatus(known))
}
