/** Rights and resource groups of a cluster of processes: proxies that change them at once lose nothing, and nodes and replicas go where they are told to. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { basic, callAs, type Caller } from '../e2e/call-as.ts'
import { type RunningCluster, startCluster } from './processes.ts'

const redis = process.env['TIMETICK_REDIS_URL']
const isAsked = (redis !== undefined && process.env['TIMETICK_RING'] !== undefined) || process.env['REQUIRE_SERVICES'] === '1'

const LAYOUT: readonly (readonly ClusterRole[])[] = [['proxy', 'query'], ['proxy', 'query'], ['coordinator', 'data', 'query']]
const SETTINGS = { 'authorization.enabled': 'true', 'authorization.publicPrivilege': 'false', 'queryCoord.grace': '500ms', 'queryCoord.interval': '200ms', 'cluster.leaseTtl': '5s' }
const PATIENT = { timeout: 60_000, interval: 200 }
const PASSWORD = 'long enough'
const DEFAULT = '__default_resource_group'
const GRANT = 0
const REVOKE = 1
const collection_name = 'kept'

let cluster: RunningCluster
const callers: Caller[] = []
const as = (proxy: number, user = 'root', password = 'Milvus'): Caller => {
  const caller = callAs(cluster.addresses()[proxy] ?? '', basic(user, password))
  callers.push(caller)
  return caller
}

describe.runIf(isAsked)('a cluster of processes with authorization', () => {
  let a: Caller
  let b: Caller
  beforeAll(async () => {
    cluster = await startCluster(redis ?? '', LAYOUT, SETTINGS)
    a = as(0)
    b = as(1)
  }, 120_000)
  afterAll(async () => {
    for (const caller of callers) caller.close()
    await cluster?.close()
  }, 60_000)

  const good = async (answer: Promise<Record<string, unknown>>): Promise<void> => expect(await answer).toMatchObject({ code: 0 })
  const operate = (caller: Caller, type: number, name: string) =>
    good(caller.call('OperatePrivilege', { type, entity: { role: { name: 'busy' }, object: { name: 'Global' }, object_name: '*', db_name: '*', grantor: { privilege: { name } } } }))
  const granted = async (caller: Caller): Promise<string[]> => {
    const { entities } = (await caller.call('SelectGrant', { entity: { role: { name: 'busy' }, db_name: '*' } })) as { entities: { grantor: { privilege: { name: string } } }[] }
    return entities.map(({ grantor }) => grantor.privilege.name).sort()
  }

  it('keeps every grant and every revocation that two proxies make of one role at once', { timeout: 120_000 }, async () => {
    await good(a.call('CreateRole', { entity: { name: 'busy' } }))
    const first = ['CreateCollection', 'DropCollection', 'DescribeCollection', 'ShowCollections', 'RenameCollection', 'CreateDatabase']
    const second = ['DropDatabase', 'ListDatabases', 'CreateResourceGroup', 'DropResourceGroup', 'DescribeResourceGroup', 'ListResourceGroups']
    await Promise.all(first.map((name, at) => operate(at % 2 === 0 ? a : b, GRANT, name)))
    for (const proxy of [a, b]) expect(await granted(proxy)).toEqual([...first].sort())
    // One takes away what there is while the other gives more.
    await Promise.all([...first.map((name) => operate(a, REVOKE, name)), ...second.map((name) => operate(b, GRANT, name))])
    for (const proxy of [a, b]) expect(await granted(proxy)).toEqual([...second].sort())
  })

  it('makes a user once, gives each of the roles, and lets nobody in whom another proxy has dropped', { timeout: 120_000 }, async () => {
    const password = Buffer.from(PASSWORD).toString('base64')
    const make = (proxy: Caller, username: string) => proxy.call('CreateCredential', { username, password })
    const codes = (await Promise.all([make(a, 'ann'), make(b, 'ann')])).map(({ code }) => code)
    expect(codes.filter((code) => code === 0)).toHaveLength(1)
    const names = ['r1', 'r2', 'r3', 'r4']
    await Promise.all(names.map((name, at) => good((at % 2 === 0 ? a : b).call('CreateRole', { entity: { name } }))))
    await Promise.all(['busy', ...names].map((role_name, at) => good((at % 2 === 0 ? b : a).call('OperateUserRole', { username: 'ann', role_name, type: 0 }))))
    for (const proxy of [a, b]) {
      const { results } = (await proxy.call('SelectUser', { user: { name: 'ann' }, include_role_info: true })) as { results: { roles: { name: string }[] }[] }
      expect(results[0]?.roles.map(({ name }) => name).sort()).toEqual(['busy', ...names])
    }
    const anns = [as(0, 'ann', PASSWORD), as(1, 'ann', PASSWORD)]
    for (const ann of anns) expect(await ann.grpcCode('ListResourceGroups')).toBe(0)
    await operate(a, REVOKE, 'ListResourceGroups')
    // What one proxy has answered holds at the other by then.
    expect(await anns[1]?.grpcCode('ListResourceGroups')).toBe(7)
    await good(b.call('DeleteCredential', { username: 'ann' }))
    for (const ann of anns) expect(await ann.grpcCode('ListResourceGroups')).toBe(16)
  })

  it('moves nodes between resource groups and a replica with them, and no read misses a row', { timeout: 180_000 }, async () => {
    const [address = ''] = cluster.addresses()
    const client = new MilvusClient({ address, username: 'root', password: 'Milvus', timeout: 60_000, maxRetries: 0, logLevel: 'error' })
    const count = async (): Promise<number> => {
      const { data, status } = await client.count({ collection_name })
      if (status.code !== 0) throw new Error(status.reason)
      return data
    }
    type Group = { resource_group: { num_available_node: number; num_loaded_replica: Record<string, number>; nodes: { node_id: bigint }[] } }
    const group = async (caller: Caller, name: string) => ((await caller.call('DescribeResourceGroup', { resource_group: name })) as Group).resource_group
    try {
      await client.createCollection({ collection_name, dimension: 2, consistency_level: 'Strong' })
      await client.insert({ collection_name, data: Array.from({ length: 100 }, (_, id) => ({ id, vector: [id, 1] })) })
      await client.flushSync({ collection_names: [collection_name] })
      await good(a.call('LoadCollection', { collection_name, replica_number: 2 }))
      await expect.poll(async () => (await a.call('GetLoadingProgress', { collection_name }))['progress'], PATIENT).toBe(100n)

      await good(b.call('CreateResourceGroup', { resource_group: 'far', config: { requests: { node_num: 1 }, limits: { node_num: 1 } } }))
      const transfer = { source_resource_group: DEFAULT, target_resource_group: 'far' }
      expect(await a.call('TransferReplica', { ...transfer, collection_name, num_replica: 1n })).toMatchObject({ code: 304 })
      // Both want the only one that may go.
      const moved = (await Promise.all([a, b].map((proxy) => proxy.call('TransferNode', { ...transfer, num_node: 1 })))).map(({ code }) => code)
      expect(moved.filter((code) => code === 0)).toHaveLength(1)
      for (const proxy of [a, b]) expect([(await group(proxy, DEFAULT)).num_available_node, (await group(proxy, 'far')).num_available_node]).toEqual([2, 1])
      await good(b.call('TransferReplica', { ...transfer, collection_name, num_replica: 1n }))
      expect(await count()).toBe(100)

      const replicas = async (caller: Caller) => ((await caller.call('GetReplicas', { collection_name })) as { replicas: { resource_group_name: string; node_ids: bigint[] }[] }).replicas
      await expect.poll(async () => (await replicas(a)).map(({ resource_group_name: name, node_ids }) => `${name} ${node_ids.length}`).sort(), PATIENT).toEqual([`${DEFAULT} 2`, 'far 1'])
      const far = await group(a, 'far')
      expect(far.num_loaded_replica).toEqual({ [collection_name]: 1 })
      expect((await replicas(b)).find(({ resource_group_name: name }) => name === 'far')?.node_ids).toEqual(far.nodes.map(({ node_id }) => node_id))
      for (let turn = 0; turn < 4; turn++) expect(await count()).toBe(100)

      // And back, with its node.
      const back = { source_resource_group: 'far', target_resource_group: DEFAULT }
      await good(a.call('TransferReplica', { ...back, collection_name, num_replica: 1n }))
      await good(b.call('TransferNode', { ...back, num_node: 1 }))
      await expect.poll(async () => (await replicas(b)).map(({ resource_group_name: name }) => name), PATIENT).toEqual([DEFAULT, DEFAULT])
      for (let turn = 0; turn < 4; turn++) expect(await count()).toBe(100)
      await good(a.call('DropResourceGroup', { resource_group: 'far' }))
    } finally {
      await client.closeConnection()
    }
  })
})
