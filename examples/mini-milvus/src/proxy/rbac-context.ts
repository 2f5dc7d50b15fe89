/** What the handlers of users, roles and rights need, and what they share. */
import type { Rbac } from '../coordinator/rbac.ts'
import { ANY } from '../model/rbac.ts'
import type { Passwords } from '../server/passwords.ts'
import type { CallContext, RpcHandler } from '../server/handlers.ts'
import { invalid, MilvusError } from '../server/status.ts'
import { checkName } from './rpc-values.ts'

export interface RbacHandlersOptions {
  readonly rbac: Rbac
  readonly passwords: Passwords
  /** Characters of a new password. */
  readonly minPasswordLength: number
  readonly maxUsers: number
  readonly maxRoles: number
}

/** Milvus answers failures of these calls with a legacy code for each of them. */
export function rbacHandler<Request, Response>(legacy: number, run: (request: Request, call: CallContext) => Promise<Response>): RpcHandler<Request, Response> {
  return {
    kind: 'ddl',
    async run(request, call) {
      try {
        return await run(request, call)
      } catch (error) {
        if (error instanceof MilvusError && error.code !== 8) throw new MilvusError(error.code, error.message, legacy, { cause: error })
        throw error
      }
    },
  }
}

const MAX_USER_NAME = 32

export function checkUserName(name: string): string {
  if (name === '') throw invalid('username must be not empty')
  if (name.length > MAX_USER_NAME) throw invalid(`the length of username must be less than ${MAX_USER_NAME} characters`)
  if (!/^[A-Za-z]/.test(name)) throw invalid(`invalid user name: the first character must be a letter, got ${JSON.stringify(name)}`)
  if (!/^[\w.-]+$/.test(name)) throw invalid(`invalid user name: it can only contain numbers, letters, underscores, dots, and hyphens, got ${JSON.stringify(name)}`)
  return name
}

export function checkRoleName(name: string): string {
  checkName('role name', name)
  return name
}

const MAX_PASSWORD = 72

/** Passwords come in base64. */
export function readPassword(encoded: string): string {
  const isBase64 = encoded.length <= 1024 && /^[A-Za-z0-9+/]*={0,2}$/.test(encoded) && encoded.replace(/=+$/, '').length % 4 !== 1
  if (!isBase64) throw invalid('decode password failed: the password must be in base64')
  return new TextDecoder().decode(Uint8Array.from(atob(encoded.replace(/=+$/, '')), (char) => char.charCodeAt(0)))
}

export function checkPassword(password: string, minLength: number): string {
  if (password.length < minLength || password.length > MAX_PASSWORD) {
    throw invalid(`the length of password must be great than ${minLength - 1} and less than ${MAX_PASSWORD + 1} characters`)
  }
  return password
}

/** Of a grant: a name as a user may write it, or `*`. */
export function nameOrAny(name: string): string {
  return name === '' ? ANY : name
}
