/** What grants give and do not give, and what becomes of them when collections and databases come and go. */
import { beforeEach, describe, expect, it } from 'vitest'
import { Permissions } from '../../src/coordinator/permissions.ts'
import { openRbac, type Rbac, type RbacOptions } from '../../src/coordinator/rbac.ts'
import { createUser, addUserToRole } from '../../src/coordinator/rbac-users.ts'
import { createRole } from '../../src/coordinator/rbac-roles.ts'
import { createDdlHandlers } from '../../src/proxy/ddl.ts'
import { createRbacHandlers } from '../../src/proxy/rbac.ts'
import type { Authenticator } from '../../src/server/authenticator.ts'
import { createGate } from '../../src/server/gate.ts'
import type { AnyHandler, CallContext, Gate, HandlerTable, RpcName } from '../../src/server/handlers.ts'
import { Passwords } from '../../src/server/passwords.ts'
import { completeType, methods } from '../../src/wire/index.ts'
import { createCollection, type Fixture, openFixture } from '../catalog/helpers.ts'

let fixture: Fixture
let rbac: Rbac
let gate: Gate
let handlers: HandlerTable

const open = (kv: RbacOptions['kv']): Promise<Rbac> =>
  openRbac({ kv, meta: fixture.catalog, rootPassword: undefined, publicPrivilege: false, onError: (error) => expect(error).toBeUndefined() })

async function start(kv: RbacOptions['kv'] = fixture.kv): Promise<void> {
  rbac = await open(kv)
  const authenticator = { userOf: (user: string) => user } as unknown as Authenticator
  gate = createGate({ authenticator, permissions: new Permissions(rbac), meta: fixture.catalog })
  const ddl = createDdlHandlers({
    meta: fixture.catalog,
    catalog: fixture.catalog,
    timestamps: { allocOne: async () => 1n },
    progress: { rowCount: () => 0, loadProgress: () => 100, indexProgress: () => ({ totalRows: 0, indexedRows: 0, pendingRows: 0, state: 'none', reason: '' }) },
    version: 'v',
    clock: { now: () => 0 },
    databasesChanged: () => rbac.settle(),
  })
  handlers = { ...ddl, ...createRbacHandlers({ rbac, passwords: new Passwords(), minPasswordLength: 8, maxUsers: 5, maxRoles: 8 }) }
}

beforeEach(async () => {
  fixture = await openFixture()
  await fixture.catalog.createDatabase('other', {})
  await createCollection(fixture.catalog, 'books')
  await createCollection(fixture.catalog, 'books', { dbName: 'other' })
  await start()
  await createUser(rbac, { name: 'ann', password: 'x', description: '' }, 9)
  await createRole(rbac, 'reader', '', 9)
  await addUserToRole(rbac, 'ann', 'reader')
})

/** As the dispatcher: gate, then handler. The result is the response, or the code that refused. */
async function call(user: string, rpc: RpcName, request: object = {}, dbName = 'default'): Promise<Record<string, unknown>> {
  const method = methods.find(({ name }) => name === rpc)
  if (method === undefined) throw new Error(rpc)
  const complete = completeType(method.request, request) as { db_name?: string }
  const info = { metadata: new Map([['authorization', user]]), peer: 'p:1', client: 'test' }
  const principal = await gate.identify(rpc, info)
  const named = complete.db_name === undefined || complete.db_name === '' ? dbName : complete.db_name
  const context: CallContext = { ...info, rpc, dbName: named, identifier: undefined, signal: new AbortController().signal, deadline: undefined, principal }
  try {
    gate.authorize(rpc, context, complete)
    const handler: AnyHandler | undefined = handlers[rpc]
    return (await handler?.run(complete as never, context)) as Record<string, unknown>
  } catch (error) {
    return { code: (error as { code: number }).code, reason: (error as Error).message }
  }
}

/** The gate's answer alone. */
async function may(user: string, rpc: RpcName, request: object = {}, dbName = 'default'): Promise<boolean> {
  const before = handlers
  handlers = { ...handlers, [rpc]: { kind: 'dql', run: async () => ({ code: 0 }) } }
  const { code } = await call(user, rpc, request, dbName)
  handlers = before
  return code !== 1401
}

const grant = (privilege: string, object: string, object_name: string, db_name = 'default', role = 'reader', type = 0) =>
  call('root', 'OperatePrivilege', { type, entity: { role: { name: role }, object: { name: object }, object_name, db_name, grantor: { privilege: { name: privilege } } } })
const grantV2 = (privilege: string, db_name: string, collection_name: string, type = 0) =>
  call('root', 'OperatePrivilegeV2', { type, role: { name: 'reader' }, grantor: { privilege: { name: privilege } }, db_name, collection_name })
const books = { collection_name: 'books' }

describe('a grant', () => {
  it('S2: is of one collection in one database, by whichever way the database is named', async () => {
    await grant('Search', 'Collection', 'books')
    expect(await may('ann', 'Search', books)).toBe(true)
    expect(await may('ann', 'HybridSearch', books)).toBe(true)
    expect(await may('ann', 'Search', books, 'other')).toBe(false)
    expect(await may('ann', 'Search', { ...books, db_name: 'other' })).toBe(false)
    expect(await may('ann', 'Search', { ...books, db_name: 'default' }, 'other')).toBe(true)
    expect(await may('ann', 'Query', books)).toBe(false)
    expect(await may('ann', 'Search', { collection_name: 'films' })).toBe(false)
    expect(await may('ann', 'HybridSearch', { ...books, requests: [{ ...books, db_name: 'other' }] })).toBe(false)
    expect(await call('ann', 'CreateRole', { entity: { name: 'x' } })).toMatchObject({
      code: 1401,
      reason: 'PrivilegeCreateOwnership: permission deny to ann in the `default` database',
    })
  })

  it('S2: is looked at for the collection behind an alias, in its database', async () => {
    await fixture.catalog.createAlias('default', 'tomes', 'books')
    await fixture.catalog.createAlias('other', 'tomes', 'books')
    await grant('Search', 'Collection', 'books')
    expect(await may('ann', 'Search', { collection_name: 'tomes' })).toBe(true)
    expect(await may('ann', 'Search', { collection_name: 'tomes', db_name: 'other' })).toBe(false)
    await grant('Query', 'Collection', 'tomes')
    expect(await may('ann', 'Query', books)).toBe(true)
    await createCollection(fixture.catalog, 'films')
    await fixture.catalog.alterAlias('default', 'tomes', 'films')
    expect([await may('ann', 'Query', { collection_name: 'tomes' }), await may('ann', 'Query', books)]).toEqual([false, true])
  })

  it('S2: is looked at for ids and segments as well as names', async () => {
    const [own, foreign] = [fixture.catalog.collection('default', 'books').id, fixture.catalog.collection('other', 'books').id]
    await grant('DescribeCollection', 'Global', 'books')
    expect(await may('ann', 'DescribeCollection', { collectionID: own })).toBe(true)
    expect(await may('ann', 'DescribeCollection', { collectionID: foreign })).toBe(false)
    expect(await may('ann', 'GetReplicas', { ...books, collectionID: foreign })).toBe(false)
    expect(await may('ann', 'BatchDescribeCollection', { collectionID: [own, foreign] })).toBe(false)
    expect(await may('ann', 'BatchDescribeCollection', { collection_name: ['books', 'films'] })).toBe(false)
    await grant('Flush', 'Collection', 'books')
    expect(await may('ann', 'Flush', { collection_names: ['books'] })).toBe(true)
    expect(await may('ann', 'Flush', { collection_names: ['books', 'films'] })).toBe(false)
    await grant('AlterDatabase', 'Global', '*')
    expect(await may('ann', 'AlterDatabase', { db_id: String(fixture.catalog.database('other').id) })).toBe(false)
    expect(await may('ann', 'AlterDatabase', {})).toBe(true)
    await grant('RenameCollection', 'Global', '*')
    expect(await may('ann', 'RenameCollection', { oldName: 'books', newName: 'b' })).toBe(true)
    expect(await may('ann', 'RenameCollection', { oldName: 'books', newName: 'b', newDBName: 'other' })).toBe(false)
  })

  it('S2: ends with its collection, and does not pass to the next one of that name', async () => {
    await grant('Search', 'Collection', 'books')
    await grant('Search', 'Collection', 'films')
    await fixture.catalog.dropCollection('default', 'books')
    await createCollection(fixture.catalog, 'books')
    expect(await may('ann', 'Search', books)).toBe(false)
    await createCollection(fixture.catalog, 'films')
    expect(await may('ann', 'Search', { collection_name: 'films' })).toBe(true)
    await fixture.catalog.dropCollection('default', 'films')
    await createCollection(fixture.catalog, 'films')
    const { entities } = await call('root', 'SelectGrant', { entity: { role: { name: 'reader' } } })
    expect(entities).toEqual([])
    expect(await may('ann', 'Search', { collection_name: 'films' })).toBe(false)
  })

  it('S2: moves with a new name, and ends where the collection leaves its database', async () => {
    await grant('Search', 'Collection', 'books')
    await fixture.catalog.renameCollection('default', 'books', 'default', 'tomes')
    expect([await may('ann', 'Search', { collection_name: 'tomes' }), await may('ann', 'Search', books)]).toEqual([true, false])
    const { entities } = await call('root', 'SelectGrant', { entity: { role: { name: 'reader' } } })
    expect(entities).toMatchObject([{ object_name: 'tomes', db_name: 'default' }])
    await fixture.catalog.renameCollection('default', 'tomes', 'other', 'moved')
    expect(await may('ann', 'Search', { collection_name: 'moved', db_name: 'other' })).toBe(false)
    expect((await call('root', 'SelectGrant', { entity: { role: { name: 'reader' } } }))['entities']).toEqual([])
  })

  it('S2: ends with its database', async () => {
    await grant('Search', 'Collection', '*', 'other')
    await grant('CreateCollection', 'Global', '*', 'other')
    expect(await may('ann', 'Search', books, 'other')).toBe(true)
    await fixture.catalog.dropCollection('other', 'books')
    await call('root', 'DropDatabase', { db_name: 'other' })
    expect((await call('root', 'SelectGrant', { entity: { role: { name: 'reader' }, db_name: '*' } }))['entities']).toEqual([])
    await call('root', 'CreateDatabase', { db_name: 'other' })
    await createCollection(fixture.catalog, 'books', { dbName: 'other' })
    expect([await may('ann', 'Search', books, 'other'), await may('ann', 'CreateCollection', { collection_name: 'x' }, 'other')]).toEqual([false, false])
  })

  it('of everything in a database gives nothing of the cluster', async () => {
    await grant('*', 'Global', '*')
    expect(await may('ann', 'DropCollection', books)).toBe(true)
    expect(await may('ann', 'Search', books)).toBe(true)
    for (const rpc of ['OperatePrivilege', 'CreateCredential', 'CreateDatabase', 'BackupRBAC', 'FlushAll', 'CreateResourceGroup'] as const)
      expect([rpc, await may('ann', rpc, rpc === 'FlushAll' ? {} : { username: 'x' })]).toEqual([rpc, false])
    expect(await may('ann', 'UpdateCredential', { username: 'root' })).toBe(false)
    expect(await may('ann', 'FlushAll', { db_name: 'default' })).toBe(true)
    await grantV2('*', '*', '*')
    expect([await may('ann', 'OperatePrivilege'), await may('ann', 'UpdateCredential', { username: 'root' })]).toEqual([true, true])
  })

  it('of a group gives what is in it, now and later', async () => {
    expect(await grantV2('CollectionReadOnly', 'default', 'books')).toMatchObject({ code: 0 })
    expect([await may('ann', 'Query', books), await may('ann', 'Insert', books)]).toEqual([true, false])
    await call('root', 'CreatePrivilegeGroup', { group_name: 'mine' })
    await call('root', 'OperatePrivilegeGroup', { group_name: 'mine', privileges: [{ name: 'Insert' }], type: 0 })
    await grantV2('mine', 'default', 'books')
    expect([await may('ann', 'Insert', books), await may('ann', 'Delete', books)]).toEqual([true, false])
    await call('root', 'OperatePrivilegeGroup', { group_name: 'mine', privileges: [{ name: 'PrivilegeDelete' }], type: 0 })
    expect(await may('ann', 'Delete', books)).toBe(true)
    expect(await call('root', 'DropPrivilegeGroup', { group_name: 'mine' })).toMatchObject({ code: 1100, reason: expect.stringContaining('is used by role [reader]') as unknown })
    expect(await call('root', 'OperatePrivilegeGroup', { group_name: 'mine', privileges: [{ name: 'CreateDatabase' }], type: 0 })).toMatchObject({ code: 1100 })
    await grantV2('mine', 'default', 'books', 1)
    expect(await may('ann', 'Insert', books)).toBe(false)
    expect(await call('root', 'DropPrivilegeGroup', { group_name: 'mine' })).toMatchObject({ code: 0 })
  })

  it('is refused where it could mean nothing', async () => {
    for (const refused of [
      grantV2('CreateDatabase', 'default', '*'), grantV2('ShowCollections', 'default', 'books'), grantV2('Search', '*', 'books'), grantV2('NoSuch', 'default', '*'),
      grantV2('', 'default', '*'), grantV2('Search', 'default', 'a/b'), grantV2('__proto__', 'default', '*'), grant('Search', 'Global', '*'), grant('CreateCollection', 'Collection', 'books'),
      grant('CreateCollection', 'Global', 'books'), grant('ClusterAdmin', 'User', 'root'), grant('Search', 'Nothing', '*'), grant('Search', 'Collection', 'books', 'a b'),
    ])
      expect(await refused).toMatchObject({ code: 1100 })
    expect(await grant('Search', 'Collection', '*', 'default', 'nobody')).toMatchObject({ code: 65535 })
    expect((await call('root', 'SelectGrant', { entity: { role: { name: 'reader' }, db_name: '*' } }))['entities']).toEqual([])
  })
})

describe('lists', () => {
  it('show what their caller has a right on', async () => {
    await createCollection(fixture.catalog, 'films')
    const seen = async (user: string) => [(await call(user, 'ListDatabases'))['db_names'], (await call(user, 'ShowCollections'))['collection_names']]
    expect(await seen('ann')).toEqual([[], []])
    await grant('Search', 'Collection', 'films')
    expect(await seen('ann')).toEqual([['default'], ['films']])
    expect(await seen('root')).toEqual([['default', 'other'], ['books', 'films']])
  })

  it('of one\'s own user and roles need no right', async () => {
    expect(await call('ann', 'SelectUser', { user: { name: 'ann' }, include_role_info: true })).toMatchObject({ results: [{ roles: [{ name: 'reader' }] }] })
    expect(await call('ann', 'SelectUser', { user: { name: 'root' } })).toMatchObject({ code: 1401 })
    expect(await call('ann', 'SelectUser', {})).toMatchObject({ code: 1401 })
    expect(await call('ann', 'SelectGrant', { entity: { role: { name: 'reader' } } })).toMatchObject({ entities: [] })
    expect(await call('ann', 'SelectGrant', { entity: { role: { name: 'admin' } } })).toMatchObject({ code: 1401 })
  })
})

describe('users and roles', () => {
  it('are there again after a restart, with what they may do', async () => {
    await grant('Search', 'Collection', 'books')
    await call('root', 'CreatePrivilegeGroup', { group_name: 'mine' })
    await rbac.close()
    fixture = { ...fixture, catalog: await fixture.reopen() }
    await start()
    expect(rbac.all('user').map(({ name, roles }) => [name, roles])).toEqual([['ann', ['reader']], ['root', ['admin']]])
    expect(rbac.all('role').map(({ name }) => name)).toEqual(['admin', 'public', 'reader'])
    expect([await may('ann', 'Search', books), await may('ann', 'Query', books)]).toEqual([true, false])
  })

  it('have their limits, and defaults that stay', async () => {
    const create = (username: string) => call('root', 'CreateCredential', { username, password: 'bG9uZyBlbm91Z2g=' })
    for (const name of ['u1', 'u2', 'u3']) expect(await create(name)).toMatchObject({ code: 0 })
    expect(await create('u4')).toMatchObject({ code: 65535, reason: expect.stringContaining('limit: 5') as unknown })
    for (const role of ['admin', 'public']) expect(await call('root', 'DropRole', { role_name: role, force_drop: true })).toMatchObject({ code: 65535 })
    await grant('Search', 'Collection', 'books')
    expect(await call('root', 'DropRole', { role_name: 'reader' })).toMatchObject({ reason: expect.stringContaining('has privileges') as unknown })
    expect(await call('root', 'DropRole', { role_name: 'reader', force_drop: true })).toMatchObject({ code: 0 })
    expect(rbac.get('user', 'ann')?.roles).toEqual([])
    expect(await may('ann', 'Search', books)).toBe(false)
  })

  it('go out as hashes and come back whole, or not at all', async () => {
    await call('root', 'CreateCredential', { username: 'bob', password: 'bG9uZyBlbm91Z2g=' })
    await call('root', 'OperateUserRole', { username: 'bob', role_name: 'reader', type: 0 })
    await call('root', 'DeleteCredential', { username: 'ann' })
    await grant('Search', 'Collection', 'books')
    const { RBAC_meta } = (await call('root', 'BackupRBAC')) as { RBAC_meta: { users: object[]; roles: object[]; grants: object[] } }
    expect(JSON.stringify(RBAC_meta)).not.toMatch(/long enough|bG9uZyBlbm91Z2g/)
    expect(await call('root', 'RestoreRBAC', { RBAC_meta })).toMatchObject({ reason: expect.stringContaining('already exists') as unknown })
    await call('root', 'DropRole', { role_name: 'reader', force_drop: true })
    expect(await call('root', 'RestoreRBAC', { RBAC_meta })).toMatchObject({ reason: 'user already exists: bob' })
    expect(rbac.get('role', 'reader')).toBeUndefined()
    await call('root', 'DeleteCredential', { username: 'bob' })
    for (const users of [[{ user: 'bob', password: 'plain' }], [{ user: 'bob', password: 'scrypt$1073741824$8$1$AAAA$AAAA' }]])
      expect(await call('root', 'RestoreRBAC', { RBAC_meta: { ...RBAC_meta, users } })).toMatchObject({ code: 1100 })
    expect(await call('root', 'RestoreRBAC', { RBAC_meta })).toMatchObject({ code: 0 })
    expect([await may('bob', 'Search', books), await may('bob', 'Query', books)]).toEqual([true, false])
  })
})

describe('when the store is slow', () => {
  /** Writes of users and rights wait from now on, until they are let go. */
  async function hold(): Promise<() => void> {
    await rbac.settle()
    await rbac.close()
    let release = (): void => {}
    let held: Promise<void> = Promise.resolve()
    const { kv } = fixture
    const slow = {
      loadWithPrefix: kv.loadWithPrefix.bind(kv),
      multiLoad: kv.multiLoad.bind(kv),
      multiSaveAndRemove: async (...args: Parameters<typeof kv.multiSaveAndRemove>) => {
        await held
        return kv.multiSaveAndRemove(...args)
      },
    }
    await start(slow)
    held = new Promise((resolve) => (release = resolve))
    return release
  }

  it('S2: a grant does not pass to the next collection of the name for a moment', async () => {
    await grant('Search', 'Collection', 'books')
    const release = await hold()
    expect(await may('ann', 'Search', books)).toBe(true)
    await fixture.catalog.dropCollection('default', 'books')
    await createCollection(fixture.catalog, 'books')
    expect(await may('ann', 'Search', books)).toBe(false)
    release()
    await rbac.settle()
    expect(await may('ann', 'Search', books)).toBe(false)
  })

  it('S2: a grant for a name that comes and goes meanwhile is gone, too', async () => {
    await grant('Search', 'Collection', 'films')
    const release = await hold()
    const before = createRole(rbac, 'first', '', 9)
    await createCollection(fixture.catalog, 'films')
    await fixture.catalog.dropCollection('default', 'films')
    await createCollection(fixture.catalog, 'films')
    release()
    await before
    await rbac.settle()
    expect(rbac.get('role', 'reader')?.grants).toEqual([])
    expect(await may('ann', 'Search', { collection_name: 'films' })).toBe(false)
  })
})

describe('when the store fails', () => {
  it('nothing is shown that is not kept', async () => {
    const real = fixture.kv.multiSaveAndRemove.bind(fixture.kv)
    fixture.kv.multiSaveAndRemove = async () => {
      throw new Error('the store is away')
    }
    await expect(createRole(rbac, 'lost', '', 9)).rejects.toThrow('the store is away')
    expect(rbac.get('role', 'lost')).toBeUndefined()
    fixture.kv.multiSaveAndRemove = async (...args) => {
      await real(...args)
      throw new Error('the answer was lost')
    }
    await expect(createRole(rbac, 'kept', '', 9)).rejects.toThrow('the answer was lost')
    fixture.kv.multiSaveAndRemove = real
    await createRole(rbac, 'next', '', 9)
    expect(rbac.get('role', 'kept')).toBeDefined()
  })
})
