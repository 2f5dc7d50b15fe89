/** The OpenAPI document of the route table, and the JSON Schema of events. */
import type { Json } from '../core/model.ts'
import { eventSchema } from './event-schema.ts'
import type { Route } from './route.ts'

const ERROR = { type: 'object', required: ['code', 'message'], properties: { code: { type: 'string' }, message: { type: 'string' }, retryMs: { type: 'integer' } } }

export function openApiOf(routes: readonly Route[], base: string, version: string): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    const operation: Record<string, Json> = {
      operationId: `${route.method.toLowerCase()}${path.replace(/[^A-Za-z]+(\w)/g, (_, letter: string) => letter.toUpperCase()).replace(/\W/g, '')}`,
      summary: route.summary,
      parameters: (route.parameters ?? []).map(({ name, in: where, description, schema }) => ({ name, in: where, description, schema, required: where === 'path' })),
      responses: {
        '200': { description: 'Done.', content: { 'application/json': { schema: { type: 'object' } } } },
        default: { description: 'Not done.', content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
      },
      ...(route.method === 'POST' ? { requestBody: { content: { 'application/json': { schema: { type: 'object' } } } } } : {}),
      ...(route.isOpen === true ? { security: [] } : {}),
    }
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'insight', version, description: 'What a Milvus cluster has, cached and pushed.', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: base }],
    security: [{ bearer: [] }],
    paths,
    components: { schemas: { Error: ERROR, Event: eventSchema() }, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  }
}
