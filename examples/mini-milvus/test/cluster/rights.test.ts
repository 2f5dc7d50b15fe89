/** Users, rights and resource groups of a cluster: what one proxy changes, all of them go by when the call returns. */
import type { KVBase, WatchBatch } from '@timetick/kv'
import { createMemoryKV } from '@timetick/kv/memory'
import { createMemoryMq } from '@timetick/msgstream/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ClusterMember, openMember } from '../../src/cluster/member.ts'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { sharedRecordsOf } from '../../src/cluster/shared-records.ts'
import { Permissions } from '../../src/coordinator/permissions.ts'
import { openRbac, type Rbac } from '../../src/coordinator/rbac.ts'
import { createGroup } from '../../src/coordinator/rbac-groups.ts'
import { addGrant, createRole, removeGrant } from '../../src/coordinator/rbac-roles.ts'
import { addUserToRole, createUser, dropUser, removeUserFromRole } from '../../src/coordinator/rbac-users.ts'
import { ResourceGroups } from '../../src/coordinator/resource-groups.ts'
import { systemClock } from '../../src/edge/system.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import type { GrantMeta } from '../../src/model/rbac.ts'
import type { Keep, Part } from '../../src/node/core.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { Life } from '../sim/life.ts'
import { SimulatedEngine } from '../sim/sim-engine.ts'
import { SimulatedStorage } from '../sim/sim-storage.ts'
import { World } from '../sim/world.ts'
import { schema } from '../catalog/helpers.ts'

interface Proxy {
  readonly member: ClusterMember
  readonly rbac: Rbac
  readonly permissions: Permissions
  readonly groups: ResourceGroups
}

let kv: KVBase
let network: MemoryNetwork
const cut = new Set<string>()
const parts: Part[] = []
const keep: Keep = async (opening) => {
  const part = await opening
  parts.push(part)
  return part
}

beforeEach(async () => {
  kv = createMemoryKV()
  network = new MemoryNetwork({ clock: systemClock, delayMs: (from, to) => (cut.has(from) || cut.has(to) ? undefined : 0) })
  const leader = await member('leader', ['coordinator'])
  await until(() => leader.mirror.databases().length > 0)
})

afterEach(async () => {
  cut.clear()
  for (const part of parts.splice(0).reverse()) await part.close()
  await kv.close()
})

async function until(isSo: () => boolean): Promise<void> {
  const end = systemClock.monotonic() + 20_000
  while (!isSo()) {
    if (systemClock.monotonic() > end) throw new Error('it did not come')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function member(name: string, roles: readonly ClusterRole[], own: KVBase = kv): Promise<ClusterMember> {
  const parameters = createParameters({})
  parameters.save('cluster.leaseTtl', '1s')
  const stores = { kv: own, mq: createMemoryMq(), storage: new SimulatedStorage(), close: async () => undefined }
  const engine = new SimulatedEngine(new Life(new World(1)), { write: () => undefined, read: () => undefined })
  return openMember({ stores, engine, parameters, logger: silentLogger, clock: systemClock, transport: network.at(name), roles, version: '0' }, keep)
}

async function proxy(name: string, own?: KVBase): Promise<Proxy> {
  const one = await member(name, ['proxy'], own)
  const openRecords = sharedRecordsOf(one, systemClock, () => undefined)
  const rbac = await keep(openRbac({ kv: one.stores.kv, meta: one.mirror, rootPassword: undefined, publicPrivilege: false, onError: () => undefined, openRecords }))
  const groups = await keep(ResourceGroups.open({ kv: one.stores.kv, nodeIds: () => [7n], openRecords }))
  return { member: one, rbac, permissions: new Permissions(rbac), groups }
}

const ANYWHERE = { level: 'cluster' } as const
const grant = (privilege: string): GrantMeta => ({ object: 'Global', objectName: '*', dbName: '*', privilege, grantor: 'root' })
const mayList = ({ permissions }: Proxy): boolean => permissions.permits('ann', 'ListDatabases', ANYWHERE)

async function annMayList({ rbac }: Proxy): Promise<void> {
  await createUser(rbac, { name: 'ann', password: 'hash', description: '' }, 100)
  await createRole(rbac, 'lister', '', 100)
  await addGrant(rbac, 'lister', grant('ListDatabases'))
  await addUserToRole(rbac, 'ann', 'lister')
}

describe('rights of two proxies', () => {
  it('are given and taken on both by the time the call returns', async () => {
    const [a, b] = [await proxy('a'), await proxy('b')]
    await annMayList(a)
    expect([mayList(a), mayList(b)]).toEqual([true, true])
    await removeGrant(b.rbac, 'lister', grant('ListDatabases'))
    expect([mayList(a), mayList(b)]).toEqual([false, false])
    await addGrant(b.rbac, 'lister', grant('ListDatabases'))
    expect(mayList(a)).toBe(true)
    await removeUserFromRole(a.rbac, 'ann', 'lister')
    expect(mayList(b)).toBe(false)
    await dropUser(b.rbac, 'ann')
    expect(a.rbac.get('user', 'ann')).toBeUndefined()
    await createGroup(a.rbac, 'ours')
    expect(b.rbac.get('group', 'ours')).toMatchObject({ name: 'ours' })
  })

  it('are known to one that comes later, which makes nothing anew', async () => {
    const a = await proxy('a')
    await annMayList(a)
    await a.rbac.change(() => [{ kind: 'user', name: 'root', value: { name: 'root', password: 'changed', description: '', roles: ['admin'] } }])
    const b = await proxy('b')
    expect([mayList(b), b.rbac.get('user', 'root')?.password]).toEqual([true, 'changed'])
  })

  it('lose nothing when both change the same role at once', async () => {
    const [a, b] = [await proxy('a'), await proxy('b')]
    await annMayList(a)
    const names = ['CreateDatabase', 'DropDatabase', 'CreateCollection', 'DropCollection', 'ShowCollections', 'DescribeCollection']
    await Promise.all(names.map((name, index) => addGrant((index % 2 === 0 ? a : b).rbac, 'lister', grant(name))))
    for (const { rbac } of [a, b]) expect(rbac.get('role', 'lister')?.grants.map(({ privilege }) => privilege).sort()).toEqual(['ListDatabases', ...names].sort())
    const taken = await Promise.allSettled([a, b].map(({ rbac }) => createUser(rbac, { name: 'bob', password: 'x', description: '' }, 100)))
    expect(taken.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('are taken by a call that waits for a proxy whose mirror is late', async () => {
    const late = lateWatch(kv, 'rbac/')
    const [a, b] = [await proxy('a'), await proxy('b', late.kv)]
    await annMayList(a)
    late.hold()
    let isDone = false
    const removed = removeGrant(a.rbac, 'lister', grant('ListDatabases')).then(() => (isDone = true))
    await until(() => !mayList(a))
    expect([isDone, mayList(b)]).toEqual([false, true])
    late.release()
    await removed
    expect(mayList(b)).toBe(false)
  })

  it('are taken when a proxy that cannot be asked serves nobody any more', async () => {
    const late = lateWatch(kv, 'rbac/')
    const [a, b] = [await proxy('a'), await proxy('b', late.kv)]
    await annMayList(a)
    late.hold()
    late.refuse()
    cut.add('b')
    await removeGrant(a.rbac, 'lister', grant('ListDatabases'))
    // It knows nothing of the change: its own lease keeps it from answering.
    expect([mayList(b), b.member.membership.isLive]).toEqual([true, false])
    late.release()
  })

  it('are bound to collections that only the other one knows yet', async () => {
    const [a, b] = [await proxy('a'), await proxy('b')]
    await annMayList(a)
    const mine: GrantMeta = { object: 'Collection', objectName: 'books', dbName: 'default', privilege: 'Query', grantor: 'root' }
    const { id } = await b.member.coordinator.catalog.createCollection({ dbName: 'default', schema: schema('books'), shardsNum: 1, consistencyLevel: 2, properties: {} })
    await addGrant(b.rbac, 'lister', mine)
    await Promise.all([a.rbac.settle(), b.rbac.settle()])
    for (const { rbac } of [a, b]) expect(rbac.get('role', 'lister')?.grants).toContainEqual(expect.objectContaining({ ...mine, collectionId: id }))
    await b.member.coordinator.catalog.dropCollection('default', 'books')
    await a.rbac.settle()
    for (const { rbac } of [a, b]) expect(rbac.get('role', 'lister')?.grants.map(({ privilege }) => privilege)).toEqual(['ListDatabases'])
  })

  it('and resource groups are one for all', async () => {
    const [a, b] = [await proxy('a'), await proxy('b')]
    const config = { requested: 1, limit: 2, transferFrom: [], transferTo: [], nodeLabels: {} }
    await a.groups.create('fast', config)
    expect(b.groups.names()).toContain('fast')
    await b.groups.transferNodes('__default_resource_group', 'fast', 1, () => 0)
    expect([a.groups.groupOf(7n), b.groups.groupOf(7n)]).toEqual(['fast', 'fast'])
  })
})

/** What a watch of these keys tells can be held back, and the store can be away. */
function lateWatch(store: KVBase, prefix: string): { readonly kv: KVBase; hold(): void; refuse(): void; release(): void } {
  let gate = Promise.resolve()
  let open = (): void => undefined
  let isAway = false
  async function* late(batches: AsyncIterable<WatchBatch>): AsyncGenerator<WatchBatch> {
    for await (const batch of batches) {
      await gate
      yield batch
    }
  }
  return {
    kv: new Proxy(store, {
      get(_target, property) {
        const value: unknown = Reflect.get(store, property, store)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown => {
          if (property === 'watchWithPrefix' && args[0] === prefix) return late(store.watchWithPrefix(...(args as Parameters<KVBase['watchWithPrefix']>)))
          if (isAway && property !== 'close') return Promise.reject(Object.assign(new Error('away'), { code: 'KV_UNAVAILABLE', retryable: true, outcome: 'not-applied' }))
          return Reflect.apply(value, store, args)
        }
      },
    }),
    hold: () => void (gate = new Promise((resolve) => (open = resolve))),
    refuse: () => void (isAway = true),
    release: () => {
      isAway = false
      open()
    },
  }
}
