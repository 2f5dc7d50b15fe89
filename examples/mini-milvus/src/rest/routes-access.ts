/** `/v2/vectordb/` users, roles, privilege groups, resource groups. */
import { type GrantEntity, type Init, OperatePrivilegeGroupType, OperatePrivilegeType, OperateUserRoleType, messageTypeOf, type ResourceGroupConfig } from '../wire/index.ts'
import type { Body } from './body.ts'
import { missing } from './errors.ts'
import { fillMessage } from './message-in.ts'
import { messageToJson } from './message-out.ts'
import { type Route, rpcRoute } from './route.ts'
import { anyObject, names, rowList } from './schemas.ts'

/** Passwords travel in base64, on gRPC as here inside. */
const secret = (password: string): string => Buffer.from(password, 'utf8').toString('base64')

const userRole = (type: number) => (body: Body) => ({ username: body.text('userName'), role_name: body.text('roleName'), type })

const userRoutes: readonly Route[] = [
  rpcRoute('users/list', 'ListCredUsers', [], () => ({}), ({ usernames }) => usernames, names),
  rpcRoute(
    'users/describe',
    'SelectUser',
    ['userName*'],
    (body) => ({ user: { name: body.text('userName') }, include_role_info: true }),
    ({ results }) => results[0]?.roles.map(({ name }) => name) ?? [],
    names,
  ),
  rpcRoute('users/create', 'CreateCredential', ['userName*', 'password*', 'description'], (body) => ({
    username: body.text('userName'),
    password: secret(body.text('password')),
    ...(body.text('description') === '' ? {} : { description: body.text('description') }),
  })),
  rpcRoute('users/update_password', 'UpdateCredential', ['userName*', 'password', 'newPassword*'], (body) => ({
    username: body.text('userName'),
    oldPassword: secret(body.text('password')),
    newPassword: secret(body.text('newPassword')),
  })),
  rpcRoute('users/drop', 'DeleteCredential', ['userName*'], (body) => ({ username: body.text('userName') })),
  rpcRoute('users/grant_role', 'OperateUserRole', ['userName*', 'roleName*'], userRole(OperateUserRoleType.AddUserToRole)),
  rpcRoute('users/revoke_role', 'OperateUserRole', ['userName*', 'roleName*'], userRole(OperateUserRoleType.RemoveUserFromRole)),
]

const privilege = (type: number) => (body: Body) => ({
  entity: {
    role: { name: body.text('roleName') },
    object: { name: body.text('objectType') },
    object_name: body.text('objectName'),
    grantor: { privilege: { name: body.text('privilege') } },
    db_name: body.text('dbName'),
  },
  type,
})

const privilegeV2 = (type: number) => (body: Body) => ({
  role: { name: body.text('roleName') },
  grantor: { privilege: { name: body.text('privilege') } },
  type,
  db_name: body.text('dbName'),
  collection_name: body.text('collectionName'),
})

function shownGrant({ object, object_name: objectName, db_name: dbName, grantor }: GrantEntity): object {
  return { objectType: object?.name ?? '', objectName, privilege: grantor?.privilege?.name ?? '', dbName, grantor: grantor?.user?.name ?? '' }
}

const grantTakes = ['roleName*', 'objectType*', 'objectName*', 'privilege*'] as const
const grantV2Takes = ['roleName*', 'privilege*', 'collectionName'] as const

const roleRoutes: readonly Route[] = [
  rpcRoute('roles/list', 'SelectRole', [], () => ({}), ({ results }) => results.map(({ role }) => role?.name ?? ''), names),
  rpcRoute(
    'roles/describe',
    'SelectGrant',
    ['roleName*'],
    (body) => ({ entity: { role: { name: body.text('roleName') }, db_name: body.text('dbName') } }),
    ({ entities }) => entities.map(shownGrant),
    rowList,
  ),
  rpcRoute('roles/create', 'CreateRole', ['roleName*', 'description'], (body) => ({
    entity: { name: body.text('roleName'), description: body.text('description') },
  })),
  rpcRoute('roles/alter', 'AlterRole', ['roleName*', 'description'], (body) => ({
    role_name: body.text('roleName'),
    description: body.text('description'),
  })),
  rpcRoute('roles/drop', 'DropRole', ['roleName*'], (body) => ({ role_name: body.text('roleName') })),
  rpcRoute('roles/grant_privilege', 'OperatePrivilege', grantTakes, privilege(OperatePrivilegeType.Grant)),
  rpcRoute('roles/revoke_privilege', 'OperatePrivilege', grantTakes, privilege(OperatePrivilegeType.Revoke)),
  rpcRoute('roles/grant_privilege_v2', 'OperatePrivilegeV2', grantV2Takes, privilegeV2(OperatePrivilegeType.Grant)),
  rpcRoute('roles/revoke_privilege_v2', 'OperatePrivilegeV2', grantV2Takes, privilegeV2(OperatePrivilegeType.Revoke)),
]

const groupChange = (type: number) => (body: Body) => ({
  group_name: body.text('privilegeGroupName'),
  privileges: body.texts('privileges').map((name) => ({ name })),
  type,
})

const privilegeGroupRoutes: readonly Route[] = [
  rpcRoute('privilege_groups/create', 'CreatePrivilegeGroup', ['privilegeGroupName*'], (body) => ({ group_name: body.text('privilegeGroupName') })),
  rpcRoute('privilege_groups/drop', 'DropPrivilegeGroup', ['privilegeGroupName*'], (body) => ({ group_name: body.text('privilegeGroupName') })),
  rpcRoute(
    'privilege_groups/list',
    'ListPrivilegeGroups',
    [],
    () => ({}),
    ({ privilege_groups: groups }) =>
      groups.map(({ group_name: name, privileges }) => ({ privilegeGroupName: name, privileges: privileges.map((item) => item.name) })),
    rowList,
  ),
  rpcRoute(
    'privilege_groups/add_privileges_to_group',
    'OperatePrivilegeGroup',
    ['privilegeGroupName*', 'privileges*'],
    groupChange(OperatePrivilegeGroupType.AddPrivilegesToGroup),
  ),
  rpcRoute(
    'privilege_groups/remove_privileges_from_group',
    'OperatePrivilegeGroup',
    ['privilegeGroupName*', 'privileges*'],
    groupChange(OperatePrivilegeGroupType.RemovePrivilegesFromGroup),
  ),
]

/** Members as in the message, `transfer_from` or `transferFrom`. */
function configOf(body: Body): Init<ResourceGroupConfig> {
  return fillMessage(messageTypeOf('rg.ResourceGroupConfig'), Object.fromEntries(body.entries()), 'config')
}

function configsOf(body: Body): Record<string, Init<ResourceGroupConfig>> {
  const groups = body.object('resource_groups')
  if (groups.entries().length === 0) throw missing('resource_groups')
  return Object.fromEntries(groups.entries().map(([name]) => [name, configOf(groups.object(name))]))
}

const resourceGroupRoutes: readonly Route[] = [
  rpcRoute('resource_groups/create', 'CreateResourceGroup', ['name*', 'config'], (body) => ({
    resource_group: body.text('name'),
    ...(body.value('config') === undefined ? {} : { config: configOf(body.object('config')) }),
  })),
  rpcRoute('resource_groups/drop', 'DropResourceGroup', ['name*'], (body) => ({ resource_group: body.text('name') })),
  rpcRoute('resource_groups/alter', 'UpdateResourceGroups', ['resource_groups*'], (body) => ({ resource_groups: configsOf(body) })),
  rpcRoute('resource_groups/list', 'ListResourceGroups', [], () => ({}), ({ resource_groups: groups }) => groups, names),
  rpcRoute(
    'resource_groups/describe',
    'DescribeResourceGroup',
    ['name*'],
    (body) => ({ resource_group: body.text('name') }),
    ({ resource_group: group }, session) => messageToJson(group ?? {}, session.allowInt64),
    anyObject,
  ),
  rpcRoute('resource_groups/transfer_replica', 'TransferReplica', ['sourceRgName*', 'targetRgName*', 'collectionName*', 'replicaNum*'], (body) => ({
    source_resource_group: body.text('sourceRgName'),
    target_resource_group: body.text('targetRgName'),
    collection_name: body.text('collectionName'),
    num_replica: BigInt(body.integer('replicaNum', 0)),
    db_name: body.text('dbName'),
  })),
]

export const accessRoutes: readonly Route[] = [...userRoutes, ...roleRoutes, ...privilegeGroupRoutes, ...resourceGroupRoutes]
