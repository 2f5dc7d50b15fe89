/** What the ports and the dispatch of calls ask of the clients' registry and their order. */
import type { CallContext, Principal, RpcName } from '../server/handlers.ts'
import type { Client } from './client.ts'
import type { Ticket } from './order.ts'

export interface ClientCalls {
  /** Sockets by `ip:port`. */
  socketOpened(peer: string): void
  socketClosed(peer: string): void
  /** The next call of a client, when its headers have arrived; undefined for methods that have no part in any order. */
  draw(rpc: string, identifier: string | undefined, authorization: string | undefined, peer: string): Ticket | undefined
  /** Whose call it is; undefined for calls without an identifier that do nothing to data. Who enters leaves. Throws MilvusError or PermissionError. */
  enter(rpc: RpcName, call: Pick<CallContext, 'identifier' | 'peer'>, principal: Principal | undefined): Client | undefined
  leave(client: Client): void
  /** Undefined: the call may go on; else when it may. Gives the ticket of a call back that has no part in the order. */
  inOrder(ticket: Ticket, rpc: RpcName, request: object, call: CallContext): Promise<void> | undefined
}
