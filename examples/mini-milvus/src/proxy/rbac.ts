/** Handlers of every RPC of users, roles and rights. */
import type { WireHandlers } from '../server/handlers.ts'
import { backupHandlers } from './rbac-backup.ts'
import type { RbacHandlersOptions } from './rbac-context.ts'
import { grantHandlers } from './rbac-grants.ts'
import { userHandlers } from './rbac-users.ts'

export type { RbacHandlersOptions } from './rbac-context.ts'

export function createRbacHandlers(options: RbacHandlersOptions): WireHandlers {
  return { ...userHandlers(options), ...grantHandlers(options), ...backupHandlers(options) }
}
