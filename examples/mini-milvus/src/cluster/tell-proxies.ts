/** News for all proxies: a call that changed something is over when none of them takes it for what it was before. */
import { askProxies, type ProxiesOptions } from './each-proxy.ts'

export interface Tidings extends ProxiesOptions {
  readonly mirror: string
  readonly revision: bigint
}

/**
 * Resolves when each proxy that is registered says that it knows, or is gone. One that says nothing for the time of a lease has renewed it
 * meanwhile, at the store that tells it of the change too, or serves no more. Rejects when nobody can tell who is registered.
 */
export async function tellProxies(tidings: Tidings): Promise<void> {
  const { mirror, revision } = tidings
  await askProxies(tidings, (api, timeoutMs) => api.awaitMeta({ revision, mirror }, { timeoutMs }))
}
