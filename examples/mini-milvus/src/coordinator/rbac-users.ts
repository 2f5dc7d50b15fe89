/** Changes of users and of who has which role. */
import type { PasswordHash } from '../model/password-hash.ts'
import { ROOT_USER, type UserMeta } from '../model/rbac.ts'
import { refused } from './catalog-context.ts'
import type { Rbac } from './rbac.ts'

export interface NewUser {
  readonly name: string
  readonly password: PasswordHash
  readonly description: string
}

export async function createUser(rbac: Rbac, { name, password, description }: NewUser, maxUsers: number): Promise<void> {
  await rbac.change(() => {
    if (rbac.get('user', name) !== undefined) throw refused(`user already exists: ${name}`)
    if (rbac.all('user').length >= maxUsers) throw refused(`unable to add user because the number of users has reached the limit: ${maxUsers}`)
    return [{ kind: 'user', name, value: { name, password, description, roles: [] } }]
  })
}

/** @param expected the hash that the old password was checked against: another change in between wins */
export async function changePassword(rbac: Rbac, name: string, expected: PasswordHash, change: Pick<NewUser, 'password'> & { readonly description?: string | undefined }): Promise<void> {
  await rbac.change(() => {
    const user = existingUser(rbac, name)
    if (user.password !== expected) throw refused(`the password of ${name} was changed meanwhile`)
    const { password, description = user.description } = change
    return [{ kind: 'user', name, value: { ...user, password, description } }]
  })
}

/** A missing user is no failure (Milvus). */
export async function dropUser(rbac: Rbac, name: string): Promise<void> {
  if (name === ROOT_USER) throw refused('root user cannot be deleted')
  await rbac.change(() => (rbac.get('user', name) === undefined ? [] : [{ kind: 'user', name, value: undefined }]))
}

export async function addUserToRole(rbac: Rbac, name: string, role: string): Promise<void> {
  await rbac.change(() => {
    const user = existingUser(rbac, name)
    if (rbac.get('role', role) === undefined) throw refused(`not found the role, maybe the role isn't existed or internal system error: ${role}`)
    return user.roles.includes(role) ? [] : [{ kind: 'user', name, value: { ...user, roles: [...user.roles, role] } }]
  })
}

export async function removeUserFromRole(rbac: Rbac, name: string, role: string): Promise<void> {
  await rbac.change(() => {
    const user = existingUser(rbac, name)
    return user.roles.includes(role) ? [{ kind: 'user', name, value: { ...user, roles: user.roles.filter((one) => one !== role) } }] : []
  })
}

function existingUser(rbac: Rbac, name: string): UserMeta {
  const user = rbac.get('user', name)
  if (user === undefined) throw refused(`not found the user, maybe the user isn't existed or internal system error: ${name}`)
  return user
}
