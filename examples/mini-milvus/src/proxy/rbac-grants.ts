/** Roles and what they are granted, in both of Milvus's forms; groups of privileges. */
import * as groups from '../coordinator/rbac-groups.ts'
import * as roles from '../coordinator/rbac-roles.ts'
import { builtinGroups, privilegeName, privileges } from '../model/privileges.ts'
import { ANY, type GrantMeta, type GrantObject, ROOT_USER } from '../model/rbac.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import { ErrorCode, type GrantEntity, type Init, OperatePrivilegeGroupType, OperatePrivilegeType, type OperatePrivilegeV2Request } from '../wire/index.ts'
import { checkRoleName, nameOrAny, rbacHandler, type RbacHandlersOptions } from './rbac-context.ts'
import { checkName } from './rpc-values.ts'

export function grantHandlers(options: RbacHandlersOptions): WireHandlers {
  const { rbac, maxRoles } = options
  const findGroup: groups.FindGroup = (name) => rbac.get('group', name)
  const operate = async (role: string, grant: GrantMeta, type: number): Promise<void> => {
    if (type === OperatePrivilegeType.Grant) await roles.addGrant(rbac, role, grant)
    else if (type === OperatePrivilegeType.Revoke) await roles.removeGrant(rbac, role, grant)
    else throw invalid(`invalid operate privilege type: ${type}`)
  }
  return {
    CreateRole: rbacHandler(ErrorCode.CreateRoleFailure, async ({ entity }) => {
      await roles.createRole(rbac, checkRoleName(entity?.name ?? ''), entity?.description ?? '', maxRoles)
      return success()
    }),
    AlterRole: rbacHandler(ErrorCode.CreateRoleFailure, async (request) => {
      await roles.describeRole(rbac, checkRoleName(request.role_name), request.description)
      return success()
    }),
    DropRole: rbacHandler(ErrorCode.DropRoleFailure, async (request) => {
      await roles.dropRole(rbac, checkRoleName(request.role_name), request.force_drop)
      return success()
    }),
    OperatePrivilege: rbacHandler(ErrorCode.OperatePrivilegeFailure, async ({ entity, type }, call) => {
      await operate(roleOf(entity), firstForm(findGroup, entity, call), type)
      return success()
    }),
    OperatePrivilegeV2: rbacHandler(ErrorCode.OperatePrivilegeFailure, async (request, call) => {
      await operate(checkRoleName(request.role?.name ?? ''), secondForm(findGroup, request, call), request.type)
      return success()
    }),
    SelectGrant: rbacHandler(ErrorCode.SelectGrantFailure, async ({ entity }, call) => {
      // What was dropped a moment ago is not shown any more.
      await rbac.settle()
      const role = rbac.get('role', roleOf(entity))
      if (role === undefined) throw new MilvusError(Code.Unexpected, `not found the role, maybe the role isn't existed or internal system error: ${roleOf(entity)}`)
      const dbName = entity?.db_name === undefined || entity.db_name === '' ? call.dbName : entity.db_name
      const object = entity?.object?.name ?? ''
      const wanted = role.grants.filter(
        (grant) =>
          (dbName === ANY || grant.dbName === ANY || grant.dbName === dbName) &&
          (object === '' || (grant.object === object && (entity?.object_name ?? '') === '') || (grant.object === object && grant.objectName === entity?.object_name)),
      )
      return { entities: wanted.map((grant) => grantToWire(role.name, grant)) }
    }),
    ...groupHandlers(options),
  }
}

function groupHandlers({ rbac }: RbacHandlersOptions): WireHandlers {
  return {
    CreatePrivilegeGroup: rbacHandler(ErrorCode.CreatePrivilegeGroupFailure, async ({ group_name: name }) => {
      checkName('privilege group name', name)
      await groups.createGroup(rbac, name)
      return success()
    }),
    DropPrivilegeGroup: rbacHandler(ErrorCode.DropPrivilegeGroupFailure, async ({ group_name: name }) => {
      checkName('privilege group name', name)
      await groups.dropGroup(rbac, name)
      return success()
    }),
    OperatePrivilegeGroup: rbacHandler(ErrorCode.OperatePrivilegeGroupFailure, async ({ group_name: name, privileges: given, type }) => {
      checkName('privilege group name', name)
      const names = given.map((privilege) => privilegeName(privilege.name))
      if (names.length === 0) throw invalid('privileges should not be empty')
      for (const one of names) groups.levelOf(one)
      if (type === OperatePrivilegeGroupType.AddPrivilegesToGroup) await groups.addToGroup(rbac, name, names)
      else if (type === OperatePrivilegeGroupType.RemovePrivilegesFromGroup) await groups.removeFromGroup(rbac, name, names)
      else throw invalid(`invalid operate privilege group type: ${type}`)
      return success()
    }),
    ListPrivilegeGroups: rbacHandler(ErrorCode.ListPrivilegeGroupsFailure, async () => {
      const builtin = [...builtinGroups].map(([name, group]) => ({ name, privileges: [...group.privileges] }))
      const all = [...rbac.all('group'), ...builtin]
      return { privilege_groups: all.map(({ name, privileges: names }) => ({ group_name: name, privileges: names.map((one) => ({ name: one })) })) }
    }),
  }
}

function roleOf(entity: GrantEntity | null): string {
  return checkRoleName(entity?.role?.name ?? '')
}

/** Privileges that mean one database although groups have them for the whole cluster. */
const OF_A_DATABASE: ReadonlySet<string> = new Set(['RenameCollection', 'FlushAll'])

/** The first form says the kind of object. What is of the whole cluster is granted there, whatever database is named. */
export function firstForm(findGroup: groups.FindGroup, entity: GrantEntity | null, call: Pick<CallContext, 'dbName' | 'principal'>): GrantMeta {
  const object = objectOf(entity?.object?.name ?? '')
  const privilege = privilegeName(entity?.grantor?.privilege?.name ?? '')
  const objectName = nameOrAny(entity?.object_name ?? '')
  checkGranted(objectName)
  const level = privilege === ANY ? undefined : groups.grantLevel(findGroup, privilege)
  const known = privileges.get(privilege)
  if (object === 'User' && privilege !== ANY && known === undefined) throw invalid(`privilege groups are not granted for users, got ${privilege}`)
  if (known !== undefined && known.object !== object) throw invalid(`there is no privilege name [${privilege}] defined for the object [${object}]`)
  if (object === 'Global' && level !== 'collection' && objectName !== ANY) throw invalid(`the object name of a Global privilege must be *, got ${objectName}`)
  const isClusterWide = object === 'User' || (level === 'cluster' && !OF_A_DATABASE.has(privilege))
  const dbName = isClusterWide ? ANY : entity?.db_name === undefined || entity.db_name === '' ? call.dbName : entity.db_name
  checkGranted(dbName)
  return { object, objectName, dbName, privilege, grantor: call.principal?.name ?? ROOT_USER }
}

/** The second form says database and collection, and the privilege's level says which of them must be `*`. */
function secondForm(findGroup: groups.FindGroup, request: OperatePrivilegeV2Request, call: CallContext): GrantMeta {
  const privilege = privilegeName(request.grantor?.privilege?.name ?? '')
  if (privilege === '') throw invalid('the privilege name in the request is empty')
  const dbName = request.db_name === '' ? call.dbName : request.db_name
  const objectName = nameOrAny(request.collection_name)
  checkGranted(dbName)
  checkGranted(objectName)
  const level = privilege === ANY ? 'cluster' : groups.grantLevel(findGroup, privilege)
  if (level === 'cluster' && (dbName !== ANY || objectName !== ANY)) {
    throw invalid(`dbName and collectionName should be * for the cluster level privilege: ${privilege}`)
  }
  if (level === 'database' && objectName !== ANY) throw invalid(`collectionName should be * for the database level privilege: ${privilege}`)
  if (level === 'collection' && dbName === ANY && objectName !== ANY) throw invalid(`please specify database name for the collection level privilege: ${privilege}`)
  const object = privileges.get(privilege)?.object ?? 'Global'
  return { object, objectName, dbName, privilege, grantor: call.principal?.name ?? ROOT_USER }
}

function objectOf(name: string): GrantObject {
  if (name === 'Global' || name === 'Collection' || name === 'User') return name
  throw invalid(`not found the object type[name: ${name.slice(0, 100)}], supported the object types: [Collection Global User]`)
}

/** Names of what may come to be as well; nothing that could be read as two. */
function checkGranted(name: string): void {
  if (name === ANY) return
  if (name.length > 255 || !/^[\w.-]+$/.test(name)) throw invalid(`invalid name in a grant: ${JSON.stringify(name.slice(0, 100))}`)
}

export function grantToWire(role: string, { object, objectName, dbName, privilege, grantor }: GrantMeta): Init<GrantEntity> {
  return {
    role: { name: role },
    object: { name: object },
    object_name: objectName,
    db_name: dbName,
    grantor: { user: { name: grantor }, privilege: { name: privilege } },
  }
}
