/** Changes of roles and of what they are granted. */
import { ADMIN_ROLE, type GrantMeta, PUBLIC_ROLE, type RoleMeta } from '../model/rbac.ts'
import { refused } from './catalog-context.ts'
import { sameGrant } from './rbac-grants.ts'
import type { Rbac, RbacChange } from './rbac.ts'

const MAX_GRANTS = 4096

export async function createRole(rbac: Rbac, name: string, description: string, maxRoles: number): Promise<void> {
  await rbac.change(() => {
    if (rbac.get('role', name) !== undefined) throw refused(`role [name:"${name}"] already exists`)
    if (rbac.all('role').length >= maxRoles) throw refused(`unable to create role because the number of roles has reached the limit: ${maxRoles}`)
    return [{ kind: 'role', name, value: { name, description, grants: [] } }]
  })
}

export async function describeRole(rbac: Rbac, name: string, description: string): Promise<void> {
  await rbac.change(() => [{ kind: 'role', name, value: { ...existingRole(rbac, name), description } }])
}

/** With its grants only if `force` says so; users lose it. */
export async function dropRole(rbac: Rbac, name: string, force: boolean): Promise<void> {
  if (name === ADMIN_ROLE || name === PUBLIC_ROLE) throw refused(`the role[${name}] is a default role, which can't be dropped`)
  await rbac.change(() => {
    const role = existingRole(rbac, name)
    if (role.grants.length > 0 && !force) throw refused('fail to drop the role that it has privileges. Use REVOKE API to revoke privileges')
    const users = rbac.all('user').filter((user) => user.roles.includes(name))
    const left = users.map((user): RbacChange => ({ kind: 'user', name: user.name, value: { ...user, roles: user.roles.filter((one) => one !== name) } }))
    return [...left, { kind: 'role', name, value: undefined }]
  })
}

/** Twice is once. */
export async function addGrant(rbac: Rbac, name: string, grant: GrantMeta): Promise<void> {
  await rbac.change(() => {
    const role = existingRole(rbac, name)
    if (role.grants.some((other) => sameGrant(other, grant))) return []
    if (role.grants.length >= MAX_GRANTS) throw refused(`the role ${name} has ${MAX_GRANTS} privileges, it cannot have more`)
    return [{ kind: 'role', name, value: { ...role, grants: [...role.grants, grant] } }]
  })
  await rbac.settle()
}

/** What is not granted is no failure (Milvus). */
export async function removeGrant(rbac: Rbac, name: string, grant: GrantMeta): Promise<void> {
  await rbac.change(() => {
    const role = existingRole(rbac, name)
    const grants = role.grants.filter((other) => !sameGrant(other, grant))
    return grants.length === role.grants.length ? [] : [{ kind: 'role', name, value: { ...role, grants } }]
  })
}

function existingRole(rbac: Rbac, name: string): RoleMeta {
  const role = rbac.get('role', name)
  if (role === undefined) throw refused(`not found the role, maybe the role isn't existed or internal system error: ${name}`)
  return role
}
