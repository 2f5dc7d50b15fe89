/** Calls in the order of their headers: a small request that follows a large one on the same connection is complete before it. */
import * as grpc from '@grpc/grpc-js'
import type { ClientCalls } from '../clients/calls.ts'
import type { Ticket } from '../clients/order.ts'

export interface Arrivals {
  readonly interceptor: grpc.ServerInterceptor
  /** The ticket that was drawn for the call with this metadata. Who takes it leaves it in the end. */
  take(metadata: grpc.Metadata): Ticket | undefined
}

interface Arrival {
  readonly ticket: Ticket
  isTaken: boolean
}

export function createArrivals(clients: Pick<ClientCalls, 'draw'>): Arrivals {
  const arrivals = new WeakMap<grpc.Metadata, Arrival>()
  const interceptor: grpc.ServerInterceptor = ({ path }, call) => {
    const rpc = path.slice(path.lastIndexOf('/') + 1)
    let arrival: Arrival | undefined
    return new grpc.ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, passOn) {
            const ticket = clients.draw(rpc, identifierOf(textOf(metadata, 'identifier'))?.toString(), textOf(metadata, 'authorization'), call.getPeer())
            if (ticket !== undefined) arrivals.set(metadata, (arrival = { ticket, isTaken: false }))
            passOn(metadata)
          },
          // Also when the call ended before its request was complete: nobody will take the ticket then.
          onCancel() {
            if (arrival?.isTaken === false) arrival.ticket.leave()
          },
        })
      },
    })
  }
  return {
    interceptor,
    take(metadata) {
      const arrival = arrivals.get(metadata)
      if (arrival !== undefined) arrival.isTaken = true
      return arrival?.ticket
    },
  }
}

function textOf(metadata: grpc.Metadata, name: string): string | undefined {
  const [value] = metadata.get(name)
  return typeof value === 'string' ? value : undefined
}

/** 0 is what SDKs send when Connect was refused: it names nobody. */
export function identifierOf(text: string | undefined): bigint | undefined {
  return text !== undefined && text !== '0' && /^\d{1,19}$/.test(text) ? BigInt(text) : undefined
}
