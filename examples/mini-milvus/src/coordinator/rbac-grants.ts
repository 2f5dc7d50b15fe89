/** Grants in time: they name databases and collections, and mean the ones that had those names. */
import { ANY, type GrantMeta } from '../model/rbac.ts'
import type { MetaReader } from './api.ts'

/** A collection that was there and is not any more. */
export interface Dropped {
  readonly id: bigint
  readonly dbName: string
  readonly name: string
}

/**
 * The grants after what happened to what they name: bound to its ids as soon as it exists, renamed with a collection within
 * its database, gone with a dropped or moved one. The same array when nothing changes.
 */
export function settleGrants(grants: readonly GrantMeta[], meta: MetaReader, dropped: readonly Dropped[]): readonly GrantMeta[] {
  const all = grants.flatMap((grant) => settleGrant(grant, meta, dropped) ?? [])
  // An alias and its collection may have been granted both.
  const settled = all.filter((grant, i) => !all.slice(0, i).some((earlier) => sameGrant(earlier, grant)))
  const isSame = settled.length === grants.length && settled.every((grant, i) => grant === grants[i])
  return isSame ? grants : settled
}

function settleGrant(grant: GrantMeta, meta: MetaReader, dropped: readonly Dropped[]): GrantMeta | undefined {
  if (grant.dbName === ANY) return grant
  const databases = meta.databases()
  const database = grant.dbId === undefined ? databases.find(({ name }) => name === grant.dbName) : databases.find(({ id }) => id === grant.dbId)
  if (database === undefined) return grant.dbId === undefined ? grant : undefined
  const bound = grant.dbId === undefined ? { ...grant, dbId: database.id } : grant
  return bound.object === 'User' || bound.objectName === ANY ? bound : settleCollection(bound, meta, dropped)
}

function settleCollection(grant: GrantMeta, meta: MetaReader, dropped: readonly Dropped[]): GrantMeta | undefined {
  if (grant.collectionId === undefined) {
    if (dropped.some(({ dbName, name }) => dbName === grant.dbName && name === grant.objectName)) return undefined
    const found = meta.findCollection(grant.dbName, grant.objectName)
    return found === undefined ? grant : { ...grant, objectName: found.schema.name, collectionId: found.id }
  }
  const collection = meta.collectionById(grant.collectionId)
  if (collection === undefined || collection.dbName !== grant.dbName) return undefined
  return collection.schema.name === grant.objectName ? grant : { ...grant, objectName: collection.schema.name }
}

/** Two grants of a role that mean the same. */
export function sameGrant(a: GrantMeta, b: GrantMeta): boolean {
  return a.object === b.object && a.objectName === b.objectName && a.dbName === b.dbName && a.privilege === b.privilege
}
