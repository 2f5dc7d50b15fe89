/** The clients of this node. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { createClients, type Clients } from '../clients/clients.ts'
import { newSessionId } from '../clients/edge.ts'
import { createRestSessions, type RestSessions } from '../clients/rest-sessions.ts'
import type { RuleReader } from '../clients/rules.ts'
import type { NodeClock } from '../edge/system.ts'
import { clientLimits, serverVisibility } from './client-parameters.ts'
import type { NodeCore } from './core.ts'

export interface NodeClients extends Clients {
  readonly sessions: RestSessions
}

export interface ClientsOf extends Pick<NodeCore, 'staging'> {
  readonly catalog: RuleReader['meta']
  /** The catalog follows what others write. */
  readonly mayLag?: boolean | undefined
}

export function openClients({ catalog, staging, mayLag }: ClientsOf, parameters: GlobalParamsTable, clock: NodeClock): NodeClients {
  const clients = createClients({
    ...clientLimits(parameters),
    clock,
    rules: { meta: catalog, serverDefault: serverVisibility(parameters), mayLag },
    holders: () => new Set(staging.stats().map(({ client }) => client)),
    discard: (client) => staging.discard(client),
  })
  const sessions = createRestSessions({
    clock,
    staging,
    order: clients.order,
    ttlMs: parameters.getDurationMs('clients.sessionTtl'),
    maxSessions: parameters.getInt('clients.maxSessions'),
    newId: newSessionId,
  })
  return {
    ...clients,
    sessions,
    async close() {
      sessions.close()
      await clients.close()
    },
  }
}
