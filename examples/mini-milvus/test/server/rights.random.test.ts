/** Grants under random histories of collections, against a model that holds the collections themselves instead of names. */
import { expect, it } from 'vitest'
import { Permissions } from '../../src/coordinator/permissions.ts'
import { addGrant, createRole, removeGrant } from '../../src/coordinator/rbac-roles.ts'
import { addUserToRole, createUser } from '../../src/coordinator/rbac-users.ts'
import { openRbac, type Rbac } from '../../src/coordinator/rbac.ts'
import type { GrantMeta } from '../../src/model/rbac.ts'
import { createCollection, openFixture } from '../catalog/helpers.ts'

interface ModelCollection {
  db: string
  name: string
}

interface ModelGrant {
  readonly privilege: string
  readonly db: string
  /** `*`, a collection, or the name of one that is not there yet. */
  target: ModelCollection | string
}

const dbs = ['default', 'other']
const names = ['a', 'b', 'c']
const privileges = ['Search', 'Insert']

async function history(seed: number): Promise<void> {
  let state = seed
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T
  const fixture = await openFixture()
  let { catalog } = fixture
  const open = (): Promise<Rbac> => openRbac({ kv: fixture.kv, meta: catalog, rootPassword: undefined, publicPrivilege: false, onError: (error) => expect(error).toBeUndefined() })
  let rbac = await open()
  await catalog.createDatabase('other', {})
  await rbac.settle()
  await createUser(rbac, { name: 'ann', password: 'x', description: '' }, 9)
  await createRole(rbac, 'role', '', 9)
  await addUserToRole(rbac, 'ann', 'role')
  const collections = new Set<ModelCollection>()
  let grants: ModelGrant[] = []
  const find = (db: string, name: string): ModelCollection | undefined => [...collections].find((one) => one.db === db && one.name === name)
  const grantOf = (db: string, objectName: string, privilege: string): GrantMeta => ({ object: 'Collection', objectName, dbName: db, privilege, grantor: 'root' })
  const steps: string[] = []

  for (let step = 0; step < 40; step++) {
    const [db, name, privilege] = [pick(dbs), pick(names), pick(privileges)]
    const known = find(db, name)
    switch (below(6)) {
      case 0:
        if (known !== undefined) break
        steps.push(`create ${db}.${name}`)
        await createCollection(catalog, name, { dbName: db })
        collections.add({ db, name })
        for (const grant of grants) if (grant.db === db && grant.target === name) grant.target = find(db, name) as ModelCollection
        break
      case 1:
        if (known === undefined) break
        steps.push(`drop ${db}.${name}`)
        await catalog.dropCollection(db, name)
        collections.delete(known)
        grants = grants.filter(({ target }) => target !== known)
        break
      case 2: {
        const [newDb, newName] = [pick(dbs), pick(names)]
        if (known === undefined || find(newDb, newName) !== undefined) break
        steps.push(`rename ${db}.${name} to ${newDb}.${newName}`)
        await catalog.renameCollection(db, name, newDb, newName)
        if (newDb !== db) grants = grants.filter(({ target }) => target !== known)
        Object.assign(known, { db: newDb, name: newName })
        // A grant for a name that comes to be is for what comes to have it.
        for (const grant of grants) if (grant.db === newDb && grant.target === newName) grant.target = known
        break
      }
      case 3: {
        const object = below(5) === 0 ? '*' : name
        steps.push(`grant ${privilege} on ${db}.${object}`)
        await addGrant(rbac, 'role', grantOf(db, object, privilege))
        const target = object === '*' ? '*' : (known ?? name)
        if (!grants.some((grant) => grant.privilege === privilege && grant.db === db && grant.target === target)) grants.push({ privilege, db, target })
        break
      }
      case 4: {
        steps.push(`revoke ${privilege} on ${db}.${name}`)
        await rbac.settle()
        await removeGrant(rbac, 'role', grantOf(db, name, privilege))
        grants = grants.filter((grant) => !(grant.privilege === privilege && grant.db === db && (grant.target === name || grant.target === known)))
        break
      }
      default:
        if (below(3) > 0) break
        steps.push('restart')
        await rbac.settle()
        await rbac.close()
        catalog = await fixture.reopen()
        rbac = await open()
    }
    const permissions = new Permissions(rbac)
    for (const dbName of dbs)
      for (const one of names)
        for (const wanted of privileges) {
          const found = catalog.findCollection(dbName, one)
          const dbId = catalog.database(dbName).id
          const may = permissions.permits('ann', wanted, { level: 'collection', dbName, dbId, name: found?.schema.name ?? one, collectionId: found?.id })
          const model = find(dbName, one)
          const expected = grants.some(({ privilege: given, db: on, target }) => given === wanted && on === dbName && (target === '*' || target === (model ?? one)))
          expect({ seed, steps, dbName, one, wanted, may }).toEqual({ seed, steps, dbName, one, wanted, may: expected })
        }
  }
  await rbac.close()
}

it('S2: grants follow what they name through any history', async () => {
  const first = Number(process.env['RIGHTS_SEED'] ?? 1)
  for (let seed = first; seed < first + (process.env['TIMETICK_RING'] === undefined ? 40 : 400); seed++) await history(seed)
})
