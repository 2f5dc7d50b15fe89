/** Removes commit records when no reader can come to their parts again. */
import { positionFromJson, type MsgPositionJson } from '@timetick/msgstream'
import type { Catalog } from '../coordinator/catalog.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Transactions } from './transactions.ts'

export interface ForgettingOptions {
  readonly transactions: Transactions
  readonly catalog: Pick<Catalog, 'checkpoint'>
  readonly roles: { readonly queryNode: { oldestReader(pchannel: string): bigint | undefined } }
  readonly clock: Pick<NodeClock, 'setTimer'>
  readonly onWarning: (message: string, error: unknown) => void
}

const INTERVAL_MS = 5_000

export function startForgetting({ transactions, catalog, roles, clock, onWarning }: ForgettingOptions): { close(): Promise<void> } {
  let closed = false
  let running: Promise<void> = Promise.resolve()
  let cancel: (() => void) | undefined
  /** The data node begins at the checkpoint at the next start, and so will a query node; the one that runs must have passed, too. */
  const passed = (channel: string): bigint => {
    const checkpoint = catalog.checkpoint(channel)
    const read = roles.queryNode.oldestReader(channel) ?? 0n
    const kept = checkpoint === undefined ? 0n : positionFromJson(JSON.parse(checkpoint) as MsgPositionJson).timestamp
    return kept < read ? kept : read
  }
  const schedule = (): void => {
    cancel = clock.setTimer(() => {
      running = (transactions.size === 0 ? Promise.resolve() : transactions.forget(passed)).catch((error: unknown) => {
        if (!closed) onWarning('commit records could not be removed', error)
      })
      void running.then(() => {
        if (!closed) schedule()
      })
    }, INTERVAL_MS)
  }
  schedule()
  return {
    async close() {
      closed = true
      cancel?.()
      transactions.close()
      await running
    },
  }
}
