/** GetMetrics of a cluster: all its processes by role, each with what it says of itself. */
import { createMemoryKV } from '@timetick/kv/memory'
import { createMemoryMq } from '@timetick/msgstream/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClusterHandlers } from '../../src/cluster/handlers.ts'
import { type ClusterMember, openMember } from '../../src/cluster/member.ts'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { systemClock } from '../../src/edge/system.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import type { Keep, Part } from '../../src/node/core.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { createParameters } from '../../src/node/parameters.ts'
import type { CallContext } from '../../src/server/handlers.ts'
import type { Staging } from '../../src/staging/staging.ts'
import { Life } from '../sim/life.ts'
import { SimulatedEngine } from '../sim/sim-engine.ts'
import { SimulatedStorage } from '../sim/sim-storage.ts'
import { World } from '../sim/world.ts'

interface NodeInfo {
  readonly identifier: number
  readonly infos: {
    readonly type: string; readonly name: string; readonly state: string; readonly has_error: boolean; readonly error_reason: string
    readonly hardware_infos: { readonly ip: string; readonly cpu_core_count: number; readonly memory: number; readonly memory_usage: number }
    readonly system_info: { readonly deploy_mode: string; readonly system_version: string }
  }
}

let cut: string | undefined
const kv = createMemoryKV()
const mq = createMemoryMq()
const network = new MemoryNetwork({ clock: systemClock, delayMs: (_from, to) => (to === cut ? undefined : 0) })
const parts: Part[] = []
const keep: Keep = async (opening) => {
  const part = await opening
  parts.push(part)
  return part
}
const parameters = createParameters({})

async function start(name: string, roles: readonly ClusterRole[]): Promise<ClusterMember> {
  const stores = { kv, mq, storage: new SimulatedStorage(), close: async () => undefined }
  const engine = new SimulatedEngine(new Life(new World(1)), { write: () => undefined, read: () => undefined })
  return openMember({ stores, engine, parameters, logger: silentLogger, clock: systemClock, transport: network.at(name), roles, version: '1.2.3' }, keep)
}

async function nodesOf(member: ClusterMember): Promise<NodeInfo[]> {
  const handler = createClusterHandlers({ member, staging: {} as Staging, parameters, clock: systemClock }).GetMetrics
  const run = handler?.run as ((request: { request: string }, call: CallContext) => Promise<{ response: string }>) | undefined
  const reply = await run?.({ request: '{"metric_type":"system_info"}' }, { signal: new AbortController().signal } as CallContext)
  return (JSON.parse(reply?.response ?? '{}') as { nodes_info: NodeInfo[] }).nodes_info
}

describe('GetMetrics of a cluster', () => {
  let proxy: ClusterMember
  beforeEach(async () => {
    const leader = await start('leader:1', ['coordinator'])
    await vi.waitFor(() => expect(leader.mirror.databases()).not.toEqual([]), { timeout: 20_000 })
    await start('standby:1', ['coordinator', 'data'])
    await start('reader:1', ['query'])
    proxy = await start('proxy:1', ['proxy'])
    await vi.waitFor(() => expect(proxy.directory.members()).toHaveLength(4), { timeout: 20_000 })
  }, 60_000)
  afterEach(async () => {
    for (const part of parts.splice(0).reverse()) await part.close()
    await mq.close()
    await kv.close()
  })

  it('shows every process under each of its roles, and says of one that does not answer that it does not', async () => {
    const nodes = await nodesOf(proxy)
    expect(nodes.map(({ infos }) => [infos.type, infos.hardware_infos.ip, infos.state])).toEqual([
      ...['rootcoord', 'datacoord', 'querycoord'].map((type) => [type, 'leader:1', 'Healthy']),
      ...['rootcoord', 'datacoord', 'querycoord'].map((type) => [type, 'standby:1', 'StandBy']),
      ['proxy', 'proxy:1', 'Healthy'],
      ['querynode', 'reader:1', 'Healthy'],
      ['datanode', 'standby:1', 'Healthy'],
      ['indexnode', 'standby:1', 'Healthy'],
    ])
    for (const { identifier, infos } of nodes) {
      expect(infos).toMatchObject({ name: `${infos.type}${identifier}`, has_error: false, system_info: { deploy_mode: 'DISTRIBUTED', system_version: 'mini-milvus-1.2.3' } })
      expect(Math.min(infos.hardware_infos.cpu_core_count, infos.hardware_infos.memory, infos.hardware_infos.memory_usage)).toBeGreaterThan(0)
    }
    expect(nodes.find(({ infos }) => infos.type === 'proxy')?.identifier).toBe(Number(proxy.membership.nodeId))

    cut = 'reader:1'
    const lost = (await nodesOf(proxy)).filter(({ infos }) => infos.has_error)
    expect(lost.map(({ infos }) => [infos.type, infos.state, infos.error_reason])).toEqual([['querynode', 'Abnormal', expect.stringContaining('reader:1 did not answer')]])
    cut = undefined
  }, 30_000)
})
