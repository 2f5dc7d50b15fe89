/** May this user do that? Answered from users, roles, grants and groups in memory. */
import { createHash } from 'node:crypto'
import type { CollectionMeta, DatabaseMeta } from '../model/meta.ts'
import { builtinGroups, privileges } from '../model/privileges.ts'
import { ADMIN_ROLE, ANY, type GrantMeta, PUBLIC_ROLE, type RoleMeta, ROOT_USER } from '../model/rbac.ts'
import type { Rbac } from './rbac.ts'

/** What a call is about. Ids where there is something of that name. */
export type Target =
  | { readonly level: 'cluster' }
  | { readonly level: 'database'; readonly dbName: string; readonly dbId: bigint | undefined }
  | { readonly level: 'collection'; readonly dbName: string; readonly dbId: bigint | undefined; readonly name: string; readonly collectionId: bigint | undefined }
  | { readonly level: 'user'; readonly name: string }

/** Grants of a role by each single privilege that they give. */
type RoleRights = ReadonlyMap<string, readonly GrantMeta[]>

export class Permissions {
  readonly #rbac: Rbac
  readonly #rights = new Map<string, { readonly role: RoleMeta; readonly rights: RoleRights }>()
  #version = -1

  constructor(rbac: Rbac) {
    this.#rbac = rbac
  }

  /** `root` and the role `admin` may do everything (Milvus). */
  isAdmin(user: string): boolean {
    return user === ROOT_USER || this.#rbac.get('user', user)?.roles.includes(ADMIN_ROLE) === true
  }

  permits(user: string, privilege: string, target: Target): boolean {
    if (this.isAdmin(user)) return true
    return this.rolesOf(user).some((role) => this.#rightsOf(role)?.get(privilege)?.some((grant) => covers(grant, target)))
  }

  /** Roles of a user that exists, `public` among them. */
  rolesOf(user: string): readonly string[] {
    const meta = this.#rbac.get('user', user)
    if (meta === undefined) return []
    return meta.roles.includes(PUBLIC_ROLE) ? meta.roles : [...meta.roles, PUBLIC_ROLE]
  }

  /** What a user's rights rest on: see `Principal.standing`. */
  standingOf(user: string): { readonly version: number; readonly credential: string; rights(): string } | undefined {
    const meta = this.#rbac.get('user', user)
    if (meta === undefined) return undefined
    const rights = (): string => digestOf(this.isAdmin(user) ? 'all' : this.rolesOf(user).map((role) => [role, ...(this.#rightsOf(role) ?? [])]))
    return { version: this.#rbac.version, credential: meta.password, rights }
  }

  /** A collection is seen by those who have any right on it, beyond what everyone has. */
  seesCollection(user: string, { dbName, id, schema: { name } }: CollectionMeta, dbId: bigint): boolean {
    const target: Target = { level: 'collection', dbName, dbId, name, collectionId: id }
    return this.#sees(user, (grant, privilege) => privileges.get(privilege)?.level === 'collection' && covers(grant, target))
  }

  /** A database is seen by those who have any right in it, or may list all. */
  seesDatabase(user: string, { name, id }: DatabaseMeta): boolean {
    if (this.permits(user, 'ListDatabases', { level: 'cluster' })) return true
    return this.#sees(user, (grant) => grant.object !== 'User' && (grant.dbName === ANY || isDatabase(grant, name, id)))
  }

  #sees(user: string, allows: (grant: GrantMeta, privilege: string) => boolean): boolean {
    if (this.isAdmin(user)) return true
    const roles = this.#rbac.get('user', user)?.roles ?? []
    return roles.some((role) => [...(this.#rightsOf(role) ?? [])].some(([privilege, grants]) => grants.some((grant) => allows(grant, privilege))))
  }

  #rightsOf(name: string): RoleRights | undefined {
    if (this.#version !== this.#rbac.version) {
      this.#rights.clear()
      this.#version = this.#rbac.version
    }
    const known = this.#rights.get(name)
    if (known !== undefined) return known.rights
    const role = this.#rbac.get('role', name)
    if (role === undefined) return undefined
    const rights = new Map<string, GrantMeta[]>()
    for (const grant of role.grants) {
      for (const privilege of singlePrivileges(this.#rbac, grant)) {
        const grants = rights.get(privilege)
        if (grants === undefined) rights.set(privilege, [grant])
        else grants.push(grant)
      }
    }
    this.#rights.set(name, { role, rights })
    return rights
  }
}

function digestOf(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part))
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** The single privileges of a grant: itself, a group's, or all of its kind of object (all there are, for `Global`). */
export function singlePrivileges(rbac: Pick<Rbac, 'get'>, { privilege, object }: Pick<GrantMeta, 'privilege' | 'object'>): Iterable<string> {
  if (privilege === ANY) return [...privileges].filter(([, info]) => object === 'Global' || info.object === object).map(([name]) => name)
  if (privileges.has(privilege)) return [privilege]
  return expandGroup(rbac, privilege)
}

/** A group of one's own may name built-in groups. */
export function expandGroup(rbac: Pick<Rbac, 'get'>, name: string): Iterable<string> {
  const builtin = builtinGroups.get(name)
  if (builtin !== undefined) return builtin.privileges
  const group = rbac.get('group', name)
  if (group === undefined) return []
  return new Set(group.privileges.flatMap((item) => [...(builtinGroups.get(item)?.privileges ?? [item])]))
}

function covers(grant: GrantMeta, target: Target): boolean {
  switch (target.level) {
    case 'user':
      return grant.dbName === ANY && (grant.objectName === ANY || grant.objectName === target.name)
    case 'cluster':
      return grant.dbName === ANY && grant.objectName === ANY
    case 'database':
      return grant.objectName === ANY && (grant.dbName === ANY || isDatabase(grant, target.dbName, target.dbId))
    case 'collection':
      if (grant.dbName !== ANY && !isDatabase(grant, target.dbName, target.dbId)) return false
      return grant.objectName === ANY || isCollection(grant, target)
  }
}

/** A bound grant means its database for good, whatever has the name now. */
function isDatabase(grant: GrantMeta, name: string, id: bigint | undefined): boolean {
  return grant.dbId === undefined ? grant.dbName === name : grant.dbId === id
}

function isCollection(grant: GrantMeta, target: Extract<Target, { level: 'collection' }>): boolean {
  return grant.collectionId === undefined ? grant.objectName === target.name : grant.collectionId === target.collectionId
}
