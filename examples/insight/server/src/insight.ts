/** The insight server, without a port of its own: the program gives it one, a node mounts it on the port of its metrics. */
import type { KVBase } from '@timetick/kv'
import { Access, type AccessOptions } from './access.ts'
import { Clusters } from './core/clusters.ts'
import type { Clock, Json } from './core/model.ts'
import { HttpFront, type Assets } from './edge/front.ts'
import { systemClock, systemRandom, systemSecret } from './edge/system.ts'
import { Hub } from './hub/hub.ts'
import type { HubLimits } from './hub/limits.ts'
import { metricsText } from './rest/metrics.ts'
import { Rest } from './rest/rest.ts'
import type { InsightSource } from './source/source.ts'

export interface InsightCluster {
  /** Its name in paths: letters, digits, dots, hyphens, underscores. */
  readonly id: string
  readonly address: string
  /** What its cache is kept under, where the address may be another one next time. Default: the address. */
  readonly layer?: string | undefined
  readonly source: () => InsightSource
  /** Stays connected without readers: the node's own. */
  readonly isPinned?: boolean | undefined
}

export interface InsightOptions {
  readonly clusters: readonly InsightCluster[]
  /** Where the cache is saved. Not closed by this server. */
  readonly kv: KVBase
  readonly access?: Omit<AccessOptions, 'clock' | 'secret'> | undefined
  /** Before every path, for a proxy that does not strip its own: `/milvus`. */
  readonly basePath?: string | undefined
  readonly actions?: boolean | undefined
  readonly limits?: Partial<HubLimits> | undefined
  readonly config?: (() => Json) | undefined
  readonly version?: string | undefined
  /** The page's files, or undefined: no page. */
  readonly assets?: Assets | undefined
  readonly onWarning?: ((message: string, error: unknown) => void) | undefined
  readonly clock?: Clock | undefined
  readonly lingerMs?: number | undefined
  /** How busy the process is, 0 to 1, where it has more to do than this: a page waits before a call of a client does. @default 0 */
  readonly load?: (() => number) | undefined
}

export interface Insight {
  readonly clusters: Clusters
  readonly hub: Hub
  /** Serves what belongs to it; false for what does not. */
  readonly front: HttpFront
  /** Stops jobs, saves the caches, says goodbye to clients. */
  close(): Promise<void>
}

export function createInsight(options: InsightOptions): Insight {
  const { kv, clock = systemClock, basePath = '', version = '0.0.0', actions = false, limits, onWarning, lingerMs, load } = options
  const clusters = new Clusters(
    options.clusters.map((one) => ({ ...one, kv, clock, random: systemRandom, newEpoch: () => systemSecret().slice(0, 12), onWarning, lingerMs })),
  )
  const access = new Access({ ...options.access, clock, secret: systemSecret })
  const base = `${basePath}/insight/v1`
  const hub = new Hub({ clusters, clock, version, limits, load, isOpen: access.isOpen, identify: ({ token, ticket }) => (ticket === undefined ? access.token(token ?? '') : access.redeem(ticket)) })
  const rest = new Rest({ clusters, access, clock, base, version, actions, config: options.config ?? (() => ({ actions })) })
  const front = new HttpFront({ access, hub, rest, basePath, base, metrics: () => metricsText({ clusters, clients: hub.clients, clock }), assets: options.assets, onWarning })
  return {
    clusters,
    hub,
    front,
    async close() {
      hub.close()
      front.close()
      await clusters.close()
    },
  }
}
