/** The second port: health for probes, metrics for Prometheus. Loopback unless the node itself is open. */
import type { Registry } from 'prom-client'
import { startHttpServer, type HttpGuest, type HttpServer } from '../edge/http.ts'
import type { NodeCore } from './core.ts'

export interface MetricsServer {
  /** `host:port` */
  readonly address: string
  close(): Promise<void>
}

export interface MetricsServerOptions extends Pick<NodeCore, 'roles'> {
  readonly host: string
  readonly port: number
  readonly registry: Registry
  /** The page of insight, where it is on. */
  readonly guest?: HttpGuest | undefined
}

export async function openMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { registry } = options
  const server: HttpServer = await startHttpServer(options, async (path, accept) => {
    switch (path) {
      case '/livez':
        return { status: 200, type: 'text/plain', body: 'OK' }
      case '/healthz':
        return health(options, accept)
      case '/readyz':
        return ready(options, accept)
      case '/metrics':
        return { status: 200, type: registry.contentType, body: await registry.metrics() }
      default:
        return { status: 404, type: 'text/plain', body: 'not found' }
    }
  }, options.guest)
  return { address: `${server.host}:${server.port}`, close: () => server.close() }
}

/** Whether work may come: no role is down, and no flush waits for space. */
export function isReady({ dataNode, queryNode }: Pick<NodeCore['roles'], 'dataNode' | 'queryNode'>): boolean {
  return dataNode.status() === 'healthy' && queryNode.status() === 'healthy' && !dataNode.current.isStalled
}

/** 503 where work should go elsewhere: a role is down, or flushes wait for space. */
function ready(options: Pick<NodeCore, 'roles'>, accept: string): { status: number; type: string; body: string } {
  const { dataNode } = options.roles
  if (dataNode.status() === 'healthy' && dataNode.current.isStalled) return { status: 503, type: 'text/plain', body: 'flushes wait for space, or for a store that is away' }
  const found = health(options, accept)
  return found.status === 200 ? found : { ...found, status: 503 }
}

/** Milvus's form: `OK`, or as JSON with each component's state. */
function health({ roles }: Pick<NodeCore, 'roles'>, accept: string): { status: number; type: string; body: string } {
  const components = [roles.dataNode, roles.queryNode].map((role) => ({ name: role.id, code: role.status() === 'healthy' ? 'Healthy' : 'Abnormal' }))
  const sick = components.filter(({ code }) => code !== 'Healthy').length
  const state = sick === 0 ? 'OK' : `Not all components are healthy, ${components.length - sick}/${components.length}`
  if (accept.includes('json')) return { status: sick === 0 ? 200 : 500, type: 'application/json', body: JSON.stringify({ state, detail: components }) }
  return { status: sick === 0 ? 200 : 500, type: 'text/plain', body: state }
}
