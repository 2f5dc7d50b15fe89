/** The clients of this node. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { createClients, type Clients } from '../clients/clients.ts'
import type { NodeClock } from '../edge/system.ts'
import { clientLimits, serverVisibility } from './client-parameters.ts'
import type { NodeCore } from './core.ts'

export function openClients({ catalog, staging }: Pick<NodeCore, 'catalog' | 'staging'>, parameters: GlobalParamsTable, clock: NodeClock): Clients {
  return createClients({
    ...clientLimits(parameters),
    clock,
    rules: { meta: catalog, serverDefault: serverVisibility(parameters) },
    holders: () => new Set(staging.stats().map(({ client }) => client)),
    discard: (client) => staging.discard(client),
  })
}
