/** Parameters of clients: when one counts as gone, and which rule of visibility holds. */
import type { GlobalParamsTable, ParamDeclaration } from '@timetick/paramtable'
import type { ClientsOptions } from '../clients/clients.ts'
import type { Visibility } from '../staging/visibility.ts'

export const clientDeclarations: readonly ParamDeclaration[] = [
  { key: 'clients.grace', type: 'durationMs', unit: 'ms', default: 1500, min: 0, max: 3_600_000, doc: 'A client of which no connection is left for so long is gone: what it has not flushed is dropped.' },
  { key: 'clients.heartbeatTimeout', type: 'durationMs', unit: 'ms', default: 30_000, min: 10, max: 86_400_000, doc: 'A client that sends heartbeats is gone when nothing is heard of it for so long: three of the SDKs’ intervals.' },
  { key: 'clients.lease', type: 'durationMs', unit: 'ms', default: 86_400_000, min: 10, max: 30 * 86_400_000, doc: 'Any client is gone when nothing is heard of it for so long (Milvus: a day).' },
  { key: 'clients.max', type: 'int', default: 10_000, min: 1, max: 1_000_000, doc: 'Clients that are known at once. Beyond it the most silent one that holds nothing makes room; where there is none, calls get the rate-limit answer.' },
  { key: 'clients.maxPipelined', type: 'int', default: 1024, min: 1, max: 1_000_000, doc: 'Calls of one client that wait for calls before them, under rule flush; beyond it they get the rate-limit answer.' },
  { key: 'clients.sessionTtl', type: 'durationMs', unit: 'ms', default: 60_000, min: 10, max: 86_400_000, doc: 'A session over REST ends when it is not used for so long: what it has not flushed is dropped.' },
  { key: 'clients.maxSessions', type: 'int', default: 1000, min: 1, max: 1_000_000, doc: 'Sessions over REST that are open at once.' },
]

export function serverVisibility(parameters: GlobalParamsTable): Visibility {
  return parameters.getString('common.visibility') === 'flush' ? 'flush' : 'milvus'
}

export function clientLimits(parameters: GlobalParamsTable): Pick<ClientsOptions, 'graceMs' | 'heartbeatTimeoutMs' | 'leaseMs' | 'maxClients' | 'maxWaiting'> {
  return {
    graceMs: parameters.getDurationMs('clients.grace'),
    heartbeatTimeoutMs: parameters.getDurationMs('clients.heartbeatTimeout'),
    leaseMs: parameters.getDurationMs('clients.lease'),
    maxClients: parameters.getInt('clients.max'),
    maxWaiting: parameters.getInt('clients.maxPipelined'),
  }
}
