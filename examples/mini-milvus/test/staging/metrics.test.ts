/** Staged work as Prometheus sees it. */
import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { registerStagingGauges } from '../../src/node/metrics/staging-gauges.ts'
import type { ClientStage, StagingTotals } from '../../src/staging/staging.ts'

it('tells rows and bytes of each client, commits, discards and the oldest stage; a client that has nothing is not told of any more', async () => {
  const registry = new Registry()
  let stages: ClientStage[] = [
    { client: 'c1', collectionIds: [1n], rows: 30, deletes: 2, bytes: 900, spilledBytes: 100, since: 40_000 },
    { client: 'c2', collectionIds: [1n, 2n], rows: 5, deletes: 0, bytes: 50, spilledBytes: 0, since: 55_000 },
  ]
  let totals: StagingTotals = { clients: 2, rows: 35, bytes: 950, spilledBytes: 100, commits: 3, committedRows: 70, discards: 1, discardedRows: 9 }
  registerStagingGauges(registry, { staging: { stats: () => stages, totals: () => totals }, clock: { now: () => 60_000 } })
  const lines = async (): Promise<string[]> => (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  expect(await lines()).toEqual(expect.arrayContaining([
    'timetick_staged_rows{client="c1"} 30',
    'timetick_staged_rows{client="c2"} 5',
    'timetick_staged_deletes{client="c1"} 2',
    'timetick_staged_bytes{client="c1"} 900',
    'timetick_staged_spilled_bytes{client="c1"} 100',
    'timetick_staged_bytes_all 950',
    'timetick_staged_clients 2',
    'timetick_staged_oldest_seconds 20',
    'timetick_staged_commits_total 3',
    'timetick_staged_committed_rows_total 70',
    'timetick_staged_discards_total 1',
    'timetick_staged_discarded_rows_total 9',
  ]))
  stages = stages.slice(1)
  totals = { ...totals, clients: 1, commits: 4, discards: 1 }
  const later = await lines()
  expect(later.some((line) => line.includes('client="c1"'))).toBe(false)
  expect(later).toEqual(expect.arrayContaining(['timetick_staged_oldest_seconds 5', 'timetick_staged_commits_total 4', 'timetick_staged_discards_total 1']))
})
