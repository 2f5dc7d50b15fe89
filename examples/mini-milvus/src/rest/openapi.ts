/** OpenAPI 3.1, from the table of routes. */
import { version } from '../version.ts'
import { messageComponents } from './message-schema.ts'
import type { FamilyName, Param, Route } from './route.ts'
import type { JsonSchema } from './schemas.ts'
import { routes } from './table.ts'

const tags: Readonly<Record<FamilyName, string>> = {
  v2: 'Milvus 2.4 and later: POST everywhere, { code: 0, data }.',
  v1: 'Milvus 2.3: { code: 200, data }.',
  resource: 'MilvusService as resources; also served without /api/v1. Answers are the messages themselves, int64 as text.',
  flat: 'The paths of Milvus 2.0 to 2.2. Answers are the messages themselves, int64 as numbers.',
}

const headers: readonly object[] = [
  { name: 'DB-Name', in: 'header', description: 'Database, where the request names none.', schema: { type: 'string' } },
  { name: 'Accept-Type-Allow-Int64', in: 'header', description: 'Whether int64 come as numbers, else as decimal text.', schema: { type: 'boolean' } },
  { name: 'Request-Timeout', in: 'header', description: 'Seconds after which the call is given up with 408.', schema: { type: 'integer', minimum: 1 } },
]

let text: string | undefined

/** The document as JSON text; made once. */
export function openApiText(): string {
  return (text ??= JSON.stringify(openApi()))
}

export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route)
  const parameters = Object.fromEntries(headers.map((header) => [(header as { name: string }).name, header]))
  return {
    openapi: '3.1.0',
    info: {
      title: 'mini-milvus',
      version,
      description: 'REST of mini-milvus, on the port of gRPC. Every call becomes the request message of the RPC that its operation names.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    security: [{}, { bearer: [] }, { basic: [] }],
    paths: { ...paths, '/healthz': { get: healthOperation }, '/openapi.json': { get: documentOperation } },
    components: {
      parameters,
      schemas: { Failure: failure, StatusFailure: statusFailure, ...messageComponents() },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'user:password or a token' },
        basic: { type: 'http', scheme: 'basic' },
      },
    },
  }
}

const failure: JsonSchema = {
  type: 'object',
  required: ['code', 'message'],
  properties: { code: { type: 'integer', description: "Milvus's error code." }, message: { type: 'string' } },
}
const statusFailure: JsonSchema = {
  type: 'object',
  required: ['error_code', 'reason'],
  properties: { error_code: { type: 'integer' }, code: { type: 'integer', description: "Milvus's error code." }, reason: { type: 'string' } },
}

const plain = (description: string, type: string) => ({ 200: { description, content: { [type]: { schema: { type: type.includes('json') ? 'object' : 'string' } } } } })
const healthOperation = { operationId: 'healthz', summary: 'Whether all roles are healthy.', responses: plain('They are.', 'text/plain') }
const documentOperation = { operationId: 'openapi', summary: 'This document.', responses: plain('OpenAPI 3.1.', 'application/json') }

function operation(route: Route): object {
  const { family, method, path, rpc, params } = route
  const inBody = params.filter((param) => param.in === 'body')
  const parameters = [...params.filter((param) => param.in !== 'body').map(parameterOf), ...headers.map((header) => ({ $ref: `#/components/parameters/${(header as { name: string }).name}` }))]
  return {
    operationId: `${method} ${path}`.replaceAll(/[^A-Za-z0-9]+/g, '_').replace(/_$/, ''),
    tags: [family],
    summary: `${rpc}`,
    'x-rpc': rpc,
    parameters,
    ...(inBody.length === 0 ? {} : { requestBody: requestBody(inBody, family === 'v1' || family === 'v2') }),
    responses: responses(route),
  }
}

function parameterOf({ name, in: place, required, schema }: Param): object {
  return { name, in: place, required, schema: withoutDescription(schema), description: schema.description ?? '' }
}

function withoutDescription({ description: _description, ...schema }: JsonSchema): JsonSchema {
  return schema
}

function requestBody(params: readonly Param[], required: boolean): object {
  const names = params.filter((param) => param.required).map(({ name }) => name)
  const schema: JsonSchema = {
    type: 'object',
    properties: Object.fromEntries(params.map(({ name, schema: own }) => [name, own])),
    ...(names.length === 0 ? {} : { required: names }),
  }
  return { required, content: { 'application/json': { schema } } }
}

function responses({ family, gives }: Route): object {
  const json = (description: string, schema: JsonSchema): object => ({ description, content: { 'application/json': { schema } } })
  const isMessage = family === 'resource' || family === 'flat'
  const bad: JsonSchema = { $ref: `#/components/schemas/${isMessage ? 'StatusFailure' : 'Failure'}` }
  const done: JsonSchema = isMessage
    ? gives
    : { type: 'object', required: ['code'], properties: { code: { type: 'integer' }, message: { type: 'string' }, data: gives } }
  return {
    200: json(isMessage ? 'The message; its Status says whether the call succeeded.' : '`code` says whether the call succeeded.', done),
    ...(isMessage ? { 400: json('The body is no JSON, or no such message.', bad) } : {}),
    401: json('Who calls is not known.', bad),
    403: json('Who calls may not do that.', bad),
    408: json('The time was over.', bad),
  }
}
