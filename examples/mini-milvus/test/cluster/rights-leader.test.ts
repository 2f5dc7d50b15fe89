/** Rights are written by the coordinator that leads: a proxy plans a change, and one who does not lead any more changes nothing. */
import type { KVBase } from '@timetick/kv'
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, describe, expect, it } from 'vitest'
import type { ClusterMember } from '../../src/cluster/member.ts'
import { LEADER_KEY } from '../../src/cluster/coordinator.ts'
import { type RecordsWrite, writeRecords } from '../../src/cluster/record-writes.ts'
import { sharedRecordsOf } from '../../src/cluster/shared-records.ts'
import { openRbac, type Rbac } from '../../src/coordinator/rbac.ts'
import { createRole } from '../../src/coordinator/rbac-roles.ts'
import { createUser } from '../../src/coordinator/rbac-users.ts'
import { RpcError } from '../../src/internal/errors.ts'
import { Life } from '../sim/life.ts'
import { SmallCluster } from './small-cluster.ts'

const LEASE_MS = 3_000

let cluster: SmallCluster | undefined
afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

/** Nobody but a coordinator writes these. */
function readOnly(store: KVBase): KVBase {
  return new Proxy(store, {
    get(_target, property) {
      const value: unknown = Reflect.get(store, property, store)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        const touched = property === 'multiSaveAndRemove' ? [...(args[0] as ReadonlyMap<string, string>).keys(), ...(args[1] as readonly string[])] : []
        if (touched.some((key) => key.startsWith('rbac/'))) throw new Error('a proxy wrote rights')
        return Reflect.apply(value, store, args)
      }
    },
  })
}

async function rightsOf(of: SmallCluster, member: ClusterMember): Promise<Rbac> {
  const openRecords = sharedRecordsOf(member, new Life(of.world), () => undefined)
  const opening = openRbac({ kv: member.stores.kv, meta: member.mirror, rootPassword: undefined, publicPrivilege: false, onError: () => undefined, openRecords })
  return of.keep(await of.run(opening))
}

async function open(...coordinators: string[]): Promise<{ readonly of: SmallCluster; readonly leader: ClusterMember; readonly a: Rbac; readonly b: Rbac }> {
  const of = (cluster = new SmallCluster({ 'cluster.leaseTtl': `${LEASE_MS}ms`, 'cluster.callTimeout': '15s' }))
  const members: ClusterMember[] = []
  for (const name of coordinators) members.push(await of.open(name, ['coordinator']))
  const leader = members[0] as ClusterMember
  await of.until('a leader', () => leader.own.coordinator?.isLeading === true)
  const proxies = [await of.open('a', ['proxy'], readOnly(of.kv)), await of.open('b', ['proxy'], readOnly(of.kv))]
  const [a, b] = [await rightsOf(of, proxies[0] as ClusterMember), await rightsOf(of, proxies[1] as ClusterMember)]
  return { of, leader, a, b }
}

const ann = { name: 'ann', password: 'hash', description: '' }

describe('rights', () => {
  it('are written by the leader, and both proxies have them when the call returns', async () => {
    const { of, a, b } = await open('leader')
    await of.run(createUser(a, ann, 100))
    expect([a, b].map((one) => one.get('user', 'ann')?.password)).toEqual(['hash', 'hash'])
    await expect(of.run(createUser(b, ann, 100))).rejects.toThrow('already exists')
  })

  it('wait for the next leader, which writes what the one before could not', async () => {
    const { of, a, b, leader } = await open('leader', 'next')
    // It answers nobody any more, and gives the lead away.
    of.deaf.add('leader')
    await of.run(leader.drain())
    await of.run(createUser(b, ann, 100))
    expect(a.get('user', 'ann')).toMatchObject({ name: 'ann' })
  })

  it('are refused as retriable, with nothing written, where nobody leads', async () => {
    const { of, a, leader } = await open('leader')
    await of.run(leader.drain())
    const before = await of.run(of.kv.loadWithPrefix('rbac/'))
    const failed = await of.run(createRole(a, 'lister', '', 100).then(() => undefined, (error: unknown) => error))
    expect(failed).toMatchObject({ code: 'RPC_NOT_LEADER', retryable: true, outcome: 'not-applied' })
    const after = await of.run(of.kv.loadWithPrefix('rbac/'))
    expect(after.keys).toEqual(before.keys)
    expect(a.get('role', 'lister')).toBeUndefined()
  })

  it('of a leader that was replaced and does not know it are not written, and it gives up', async () => {
    const { of, a, leader } = await open('leader')
    await of.run(of.kv.save(LEADER_KEY, 'somebody else'))
    expect(leader.own.coordinator?.isLeading).toBe(true)
    const failed = await of.run(createRole(a, 'lister', '', 100).then(() => undefined, (error: unknown) => error))
    expect(failed).toBeInstanceOf(RpcError)
    expect(leader.own.coordinator?.isLeading).toBe(false)
    expect((await of.run(of.kv.loadWithPrefix('rbac/role/lister'))).keys).toEqual([])
  })
})

describe('a write of records', () => {
  const change: RecordsWrite = { root: 'rbac/', before: 0n, saves: new Map([['role/r', '{}']]), removals: [] }

  it('holds only behind the state that it was planned on', async () => {
    const kv = createMemoryKV()
    const modRevision = await kv.save('leader', 'me')
    const onFenced = (): never => {
      throw new Error('it leads')
    }
    const { revision } = await writeRecords(kv, { key: 'leader', modRevision, onFenced }, change)
    expect(revision).toBeGreaterThan(0n)
    expect(await writeRecords(kv, { key: 'leader', modRevision, onFenced }, { ...change, saves: new Map([['role/r', 'other']]) })).toEqual({})
    expect(await kv.load('rbac/role/r')).toBe('{}')
    await writeRecords(kv, { key: 'leader', modRevision, onFenced }, { ...change, before: revision ?? 0n, saves: new Map(), removals: ['role/r'] })
    expect((await kv.loadWithPrefix('rbac/role/')).keys).toEqual([])
    await kv.close()
  })

  it.each([
    ['elsewhere', { ...change, root: 'meta/' }],
    ['outside of a kind', { ...change, saves: new Map([['revision', '9']]) }],
    ['of no name', { ...change, removals: ['role/'] }],
  ])('%s is refused', async (_what, bad) => {
    const kv = createMemoryKV()
    const modRevision = await kv.save('leader', 'me')
    await expect(writeRecords(kv, { key: 'leader', modRevision, onFenced: () => undefined }, bad)).rejects.toMatchObject({ code: 'RPC_MALFORMED', outcome: 'not-applied' })
    expect((await kv.loadWithPrefix('')).keys).toEqual(['leader'])
    await kv.close()
  })
})
