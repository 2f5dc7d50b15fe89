/** The clients of one proxy: who is connected, in which order their calls go, and what happens to those who go. */
import { PermissionError } from '../server/auth-errors.ts'
import type { CallContext } from '../server/handlers.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { ClientCalls } from './calls.ts'
import { clientInfoOf } from './client.ts'
import { canBeOrdered, orderClassOf } from './order-class.ts'
import { createClientOrder, type ClientOrder } from './order.ts'
import { ClientRegistry, CrowdedError, type ClientRegistryOptions, ForeignClientError } from './registry.ts'
import type { RuleReader } from './rules.ts'

export interface ClientsOptions extends Omit<ClientRegistryOptions, 'onGone'> {
  readonly rules: RuleReader
  /** Calls of one client that wait for their order. */
  readonly maxWaiting: number
  /** What the client had staged is to be dropped. */
  readonly discard: (client: string) => void
}

export interface Clients extends ClientCalls {
  readonly registry: ClientRegistry
  readonly order: ClientOrder
  readonly rules: RuleReader
  /** Connect's answer is on its way. */
  connected(identifier: bigint, info: Readonly<Record<string, string>>, call: Pick<CallContext, 'peer' | 'principal'>): void
  heartbeat(identifier: bigint, call: Pick<CallContext, 'peer'>): void
  /** Everybody is gone. Idempotent. */
  close(): Promise<void>
}

export function createClients({ rules, maxWaiting, discard, ...options }: ClientsOptions): Clients {
  const registry = new ClientRegistry({ ...options, onGone: discard })
  const order = createClientOrder({ maxWaiting })
  return {
    registry,
    order,
    rules,
    socketOpened: (peer) => registry.socketOpened(peer),
    socketClosed: (peer) => registry.socketClosed(peer),
    // The authorization is part of the name: nobody else's calls, that may never be complete, get between a client's own.
    draw: (rpc, identifier, authorization = '', peer) => (canBeOrdered(rpc) ? order.draw(`${identifier ?? peer} ${authorization}`) : undefined),
    enter(rpc, { identifier, peer }, principal) {
      if (identifier === undefined && !canBeOrdered(rpc)) return undefined
      return refusing(() => registry.enter(identifier === undefined ? undefined : String(identifier), peer, principal?.name))
    },
    leave: (client) => registry.leave(client),
    inOrder(ticket, rpc, request, call) {
      const kind = orderClassOf(rules, rpc, request, call, () => ticket.isBehind())
      if (kind !== undefined) return ticket.enter(kind, call.signal)
      ticket.leave()
      return undefined
    },
    connected(identifier, info, { peer, principal }) {
      refusing(() => registry.connected(String(identifier), clientInfoOf(info), peer, principal?.name))
    },
    heartbeat(identifier, { peer }) {
      const client = registry.find(String(identifier), peer)
      if (client !== undefined) registry.heartbeat(client)
    },
    async close() {
      registry.close()
    },
  }
}

function refusing<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof CrowdedError) throw new MilvusError(Code.RateLimit, error.message)
    if (error instanceof ForeignClientError) throw new PermissionError(error.message)
    throw error
  }
}
