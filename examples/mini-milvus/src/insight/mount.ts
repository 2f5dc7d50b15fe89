/** Insight inside the node, on the port of its metrics. */
import { createMemoryKV } from '@timetick/kv/memory'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { builtAssets, createInsight, type Insight } from 'timetick-insight/embed'
import type { NodeClock } from '../edge/system.ts'
import type { NodeCore } from '../node/core.ts'
import type { NodeLogger } from '../node/logger.ts'
import { allowAll, type Gate, type HandlerTable } from '../server/handlers.ts'
import { version } from '../version.ts'
import { createLocalCalls } from './local-calls.ts'
import { createLocalSource } from './local-source.ts'
import { createLogin } from './login.ts'

export interface MountOptions {
  readonly core: Pick<NodeCore, 'catalog' | 'roles' | 'watchdog' | 'ticks' | 'pchannels'>
  readonly handlers: HandlerTable
  readonly gate: Gate
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly logger: NodeLogger
  /** `host:port` of gRPC. */
  readonly address: string
}

/** Its cache is in memory: the node itself remembers, and tells all of it again at once. */
export async function mountInsight({ core, handlers, gate, parameters, clock, logger, address }: MountOptions): Promise<Insight> {
  const kv = createMemoryKV()
  const token = parameters.getString('insight.token')
  const insight = createInsight({
    kv,
    clock,
    version,
    clusters: [{ id: 'local', address, isPinned: true, source: () => createLocalSource({ core, clock, address, version, calls: createLocalCalls(handlers) }) }],
    access: { hosts: [parameters.getString('proxy.host'), ...listOf(parameters.getString('insight.hosts'))], token: token === '' ? undefined : token, login: gate === allowAll ? undefined : createLogin(gate, core.catalog) },
    actions: parameters.getBool('insight.actions'),
    config: () => ({ actions: parameters.getBool('insight.actions'), parameters: Object.fromEntries(parameters.dump()) }),
    assets: builtAssets(),
    onWarning: (message, error) => logger.warn({ err: error }, message),
  })
  for (const cluster of insight.clusters) await cluster.connect()
  return {
    ...insight,
    async close() {
      await insight.close()
      await kv.close()
    },
  }
}

const listOf = (text: string): string[] => text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
