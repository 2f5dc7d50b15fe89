/** Who is connected, and who is gone. */
import { Gauge, type Registry } from 'prom-client'
import type { NodeClients } from '../clients.ts'

export function registerClientGauges(registry: Registry, { registry: clients, order, sessions }: Pick<NodeClients, 'registry' | 'order' | 'sessions'>): void {
  const one = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
  one('timetick_clients', 'Clients that are connected.', () => clients.size)
  one('timetick_client_sockets', 'HTTP/2 connections.', () => clients.socketCount)
  one('timetick_client_sessions', 'Sessions over REST.', () => sessions.size)
  one('timetick_client_ordered_calls', 'Calls that have a place in their client’s order.', () => order.size)
  new Gauge({
    name: 'timetick_clients_gone',
    help: 'Clients that are gone, by what was missing of them: sockets, heartbeat, lease; crowded: others needed the place.',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      for (const [reason, count] of clients.gone) this.set({ reason }, count)
    },
  })
}
