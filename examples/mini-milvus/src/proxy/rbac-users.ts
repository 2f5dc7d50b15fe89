/** Users, and the roles they have. */
import * as users from '../coordinator/rbac-users.ts'
import type { RoleMeta, UserMeta } from '../model/rbac.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import { ErrorCode, type Init, OperateUserRoleType, type RoleResult, type UpdateCredentialRequest, type UserResult } from '../wire/index.ts'
import { checkPassword, checkRoleName, checkUserName, rbacHandler, type RbacHandlersOptions, readPassword } from './rbac-context.ts'

export function userHandlers(options: RbacHandlersOptions): WireHandlers {
  const { rbac, passwords, minPasswordLength, maxUsers } = options
  return {
    CreateCredential: rbacHandler(ErrorCode.CreateCredentialFailure, async (request) => {
      const name = checkUserName(request.username)
      const password = checkPassword(readPassword(request.password), minPasswordLength)
      if (rbac.get('user', name) !== undefined) throw new MilvusError(Code.Unexpected, `user already exists: ${name}`)
      await users.createUser(rbac, { name, password: await passwords.hash(password), description: request.description ?? '' }, maxUsers)
      return success()
    }),
    UpdateCredential: rbacHandler(ErrorCode.UpdateCredentialFailure, async (request, call) => {
      await updatePassword(options, request, call)
      return success()
    }),
    DeleteCredential: rbacHandler(ErrorCode.DeleteCredentialFailure, async (request) => {
      if (request.username === '') throw invalid('username must be not empty')
      await users.dropUser(rbac, request.username)
      return success()
    }),
    ListCredUsers: rbacHandler(ErrorCode.ListCredUsersFailure, async () => ({ usernames: rbac.all('user').map(({ name }) => name) })),
    OperateUserRole: rbacHandler(ErrorCode.OperateUserRoleFailure, async (request) => {
      const name = checkUserName(request.username)
      const role = checkRoleName(request.role_name)
      if (request.type === OperateUserRoleType.AddUserToRole) await users.addUserToRole(rbac, name, role)
      else if (request.type === OperateUserRoleType.RemoveUserFromRole) await users.removeUserFromRole(rbac, name, role)
      else throw invalid(`invalid operate user role type: ${request.type}`)
      return success()
    }),
    SelectUser: rbacHandler(ErrorCode.SelectUserFailure, async (request) => {
      const found = selected(request.user?.name ?? '', (name) => rbac.get('user', name), rbac.all('user'), 'user')
      return { results: found.map((user) => userResult(user, request.include_role_info)) }
    }),
    SelectRole: rbacHandler(ErrorCode.SelectRoleFailure, async (request) => {
      const found = selected(request.role?.name ?? '', (name) => rbac.get('role', name), rbac.all('role'), 'role')
      return { results: found.map((role) => roleResult(options, role, request.include_user_info)) }
    }),
  }
}

/** The old password is asked for, of everyone but an administrator who sets that of another user. */
async function updatePassword({ rbac, passwords, minPasswordLength }: RbacHandlersOptions, request: UpdateCredentialRequest, call: CallContext): Promise<void> {
  const user = rbac.get('user', checkUserName(request.username))
  const password = checkPassword(readPassword(request.newPassword), minPasswordLength)
  const isReset = request.oldPassword === '' && call.principal?.isAdmin === true && call.principal.name !== request.username
  const old = readPassword(request.oldPassword)
  if (!isReset && !(await passwords.verify(old, user))) throw new MilvusError(Code.Unexpected, `old password not correct:${request.username}`)
  if (user === undefined) throw new MilvusError(Code.Unexpected, `not found the user: ${request.username}`)
  const { description } = request
  await users.changePassword(rbac, user.name, user.password, { password: await passwords.hash(password), description })
}

/** One by name, or all: Milvus fails for a name that is not there. */
function selected<T>(name: string, find: (name: string) => T | undefined, all: readonly T[], kind: string): readonly T[] {
  if (name === '') return all
  const found = find(name)
  if (found === undefined) throw new MilvusError(Code.Unexpected, `not found the ${kind}, maybe the ${kind} isn't existed or internal system error: ${name}`)
  return [found]
}

function userResult({ name, roles, description }: UserMeta, withRoles: boolean): Init<UserResult> {
  return { user: { name }, roles: withRoles ? roles.map((role) => ({ name: role })) : [], description }
}

/** `public` is everyone's: nobody is listed for it but those who were given it by name. */
function roleResult({ rbac }: RbacHandlersOptions, { name, description }: RoleMeta, withUsers: boolean): Init<RoleResult> {
  const holders = withUsers ? rbac.all('user').filter(({ roles }) => roles.includes(name)) : []
  return { role: { name, description }, users: holders.map((user) => ({ name: user.name })) }
}

