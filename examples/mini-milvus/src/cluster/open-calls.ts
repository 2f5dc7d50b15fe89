/** Calls between processes that know no secret and have no certificates are for one machine only. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { isLoopback, OpenClusterError } from '../node/open-address.ts'

/** Whether calls from and to other machines are allowed. Throws when this process would be one of several machines, and they are not. */
export function checkOpenCalls(parameters: GlobalParamsTable): boolean {
  const isClosed = parameters.getString('cluster.secret') !== '' || parameters.getString('cluster.tls.certPath') !== ''
  if (isClosed || parameters.getBool('cluster.allowOpen')) return true
  const advertised = parameters.getString('cluster.advertiseAddress')
  const hosts = [parameters.getString('cluster.internalHost'), ...(advertised === '' ? [] : [hostOf(advertised)])]
  const open = hosts.find((host) => !isLoopback(host))
  if (open !== undefined) throw new OpenClusterError(open)
  return false
}

/** Of `host:port` and `[host]:port`. */
export function hostOf(address: string): string {
  const colon = address.lastIndexOf(':')
  const host = colon < 0 || address.endsWith(']') ? address : address.slice(0, colon)
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}
