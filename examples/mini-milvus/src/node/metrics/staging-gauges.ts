/** What clients hold back until their flush. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { NodeClock } from '../../edge/system.ts'
import type { ClientStage, Staging } from '../../staging/staging.ts'

/** Clients with the most bytes that are told apart: labels that grow without end would be the monitoring's end. */
const MAX_CLIENTS = 100

export function registerStagingGauges(registry: Registry, { staging, clock }: { readonly staging: Pick<Staging, 'stats' | 'totals'>; readonly clock: Pick<NodeClock, 'now'> }): void {
  const registers = [registry]
  const largest = (): ClientStage[] => [...staging.stats()].sort((a, b) => b.bytes - a.bytes).slice(0, MAX_CLIENTS)
  const byClient = (name: string, help: string, read: (stage: ClientStage) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['client'],
      registers,
      collect() {
        this.reset()
        for (const stage of largest()) this.set({ client: stage.client }, read(stage))
      },
    })
  }
  byClient('timetick_staged_rows', 'Rows that a client has written and not flushed (rule flush).', ({ rows }) => rows)
  byClient('timetick_staged_deletes', 'Keys and predicates that a client has deleted and not flushed.', ({ deletes }) => deletes)
  byClient('timetick_staged_bytes', 'Bytes that a client has written and not flushed.', ({ bytes }) => bytes)
  byClient('timetick_staged_spilled_bytes', 'Of these, bytes on disk.', ({ spilledBytes }) => spilledBytes)
  const one = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }
  one('timetick_staged_bytes_all', 'Bytes that all clients together have written and not flushed.', () => staging.totals().bytes)
  one('timetick_staged_clients', 'Clients with staged work.', () => staging.totals().clients)
  one('timetick_staged_oldest_seconds', 'Age of the oldest write that waits for its flush.', () => {
    const oldest = staging.stats().reduce((least, { since }) => Math.min(least, since), Infinity)
    return oldest === Infinity ? 0 : Math.max(0, (clock.now() - oldest) / 1000)
  })
  const counted = (name: string, help: string, read: () => number): void => {
    let told = 0
    new Counter({
      name,
      help,
      registers,
      collect() {
        const now = read()
        this.inc(now - told)
        told = now
      },
    })
  }
  counted('timetick_staged_commits_total', 'Flushes that committed something.', () => staging.totals().commits)
  counted('timetick_staged_committed_rows_total', 'Rows that flushes committed.', () => staging.totals().committedRows)
  counted('timetick_staged_discards_total', 'Stages that were dropped: their client went, or what they were for.', () => staging.totals().discards)
  counted('timetick_staged_discarded_rows_total', 'Rows that were dropped so.', () => staging.totals().discardedRows)
}
