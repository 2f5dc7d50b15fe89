/** Addresses that other machines reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** Authorization is on, and root still has the password that everybody knows. */
export class OpenAddressError extends Error {
  override readonly name = 'OpenAddressError'

  constructor(host: string) {
    super(`${host} can be reached from other machines and root has its default password: change it, or set authorization.rootPassword before the first start; to start all the same: --set proxy.allowOpen=true`)
  }
}

/** Processes of a cluster could be called from other machines, by everybody. */
export class OpenClusterError extends Error {
  override readonly name = 'OpenAddressError'

  constructor(address: string) {
    super(`${address} can be reached from other machines and calls between processes of the cluster are neither secret nor signed: set cluster.secret, or cluster.tls.certPath, keyPath and caPath, to the same for all of them; to start all the same: --set cluster.allowOpen=true`)
  }
}
