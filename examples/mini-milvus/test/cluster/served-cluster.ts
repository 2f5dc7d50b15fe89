/** A cluster in the test's process, over stores in memory, with proxies that the SDKs connect to. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { Registry } from 'prom-client'
import { type ClusterMember, openMember } from '../../src/cluster/member.ts'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { openProxy } from '../../src/cluster/start.ts'
import { systemClock } from '../../src/edge/system.ts'
import { openEngine } from '../../src/engine/index.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import type { Keep, Part } from '../../src/node/core.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { Meter } from '../../src/node/metrics/meter.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { openStores } from '../../src/node/stores.ts'

export interface ServedProxy {
  readonly address: string
  readonly member: ClusterMember
  /** What its `/metrics` would say. */
  metrics(): Promise<string>
  /** In order. */
  close(): Promise<void>
}

export interface ServedCluster {
  readonly proxies: readonly ServedProxy[]
  addProxy(): Promise<ServedProxy>
  /** Whoever is here is reached by nobody, and the other way round. */
  readonly cut: Set<string>
  close(): Promise<void>
}

const BACK: readonly (readonly ClusterRole[])[] = [['coordinator', 'data'], ['data', 'query']]

function parametersOf(given: Readonly<Record<string, string>>): GlobalParamsTable {
  const parameters = createParameters({})
  const all = { 'common.inMemory': 'true', 'cluster.leaseTtl': '10s', 'proxy.port': '0', 'rootCoord.dmlChannelNum': '4', 'proxy.timeTickInterval': '50ms', ...given }
  for (const [key, value] of Object.entries(all)) parameters.save(key, value)
  return parameters
}

function createParts(): { readonly keep: Keep; close(): Promise<void> } {
  const parts: Part[] = []
  return {
    keep: async (opening) => {
      const part = await opening
      parts.push(part)
      return part
    },
    async close() {
      for (const part of parts.splice(0).reverse()) await part.close()
    },
  }
}

export async function startServedCluster(given: Readonly<Record<string, string>> = {}): Promise<ServedCluster> {
  const parameters = parametersOf(given)
  const all = createParts()
  const stores = await all.keep(openStores(parameters, systemClock))
  const engine = await all.keep(openEngine({ threads: 1 }))
  const cut = new Set<string>()
  const network = new MemoryNetwork({ clock: systemClock, delayMs: (from, to) => (cut.has(from) || cut.has(to) ? undefined : 0) })
  const proxies: ServedProxy[] = []
  let names = 0
  const open = (roles: readonly ClusterRole[], keep: Keep, meter?: Meter): Promise<ClusterMember> =>
    openMember({ stores: { ...stores, close: async () => undefined }, engine, parameters, logger: silentLogger, clock: systemClock, transport: network.at(`${roles.join('-')}-${(names += 1)}:1`), roles, version: '0', meter }, keep)
  const addProxy = async (): Promise<ServedProxy> => {
    const parts = createParts()
    const registry = new Registry()
    const meter = new Meter(registry, systemClock)
    const member = await open(['proxy'], parts.keep, meter)
    await parts.keep({ close: () => member.drain() })
    const { host, port } = await openProxy({ member, parameters, logger: silentLogger, clock: systemClock, meter, registry }, parts.keep)
    const proxy: ServedProxy = { address: `${host}:${port}`, member, metrics: () => registry.metrics(), close: () => parts.close() }
    proxies.push(proxy)
    await all.keep(proxy)
    return proxy
  }
  for (const roles of BACK) {
    const member = await open(roles, all.keep)
    await all.keep({ close: () => member.drain() })
  }
  await addProxy()
  await addProxy()
  const [first] = proxies
  const until = systemClock.monotonic() + 60_000
  while (first?.member.coordinator.leader === undefined || first.member.mirror.databases().length === 0) {
    if (systemClock.monotonic() > until) throw new Error('nobody leads')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return { proxies, addProxy, cut, close: () => all.close() }
}
