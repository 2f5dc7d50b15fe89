/** Parameters of users, rights, TLS and the proxy's queues and limits. */
import type { GlobalParamsTable, ParamDeclaration } from '@timetick/paramtable'
import type { ServerLimits } from '../server/limits.ts'
import type { TlsSettings } from '../server/tls.edge.ts'

export const securityDeclarations: readonly ParamDeclaration[] = [
  { key: 'authorization.enabled', type: 'bool', default: false, doc: 'Every call must name a user and password, and needs the right to what it does.' },
  { key: 'authorization.rootPassword', type: 'string', secret: true, default: '', doc: 'Password that the user root gets when users are first made. Milvus unless set.' },
  { key: 'authorization.publicPrivilege', type: 'bool', default: true, doc: 'When roles are first made, everyone may describe collections and indexes (Milvus).' },
  { key: 'authorization.minPasswordLength', type: 'int', default: 0, min: 0, max: 72, doc: 'Least characters of a new password. 0: 8 with authorization, else 6 (Milvus).' },
  { key: 'authorization.maxUsers', type: 'int', default: 100, min: 1, max: 100_000, doc: 'Most users.' },
  { key: 'authorization.maxRoles', type: 'int', default: 100, min: 2, max: 10_000, doc: 'Most roles.' },
  { key: 'tls.mode', type: 'int', default: 0, min: 0, max: 2, doc: '0: no TLS. 1: TLS 1.2 or later. 2: clients need a certificate, too.' },
  { key: 'tls.serverPemPath', type: 'string', default: '', doc: 'Certificate chain of the node, PEM. Read again when the file changes.' },
  { key: 'tls.serverKeyPath', type: 'string', default: '', doc: 'Its private key, PEM.' },
  { key: 'tls.caPemPath', type: 'string', default: '', doc: 'Authorities that client certificates must come from, PEM (mode 2).' },
  { key: 'tls.reloadInterval', type: 'durationMs', unit: 'ms', default: 10_000, min: 50, max: 86_400_000, doc: 'How often the files are looked at for changes.' },
  { key: 'proxy.maxTaskNum', type: 'int', default: 1024, min: 1, max: 1_000_000, doc: 'Calls of a kind (DDL, DML, DQL) that wait for their turn; beyond it they get the rate-limit answer.' },
  { key: 'proxy.ddlConcurrency', type: 'int', default: 16, min: 1, max: 100_000, doc: 'DDL calls that run at once.' },
  { key: 'proxy.dmlConcurrency', type: 'int', default: 512, min: 1, max: 100_000, doc: 'DML calls that run at once.' },
  { key: 'proxy.dqlConcurrency', type: 'int', default: 512, min: 1, max: 100_000, doc: 'DQL calls that run at once.' },
  { key: 'proxy.maxInFlightBytes', type: 'bytes', unit: 'b', default: '256m', min: 1024, max: 64 * 1024 ** 3, doc: 'Bytes of all requests that are being handled; beyond it they get the rate-limit answer.' },
  { key: 'proxy.maxConnections', type: 'int', default: 1000, min: 1, max: 1_000_000, doc: 'Connections.' },
  { key: 'proxy.maxConnectionsPerAddress', type: 'int', default: 100, min: 1, max: 1_000_000, doc: 'Connections from one address other than loopback.' },
  { key: 'proxy.callTimeout', type: 'durationMs', unit: 'ms', default: 300_000, min: 100, max: 86_400_000, doc: 'A call that takes longer is aborted, whatever its client asked for.' },
]

/** Bounds of the public port, as far as they are parameters. */
export function limitsOf(parameters: GlobalParamsTable): Partial<ServerLimits> {
  return {
    maxReceiveBytes: parameters.getBytes('proxy.maxReceiveBytes'),
    maxInFlightBytes: parameters.getBytes('proxy.maxInFlightBytes'),
    maxConnections: parameters.getInt('proxy.maxConnections'),
    maxConnectionsPerAddress: parameters.getInt('proxy.maxConnectionsPerAddress'),
    callTimeoutMs: parameters.getDurationMs('proxy.callTimeout'),
    closeGraceMs: parameters.getDurationMs('proxy.shutdownTimeout'),
  }
}

export function tlsOf(parameters: GlobalParamsTable): TlsSettings | undefined {
  const mode = parameters.getInt('tls.mode')
  if (mode === 0) return undefined
  return {
    certPath: parameters.getString('tls.serverPemPath'),
    keyPath: parameters.getString('tls.serverKeyPath'),
    caPath: mode === 2 ? parameters.getString('tls.caPemPath') : undefined,
    reloadIntervalMs: parameters.getDurationMs('tls.reloadInterval'),
  }
}
