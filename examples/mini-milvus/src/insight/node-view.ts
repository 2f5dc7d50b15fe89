/** What insight watches at the node's calls and clients. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { ClientRegistry } from '../clients/registry.ts'
import type { NodeClock } from '../edge/system.ts'
import type { HandlerTable } from '../server/handlers.ts'
import type { Staging } from '../staging/staging.ts'
import { CallBoard } from './call-board.ts'
import { createClientsSeen, type ClientsSeen } from './clients.ts'

export interface NodeView {
  readonly board: CallBoard
  readonly clients: ClientsSeen
  readonly staging: Pick<Staging, 'totals'>
  /** The same handlers; their calls are seen. */
  handlers(table: HandlerTable): HandlerTable
}

export interface NodeViewOptions {
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly registry: ClientRegistry
  readonly staging: Pick<Staging, 'totals' | 'stats'>
}

export function createNodeView({ parameters, clock, registry, staging }: NodeViewOptions): NodeView {
  const board = new CallBoard({ clock, slowMs: () => parameters.getDurationMs('insight.slowCall') })
  return { board, staging, clients: createClientsSeen(registry, staging, clock), handlers: (table) => board.handlers(table) }
}
