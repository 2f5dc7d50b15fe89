/** From a request to its reply, by the table. */
import type { Access } from '../access.ts'
import type { Cluster } from '../core/cluster.ts'
import type { Clusters } from '../core/clusters.ts'
import type { Layer } from '../core/layer.ts'
import type { Clock, Json } from '../core/model.ts'
import { eventSchema } from './event-schema.ts'
import { openApiOf } from './openapi.ts'
import { milvusRoutes } from './milvus-webui.ts'
import { RestError, type Answer, type Reply, type RestRequest, type Route } from './route.ts'
import { clusterRoutes } from './routes-clusters.ts'
import { listRoutes, type Open } from './routes-lists.ts'

export interface RestOptions {
  readonly clusters: Clusters
  readonly access: Access
  readonly clock: Clock
  /** Where the routes begin: `/insight/v1`. */
  readonly base: string
  readonly version: string
  /** Flush, load, release and drop may be asked for. */
  readonly actions: boolean
  /** The parameters that are in force, secrets masked. */
  readonly config: () => Json
}

interface Compiled {
  readonly route: Route
  readonly segments: readonly string[]
}

export class Rest {
  readonly routes: readonly Route[]
  readonly #options: RestOptions
  readonly #compiled: readonly Compiled[]
  readonly #milvus: readonly Compiled[]

  constructor(options: RestOptions) {
    this.#options = options
    const { clusters, clock } = options
    const open: Open = (_request, id) => openLayer(clusters, id)
    this.routes = [...clusterRoutes({ clusters, open, clock }), ...listRoutes(open, clock), ...this.#own()]
    this.#compiled = this.routes.map(compile)
    this.#milvus = milvusRoutes(open, () => [...clusters][0]?.id).map(compile)
  }

  /** @param isMilvus the path is one of Milvus's own web interface, below {@link MILVUS_BASE} */
  async answer(request: RestRequest, isMilvus = false): Promise<Reply> {
    try {
      const { route, params } = this.#match(request, isMilvus ? this.#milvus : this.#compiled)
      if (route.isOpen !== true && request.principal === undefined) throw new RestError(401, 'unauthorized', 'log in first: send `Authorization: Bearer …`')
      if (route.method === 'POST' && request.body !== undefined && !/^application\/json\b/i.test(request.header('content-type') ?? '')) throw new RestError(415, 'bad-type', 'expected `Content-Type: application/json`')
      if (route.isAction === true && !this.#options.actions) throw new RestError(403, 'actions-off', 'actions are off: start the server with `--actions`, or set `insight.actions`')
      if (route.isAction === true && request.principal?.mayAct !== true) throw new RestError(403, 'forbidden', 'you may not change this cluster')
      return await route.run(request, params)
    } catch (error) {
      return failure(error)
    }
  }

  #match({ method, path }: RestRequest, table: readonly Compiled[]): { readonly route: Route; readonly params: Readonly<Record<string, string>> } {
    const segments = path.split('/')
    let other: string | undefined
    for (const { route, segments: pattern } of table) {
      const params = paramsOf(pattern, segments)
      if (params === undefined) continue
      if (route.method === method) return { route, params }
      other = route.method
    }
    if (other !== undefined) throw new RestError(405, 'bad-method', `expected ${other}, got ${method}`)
    throw new RestError(404, 'not-found', `there is no ${this.#options.base}${path}`)
  }

  #own(): Route[] {
    const { access, base, version, config } = this.#options
    return [
      {
        method: 'POST',
        path: '/login',
        summary: 'A token for a user of the cluster.',
        isOpen: true,
        run: async ({ body, peer }) => {
          const { user, password } = (body ?? {}) as Readonly<Record<string, unknown>>
          if (typeof user !== 'string' || typeof password !== 'string') throw new RestError(400, 'bad-body', 'expected `user` and `password`')
          const done = await access.login(user, password, peer)
          if (done === undefined) throw new RestError(401, 'unauthorized', 'user or password is wrong')
          if ('retryMs' in done) throw new RestError(429, 'too-many', 'too many wrong tries', done.retryMs)
          return { status: 200, body: done }
        },
      },
      {
        method: 'POST',
        path: '/ws-ticket',
        summary: 'What a page says hello with: good once, for 30 s.',
        run: ({ identity }) => {
          if (identity === undefined) throw new RestError(401, 'unauthorized', 'log in first')
          return { status: 200, body: { ticket: access.ticket(identity) } }
        },
      },
      { method: 'GET', path: '/config', summary: 'Parameters in force, secrets masked.', run: ({ principal }) => ({ status: 200, body: principal?.mayAct === true ? config() : { actions: this.#options.actions } }) },
      { method: 'GET', path: '/openapi.json', summary: 'This document.', isOpen: true, run: () => ({ status: 200, body: openApiOf(this.routes, base, version) as object }) },
      { method: 'GET', path: '/events.schema.json', summary: 'The JSON Schema of events.', isOpen: true, run: () => ({ status: 200, body: eventSchema() as object }) },
    ]
  }
}

const compile = (route: Route): Compiled => ({ route, segments: route.path.split('/') })

async function openLayer(clusters: Clusters, id = ''): Promise<{ readonly cluster: Cluster; readonly layer: Layer }> {
  const cluster = clusters.get(id)
  if (cluster === undefined) throw new RestError(404, 'unknown-cluster', `no cluster is named ${JSON.stringify(id)}: only configured ones can be asked`)
  // Whoever asks is a reader for a moment: the layer lingers.
  const leave = await cluster.retain()
  leave()
  const { layer } = cluster
  if (layer === undefined) throw new RestError(503, 'unavailable', 'the cache of this cluster is not open', 1000)
  return { cluster, layer }
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i] ?? ''
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined
      continue
    }
    try {
      params[part.slice(1)] = decodeURIComponent(segment)
    } catch {
      return undefined
    }
  }
  return params
}

export function failure(error: unknown): Answer {
  if (error instanceof RestError) {
    const { status, code, message, retryMs } = error
    return { status, body: { code, message, ...(retryMs === undefined ? {} : { retryMs }) }, ...(retryMs === undefined ? {} : { headers: { 'retry-after': String(Math.ceil(retryMs / 1000)) } }) }
  }
  return { status: 500, body: { code: 'internal', message: 'the server failed; its log says why' } }
}
