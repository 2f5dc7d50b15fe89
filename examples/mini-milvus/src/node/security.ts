/** Who may do what on this node: users and rights as stored, the gate in front of every call, the queues behind it. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { MetaReader } from '../coordinator/api.ts'
import type { OpenRecords } from '../coordinator/record-store.ts'
import { Permissions } from '../coordinator/permissions.ts'
import { openRbac, type Rbac } from '../coordinator/rbac.ts'
import { ResourceGroups } from '../coordinator/resource-groups.ts'
import type { NodeClock } from '../edge/system.ts'
import { DEFAULT_ROOT_PASSWORD, ROOT_USER } from '../model/rbac.ts'
import { createRbacHandlers } from '../proxy/rbac.ts'
import { createIndexedSegmentHandlers } from '../proxy/indexed-segments.ts'
import { checkLoads, createResourceGroupHandlers } from '../proxy/resource-groups.ts'
import { Authenticator } from '../server/authenticator.ts'
import { createGate } from '../server/gate.ts'
import { allowAll, type Gate, type HandlerTable } from '../server/handlers.ts'
import { Passwords } from '../server/passwords.ts'
import { createTaskQueues, type TaskQueues, withQueues } from '../server/task-queue.ts'
import type { NodeCore } from './core.ts'
import type { QueryNodes } from './query-role.ts'
import type { NodeLogger } from './logger.ts'
import { OpenAddressError, isLoopback } from './open-address.ts'

export interface SecurityOptions {
  readonly core: Pick<NodeCore, 'stores'> & { readonly catalog: MetaReader; readonly roles: { readonly queryNode: QueryNodes } }
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly logger: NodeLogger
  /** Where several proxies share users, rights and resource groups. @default of this process alone */
  readonly openRecords?: OpenRecords | undefined
}

export interface Security {
  readonly gate: Gate
  readonly queues: TaskQueues
  /** Databases were made or dropped: grants follow. */
  readonly databasesChanged: () => Promise<void>
  /** The node's handlers and those of users, rights and resource groups, each in its queue. */
  handlers(others: HandlerTable): HandlerTable
  close(): Promise<void>
}

export async function openSecurity({ core, parameters, clock, logger, openRecords }: SecurityOptions): Promise<Security> {
  const { catalog, stores, roles } = core
  const isEnabled = parameters.getBool('authorization.enabled')
  const passwords = new Passwords()
  const rbac = await openRbac({
    kv: stores.kv,
    openRecords,
    meta: catalog,
    rootPassword: isEnabled ? () => passwords.hash(rootPassword(parameters)) : undefined,
    publicPrivilege: parameters.getBool('authorization.publicPrivilege'),
    onError: (error) => logger.warn({ err: error }, 'grants could not follow a change of collections'),
  })
  try {
    await checkAddress(parameters, rbac, passwords, logger)
    const groups = await ResourceGroups.open({ kv: stores.kv, openRecords, nodeIds: () => roles.queryNode.nodeIds() })
    const { placement } = roles.queryNode
    placement?.useResourceGroups((nodeId) => groups.groupOf(nodeId))
    const authenticator = new Authenticator({ findUser: (name) => rbac.get('user', name), passwords, clock })
    const queues = queuesOf(parameters, clock)
    const own: HandlerTable = {
      ...createRbacHandlers({ rbac, passwords, ...rbacLimits(parameters) }),
      ...createIndexedSegmentHandlers({ meta: catalog }),
      ...createResourceGroupHandlers({ groups, meta: catalog, placement, address: () => `${parameters.getString('proxy.host')}:${parameters.getInt('proxy.port')}` }),
    }
    return {
      gate: isEnabled ? createGate({ authenticator, permissions: new Permissions(rbac), meta: catalog }) : allowAll,
      queues,
      databasesChanged: () => rbac.settle(),
      handlers: (others) => withQueues(checkLoads({ ...others, ...own }, groups, placement), queues),
      async close() {
        await rbac.close()
        await groups.close()
      },
    }
  } catch (error) {
    await rbac.close()
    throw error
  }
}

function rootPassword(parameters: GlobalParamsTable): string {
  const given = parameters.getString('authorization.rootPassword')
  return given === '' ? DEFAULT_ROOT_PASSWORD : given
}

function rbacLimits(parameters: GlobalParamsTable): { minPasswordLength: number; maxUsers: number; maxRoles: number } {
  const asked = parameters.getInt('authorization.minPasswordLength')
  return {
    minPasswordLength: asked > 0 ? asked : parameters.getBool('authorization.enabled') ? 8 : 6,
    maxUsers: parameters.getInt('authorization.maxUsers'),
    maxRoles: parameters.getInt('authorization.maxRoles'),
  }
}

function queuesOf(parameters: GlobalParamsTable, clock: NodeClock): TaskQueues {
  const maxRunning = { ddl: parameters.getInt('proxy.ddlConcurrency'), dml: parameters.getInt('proxy.dmlConcurrency'), dql: parameters.getInt('proxy.dqlConcurrency') }
  return createTaskQueues({ maxWaiting: parameters.getInt('proxy.maxTaskNum'), maxRunning, clock })
}

/** What other machines reach is not left with Milvus's own password, nor silently without any. */
async function checkAddress(parameters: GlobalParamsTable, rbac: Rbac, passwords: Passwords, logger: NodeLogger): Promise<void> {
  const host = parameters.getString('proxy.host')
  if (isLoopback(host)) return
  if (!parameters.getBool('authorization.enabled')) {
    logger.warn({ host }, 'everyone who reaches this address may read, change and delete everything: authorization is off')
    return
  }
  if (parameters.getBool('proxy.allowOpen')) return
  if (await passwords.verify(DEFAULT_ROOT_PASSWORD, rbac.get('user', ROOT_USER))) throw new OpenAddressError(host)
}
