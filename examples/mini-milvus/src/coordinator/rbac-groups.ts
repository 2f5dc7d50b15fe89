/** Changes of groups of privileges. */
import { builtinGroups, type PrivilegeLevel, privileges } from '../model/privileges.ts'
import type { PrivilegeGroupMeta } from '../model/rbac.ts'
import { invalid } from '../server/status.ts'
import { refused } from './catalog-context.ts'
import type { Rbac } from './rbac.ts'

const MAX_GROUPS = 1000

export async function createGroup(rbac: Rbac, name: string): Promise<void> {
  if (builtinGroups.has(name)) throw invalid(`the privilege group name [${name}] is defined by built in privileges or privilege groups in system`)
  if (privileges.has(name)) throw invalid(`the privilege group name [${name}] is the name of a privilege`)
  await rbac.change(() => {
    if (rbac.get('group', name) !== undefined) throw invalid(`privilege group name [${name}] is defined by users`)
    if (rbac.all('group').length >= MAX_GROUPS) throw refused(`the number of privilege groups has reached the limit: ${MAX_GROUPS}`)
    return [{ kind: 'group', name, value: { name, privileges: [] } }]
  })
}

/** A missing group is no failure; one that a role is granted is. */
export async function dropGroup(rbac: Rbac, name: string): Promise<void> {
  if (builtinGroups.has(name)) throw invalid(`the privilege group [${name}] is built in and cannot be dropped`)
  await rbac.change(() => {
    if (rbac.get('group', name) === undefined) return []
    const role = rbac.all('role').find(({ grants }) => grants.some(({ privilege }) => privilege === name))
    if (role !== undefined) throw invalid(`privilege group [${name}] is used by role [${role.name}], Use REVOKE API to revoke it first`)
    return [{ kind: 'group', name, value: undefined }]
  })
}

export async function addToGroup(rbac: Rbac, name: string, added: readonly string[]): Promise<void> {
  await change(rbac, name, (group) => {
    const names = [...new Set([...group.privileges, ...added])]
    checkLevels(names)
    return names
  })
}

export async function removeFromGroup(rbac: Rbac, name: string, removed: readonly string[]): Promise<void> {
  await change(rbac, name, (group) => group.privileges.filter((one) => !removed.includes(one)))
}

async function change(rbac: Rbac, name: string, names: (group: PrivilegeGroupMeta) => readonly string[]): Promise<void> {
  if (builtinGroups.has(name)) throw invalid(`the privilege group [${name}] is built in and cannot be changed`)
  await rbac.change(() => {
    const group = rbac.get('group', name)
    if (group === undefined) throw invalid(`there is no privilege group name [${name}] to operate`)
    return [{ kind: 'group', name, value: { name, privileges: names(group) } }]
  })
}

/** A group is granted at one level, so all that is in it must be of that one (Milvus). */
export function checkLevels(names: readonly string[]): void {
  const levels = new Set(names.map((name) => levelOf(name)))
  if (levels.size > 1) throw invalid(`privileges are not at same level: ${names.join(', ').slice(0, 300)}`)
}

/** Throws for a name that is neither a privilege nor a built-in group. */
export function levelOf(name: string): PrivilegeLevel {
  const level = privileges.get(name)?.level ?? builtinGroups.get(name)?.level
  if (level === undefined) throw invalid(`there is no privilege name or privilege group name [${name.slice(0, 100)}] defined in system`)
  // Users are of the whole cluster.
  return level === 'user' ? 'cluster' : level
}

export type FindGroup = (name: string) => PrivilegeGroupMeta | undefined

/** The level of a privilege, a built-in group, or a group of one's own; undefined of an empty group. */
export function grantLevel(findGroup: FindGroup, name: string): PrivilegeLevel | undefined {
  const group = findGroup(name)
  if (group === undefined) return levelOf(name)
  const [first] = group.privileges
  return first === undefined ? undefined : levelOf(first)
}
