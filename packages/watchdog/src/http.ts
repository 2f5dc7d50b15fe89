/**
 * Answers for probes. Three questions, kept apart:
 *
 * - `/livez`: would a restart of this process help? No only when a component was given up. It asks no backend: a store that is down must
 *   not get all its clients restarted.
 * - `/readyz`: should work be sent here? All components up and healthy, and every check of `ready` passes.
 * - `/startupz`: has every component been up once?
 *
 * `/healthz` answers as Milvus does: 200 `OK`, or with `Content-Type: application/json` `{ state, detail }`; 500 when not all are healthy.
 * `/metrics` is for Prometheus.
 */
import { checkFunction, checkObject } from './arguments.ts'
import { renderMetrics } from './metrics.ts'
import type { MetricsOptions } from './metrics.ts'
import type { ComponentStates, Watchdog } from './watchdog.ts'

export { renderMetrics } from './metrics.ts'
export type { MetricsOptions } from './metrics.ts'

export interface HealthRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

export interface HealthResponse {
  writeHead(status: number, headers: Record<string, string>): unknown
  end(body: string): unknown
}

export interface HealthOptions {
  readonly watchdog: Pick<Watchdog, 'states'>
  /** Further reasons to get no work, such as a fenced session: by name, true when all is well. Must be quick; a throw is a no. */
  readonly ready?: Readonly<Record<string, () => boolean>> | undefined
  readonly metrics?: MetricsOptions | undefined
}

/** Answers and gives true; false, and nothing done, for any other path. For `node:http`: `(req, res) => handle(req, res) || other(req, res)`. */
export type HealthHandler = (request: HealthRequest, response: HealthResponse) => boolean

export function createHealthHandler(options: HealthOptions): HealthHandler {
  checkObject('options', options)
  checkObject('watchdog', options.watchdog)
  const { watchdog, ready = {}, metrics } = options
  checkObject('ready', ready)
  for (const [name, check] of Object.entries(ready)) checkFunction(`ready.${name}`, check)
  const started = new Set<string>()
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const answer = answers[path]
    if (answer === undefined) return false
    const head = request.method === 'HEAD'
    if (!head && request.method !== undefined && request.method !== 'GET') {
      send(response, 405, 'text/plain', 'Method Not Allowed\n', head)
      return true
    }
    const { components } = watchdog.states
    const [status, type, body] = answer({ components, ready, started, request, metrics: () => renderMetrics(watchdog, metrics) })
    send(response, status, type, body, head)
    return true
  }
}

interface Question {
  readonly components: ReadonlyMap<string, ComponentStates>
  readonly ready: Readonly<Record<string, () => boolean>>
  /** Ids that have been up. */
  readonly started: Set<string>
  readonly request: HealthRequest
  readonly metrics: () => string
}

type Answer = readonly [status: number, type: string, body: string]

const answers: Readonly<Record<string, ((question: Question) => Answer) | undefined>> = {
  __proto__: null as never,
  '/livez': ({ components }) => verdict(503, [...components].flatMap(([id, { phase }]) => (phase === 'gave-up' ? [`${id} was given up`] : []))),
  '/readyz': ({ components, ready }) => verdict(503, [
    ...[...components].flatMap(([id, states]) => (isHealthy(states) ? [] : [`${id} is ${states.phase}, says ${states.status ?? 'nothing'}`])),
    ...Object.entries(ready).flatMap(([name, check]) => (passes(check) ? [] : [`${name} says no`])),
  ]),
  '/startupz': ({ components, started }) => {
    for (const [id, { phase, beats }] of components) if (phase === 'up' || beats > 0) started.add(id)
    for (const id of started) if (!components.has(id)) started.delete(id)
    return verdict(503, [...components.keys()].filter((id) => !started.has(id)).map((id) => `${id} has not started`))
  },
  '/healthz': ({ components, request }) => milvusHealth(components, request),
  '/metrics': ({ metrics }) => [200, 'text/plain; version=0.0.4', metrics()],
}

function milvusHealth(components: ReadonlyMap<string, ComponentStates>, request: HealthRequest): Answer {
  const well = [...components.values()].filter(isHealthy).length
  const state = well === components.size ? 'OK' : `Not all components are healthy, ${well}/${components.size}`
  const status = well === components.size ? 200 : 500
  if (request.headers['content-type'] !== 'application/json') return [status, 'text/plain', state]
  const detail = [...components].map(([name, states]) => ({ name, code: isHealthy(states) ? 'Healthy' : states.phase === 'starting' ? 'Initializing' : 'Abnormal' }))
  return [status, 'application/json', JSON.stringify({ state, detail })]
}

function verdict(bad: number, reasons: readonly string[]): Answer {
  return reasons.length === 0 ? [200, 'text/plain', 'ok\n'] : [bad, 'text/plain', `${reasons.slice(0, 100).join('\n')}\n`]
}

function isHealthy({ phase, status }: ComponentStates): boolean {
  return phase === 'up' && status === 'healthy'
}

function passes(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}

function send(response: HealthResponse, status: number, type: string, body: string, head: boolean): void {
  response.writeHead(status, { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-store' })
  response.end(head ? '' : body)
}
