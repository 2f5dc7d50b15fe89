/** All of it out of a node and into another. Passwords go as hashes only. */
import { levelOf } from '../coordinator/rbac-groups.ts'
import type { RbacChange } from '../coordinator/rbac.ts'
import { parsePasswordHash } from '../model/password-hash.ts'
import { builtinGroups, privilegeName, privileges } from '../model/privileges.ts'
import { ADMIN_ROLE, type GrantMeta, type PrivilegeGroupMeta, PUBLIC_ROLE, ROOT_USER } from '../model/rbac.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import { ErrorCode, type RBACMeta } from '../wire/index.ts'
import { checkRoleName, checkUserName, rbacHandler, type RbacHandlersOptions } from './rbac-context.ts'
import { firstForm, grantToWire } from './rbac-grants.ts'
import { checkName } from './rpc-values.ts'

const MAX_RESTORED = 10_000

export function backupHandlers(options: RbacHandlersOptions): WireHandlers {
  const { rbac } = options
  return {
    /** What is always there (root, admin, public as it was made) is not in it. */
    BackupRBAC: rbacHandler(ErrorCode.UnexpectedError, async () => {
      const roles = rbac.all('role').filter(({ name }) => !isDefaultRole(name))
      const users = rbac.all('user').filter(({ name }) => name !== ROOT_USER)
      return {
        RBAC_meta: {
          users: users.map(({ name, password, roles: held }) => ({ user: name, password, roles: held.map((role) => ({ name: role })) })),
          roles: roles.map(({ name, description }) => ({ name, description })),
          grants: roles.flatMap((role) => role.grants.map((grant) => grantToWire(role.name, grant))),
          privilege_groups: rbac.all('group').map(({ name, privileges: names }) => ({ group_name: name, privileges: names.map((one) => ({ name: one })) })),
        },
      }
    }),
    /** All or nothing: what is there already is a failure. */
    RestoreRBAC: rbacHandler(ErrorCode.UnexpectedError, async ({ RBAC_meta: backup }, call) => {
      if (backup === null) throw invalid('RBAC_meta is required')
      const count = backup.users.length + backup.roles.length + backup.grants.length + backup.privilege_groups.length
      if (count > MAX_RESTORED) throw invalid(`the backup holds ${count} entries, more than ${MAX_RESTORED}`)
      await rbac.change(() => restored(options, backup, call))
      await rbac.settle()
      return success()
    }),
  }
}

function restored(options: RbacHandlersOptions, backup: RBACMeta, call: CallContext): RbacChange[] {
  const groups = restoredGroups(options, backup)
  return [...groups.values(), ...restoredRoles(options, backup, groups, call), ...restoredUsers(options, backup)]
}

type GroupChange = Extract<RbacChange, { kind: 'group' }>

function restoredGroups({ rbac }: RbacHandlersOptions, backup: RBACMeta): Map<string, GroupChange> {
  const changes = new Map<string, GroupChange>()
  for (const { group_name: name, privileges: given } of backup.privilege_groups) {
    checkName('privilege group name', name)
    if (privileges.has(name) || builtinGroups.has(name)) throw invalid(`the privilege group name [${name}] is built in`)
    if (rbac.get('group', name) !== undefined || changes.has(name)) throw exists('privilege group', name)
    const names = given.map((one) => privilegeName(one.name))
    for (const one of names) levelOf(one)
    changes.set(name, { kind: 'group', name, value: { name, privileges: names } })
  }
  return changes
}

function restoredRoles({ rbac, maxRoles }: RbacHandlersOptions, backup: RBACMeta, groups: ReadonlyMap<string, GroupChange>, call: CallContext): RbacChange[] {
  const grants = new Map<string, GrantMeta[]>()
  for (const { name } of backup.roles) {
    checkRoleName(name)
    if (rbac.get('role', name) !== undefined || grants.has(name)) throw exists('role', name)
    grants.set(name, [])
  }
  if (rbac.all('role').length + grants.size > maxRoles) throw new MilvusError(Code.Unexpected, `the number of roles would exceed the limit: ${maxRoles}`)
  const findGroup = (name: string): PrivilegeGroupMeta | undefined => groups.get(name)?.value ?? rbac.get('group', name)
  for (const entity of backup.grants) {
    const role = grants.get(entity.role?.name ?? '')
    if (role === undefined) throw invalid(`a grant is for a role that is not in the backup: ${entity.role?.name ?? ''}`)
    role.push(firstForm(findGroup, entity, call))
  }
  return backup.roles.map(({ name, description }) => ({ kind: 'role', name, value: { name, description, grants: grants.get(name) ?? [] } }))
}

function restoredUsers({ rbac, maxUsers }: RbacHandlersOptions, backup: RBACMeta): RbacChange[] {
  const roles = new Set([...backup.roles.map(({ name }) => name), ADMIN_ROLE, PUBLIC_ROLE])
  const names = new Set<string>()
  const changes = backup.users.map(({ user, password, roles: held }): RbacChange => {
    const name = checkUserName(user)
    if (rbac.get('user', name) !== undefined || names.has(name)) throw exists('user', name)
    names.add(name)
    if (parsePasswordHash(password) === undefined) throw invalid(`the password of user ${name} is no hash that this node made`)
    const unknown = held.find((role) => !roles.has(role.name) && rbac.get('role', role.name) === undefined)
    if (unknown !== undefined) throw invalid(`user ${name} has a role that does not exist: ${unknown.name.slice(0, 100)}`)
    return { kind: 'user', name, value: { name, password, description: '', roles: [...new Set(held.map((role) => role.name))] } }
  })
  if (rbac.all('user').length + changes.length > maxUsers) throw new MilvusError(Code.Unexpected, `the number of users would exceed the limit: ${maxUsers}`)
  return changes
}

function isDefaultRole(name: string): boolean {
  return name === ADMIN_ROLE || name === PUBLIC_ROLE
}

function exists(kind: string, name: string): MilvusError {
  return new MilvusError(Code.Unexpected, `${kind} already exists: ${name}`)
}

