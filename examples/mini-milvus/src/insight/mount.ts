/** Insight inside the node, on the port of its metrics. */
import type { KVBase } from '@timetick/kv'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createMemoryKV } from '@timetick/kv/memory'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { builtAssets, createInsight, type Insight } from 'timetick-insight/embed'
import type { NodeClock } from '../edge/system.ts'
import type { NodeCore } from '../node/core.ts'
import type { NodeLogger } from '../node/logger.ts'
import { allowAll, type Gate, type HandlerTable } from '../server/handlers.ts'
import type { TaskQueues } from '../server/task-queue.ts'
import { version } from '../version.ts'
import { createLocalCalls } from './local-calls.ts'
import { createLocalSource } from './local-source.ts'
import { createLoadMeter } from './load.edge.ts'
import { createLogin } from './login.ts'
import type { NodeView } from './node-view.ts'
import { startUsageMeter } from './usage.edge.ts'

export interface MountOptions {
  readonly core: Pick<NodeCore, 'catalog' | 'roles' | 'watchdog' | 'ticks' | 'pchannels' | 'time'>
  readonly handlers: HandlerTable
  readonly gate: Gate
  readonly queues: TaskQueues
  readonly view: NodeView
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly logger: NodeLogger
  /** `host:port` of gRPC. */
  readonly address: string
  /** The node's folder, where the cache is kept too; undefined: in memory. */
  readonly dataDir: string | undefined
}

export async function mountInsight(options: MountOptions): Promise<Insight> {
  const { clock, logger, parameters, gate, core } = options
  const kv = await openCache(options)
  const usage = startUsageMeter()
  const token = parameters.getString('insight.token')
  const insight = createInsight({
    kv,
    clock,
    version,
    clusters: [{ id: 'local', address: options.address, layer: 'local', isPinned: true, source: sourceOf(options, () => usage.read()) }],
    access: { hosts: [parameters.getString('proxy.host'), ...listOf(parameters.getString('insight.hosts'))], token: token === '' ? undefined : token, login: gate === allowAll ? undefined : createLogin(gate, core.catalog) },
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

function sourceOf({ core, handlers, queues, view, parameters, clock, address }: MountOptions, usage: Parameters<typeof createLocalSource>[0]['usage']): () => ReturnType<typeof createLocalSource> {
  const startedAt = clock.now()
  return () => createLocalSource({ core, clock, address, version, startedAt, queues, parameters, usage, board: view.board, clients: view.clients, staging: view.staging, calls: createLocalCalls(handlers) })
}

const listOf = (text: string): string[] => text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
