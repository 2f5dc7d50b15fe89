/** Parameters of a process that is one of several. */
import type { GlobalParamsTable, ParamDeclaration } from '@timetick/paramtable'
import { type ClusterRole, ROLES } from './membership.ts'

export const clusterDeclarations: readonly ParamDeclaration[] = [
  { key: 'cluster.roles', type: 'list', default: '', doc: 'What this process does in a cluster, by commas: proxy, coordinator, data, query, or all. Unset: everything, alone.' },
  { key: 'cluster.leaseTtl', type: 'durationMs', unit: 'ms', default: 10_000, min: 500, max: 600_000, doc: 'After so long without a sign of life others take over what a process did. Whole seconds on etcd.' },
  { key: 'cluster.callTimeout', type: 'durationMs', unit: 'ms', default: 15_000, min: 100, max: 600_000, doc: 'How long a call looks for the process that can do it, where one has just gone.' },
  { key: 'cluster.commitTimeout', type: 'durationMs', unit: 'ms', default: 10_000, min: 100, max: 600_000, doc: 'How long the owner of a log channel waits for a proxy in the middle of a flush of rule flush; what is written behind it is not seen meanwhile.' },
  { key: 'cluster.internalHost', type: 'string', default: '127.0.0.1', doc: 'Address that other processes of the cluster are listened to on.' },
  { key: 'cluster.internalPort', type: 'int', default: 0, min: 0, max: 65_535, doc: 'Port for other processes of the cluster. 0 takes any free one.' },
  { key: 'cluster.advertiseAddress', type: 'string', default: '', doc: 'host:port by which other processes reach this one; as it listens unless set.' },
  { key: 'cluster.secret', type: 'string', default: '', secret: true, doc: 'All processes of a cluster must have the same; others are refused.' },
  { key: 'cluster.allowOpen', type: 'bool', default: false, doc: 'Processes on other machines may call without a secret or a certificate: everybody who reaches them may do everything.' },
  { key: 'cluster.tls.certPath', type: 'string', default: '', doc: 'Certificate of this process for calls between processes, PEM. With it all of them need one.' },
  { key: 'cluster.tls.keyPath', type: 'string', default: '', doc: 'Its private key, PEM.' },
  { key: 'cluster.tls.caPath', type: 'string', default: '', doc: 'Who must have signed the certificates of the others, PEM.' },
  { key: 'cluster.logRetention', type: 'durationMs', unit: 'ms', default: 60_000, min: 0, max: 86_400_000, doc: 'How long the log is kept when its rows are in segments, for readers that lag.' },
  { key: 'cluster.garbageGrace', type: 'durationMs', unit: 'ms', default: 600_000, min: 1_000, max: 86_400_000, doc: 'How long a file of segments must be nobody’s before it is removed.' },
]

/** Undefined for a process that does everything alone. Throws RangeError for roles that there are not. */
export function clusterRoles(parameters: GlobalParamsTable): readonly ClusterRole[] | undefined {
  const named = parameters.getList('cluster.roles').filter((name) => name !== '')
  if (named.length === 0) return undefined
  const unknown = named.find((name) => name !== 'all' && !(ROLES as readonly string[]).includes(name))
  if (unknown !== undefined) throw new RangeError(`expected \`cluster.roles\` to name ${ROLES.join(', ')} or all, got ${JSON.stringify(unknown.slice(0, 100))}`)
  return named.includes('all') ? ROLES : ROLES.filter((role) => named.includes(role))
}
