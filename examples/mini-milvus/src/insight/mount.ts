/** Insight inside a node, or a proxy of a cluster, on the port of its metrics. */
import type { KVBase } from '@timetick/kv'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createMemoryKV } from '@timetick/kv/memory'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { builtAssets, createInsight, type Insight, type InsightSource } from 'timetick-insight/embed'
import type { NodeClock } from '../edge/system.ts'
import type { ClusterMember } from '../cluster/member.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeCore } from '../node/core.ts'
import type { NodeLogger } from '../node/logger.ts'
import { allowAll, type Gate, type HandlerTable } from '../server/handlers.ts'
import type { TaskQueues } from '../server/task-queue.ts'
import { version } from '../version.ts'
import { createClusterSource } from './cluster-source.ts'
import { createLocalCalls } from './local-calls.ts'
import { createLocalSource } from './local-source.ts'
import { createLoadMeter } from './load.edge.ts'
import { createLogin } from './login.ts'
import type { NodeView } from './node-view.ts'
import { startUsageMeter, type ProcessUsage } from './usage.edge.ts'

interface CommonOptions {
  readonly handlers: HandlerTable
  readonly gate: Gate
  readonly queues: TaskQueues
  readonly view: NodeView
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly logger: NodeLogger
  /** `host:port` of gRPC. */
  readonly address: string
}

export interface MountOptions extends CommonOptions {
  readonly core: Pick<NodeCore, 'catalog' | 'roles' | 'watchdog' | 'ticks' | 'pchannels' | 'time'>
  /** The node's folder, where the cache is kept too; undefined: in memory. */
  readonly dataDir: string | undefined
}

export async function mountInsight(options: MountOptions): Promise<Insight> {
  return mount(options, options.core.catalog, await openCache(options), (usage) => sourceOf(options, usage))
}

export interface ClusterMountOptions extends CommonOptions {
  readonly member: ClusterMember
}

/** Of the cluster as this proxy sees it. Its cache is in memory: a folder may be that of several processes. */
export async function mountClusterInsight(options: ClusterMountOptions): Promise<Insight> {
  const { handlers } = options
  return mount(options, options.member.mirror, createMemoryKV(), (usage) => () => createClusterSource({ ...options, usage, calls: createLocalCalls(handlers) }))
}

async function mount(options: CommonOptions, meta: MetaReader, kv: KVBase, sourceOf: (usage: () => ProcessUsage) => () => InsightSource): Promise<Insight> {
  const { clock, logger, parameters, gate } = options
  const usage = startUsageMeter()
  const token = parameters.getString('insight.token')
  const insight = createInsight({
    kv,
    clock,
    version,
    clusters: [{ id: 'local', address: options.address, layer: 'local', isPinned: true, source: sourceOf(() => usage.read()) }],
    access: { hosts: [parameters.getString('proxy.host'), ...listOf(parameters.getString('insight.hosts'))], token: token === '' ? undefined : token, login: gate === allowAll ? undefined : createLogin(gate, meta) },
    actions: parameters.getBool('insight.actions'),
    config: () => ({ actions: parameters.getBool('insight.actions'), parameters: Object.fromEntries(parameters.dump()) }),
    limits: { maxClients: parameters.getInt('insight.maxClients'), maxClientsPerPeer: parameters.getInt('insight.maxClientsPerPeer') },
    assets: builtAssets(),
    load: createLoadMeter(),
    onWarning: (message, error) => logger.warn({ err: error }, message),
  })
  for (const cluster of insight.clusters) await cluster.connect()
  return {
    ...insight,
    async close() {
      await insight.close()
      usage.close()
      await kv.close()
    },
  }
}

/** Rows and the end of the history, so that a page which comes back after a restart goes on where it was. Losing it loses no data. */
async function openCache({ dataDir, logger }: MountOptions): Promise<KVBase> {
  if (dataDir === undefined) return createMemoryKV()
  try {
    return await openLmdbKV({ path: `${dataDir}/insight` })
  } catch (error) {
    logger.warn({ err: error }, 'the cache of insight cannot be opened: it is kept in memory this time')
    return createMemoryKV()
  }
}

function sourceOf({ core, handlers, queues, view, parameters, clock, address }: MountOptions, usage: () => ProcessUsage): () => InsightSource {
  const startedAt = clock.now()
  return () => createLocalSource({ core, clock, address, version, startedAt, queues, parameters, usage, board: view.board, clients: view.clients, staging: view.staging, calls: createLocalCalls(handlers) })
}

const listOf = (text: string): string[] => text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
