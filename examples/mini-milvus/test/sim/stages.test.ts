/**
 * Rule `flush` under faults and crashes. One seed: `SEED=17 npx vitest run test/sim/stages.test.ts`. As many as wanted, from seed `FROM` on:
 * `TIMETICK_RING=soak SEEDS=20000 FROM=1000 npx vitest run test/sim/stages.test.ts`.
 */
import { describe, expect, it } from 'vitest'
import { report } from './seeds.ts'
import { simulateStages } from './stage-simulation.ts'

const ring = process.env['TIMETICK_RING']
const seed = process.env['SEED']
const count = seed !== undefined ? 1 : ring === 'ci' ? 60 : ring === 'soak' ? Number(process.env['SEEDS'] ?? 500) : 20
const from = Number(process.env['FROM'] ?? 1)
const seeds = Array.from({ length: count }, (_, index) => (seed === undefined ? from + index : Number(seed)))
const GROUP = 20

/** Rare states that a run must reach, or it proves less than it says. */
const RARE = [
  'crash', 'graceful restart', 'staged', 'discard', 'flush', 'flush refused', 'a flush in doubt', 'calls without a wait', 'search', 'kv refused', 'kv answer lost', 'log refused',
  'add field', 'drop collection', 'drop partition', 'truncate', 'partial upsert', 'staged work dropped by a definition', 'identifier', 'reconnect within the grace', 'reconnect after the grace',
  'read at level 0', 'read at level 2', 'read at level 3', 'strong query',
]
const counts = new Map<string, number>()

describe('clients of rule flush', () => {
  for (let at = 0; at < seeds.length; at += GROUP) {
    const group = seeds.slice(at, at + GROUP)
    it(`see whole flushes and nothing else with seeds ${group[0]} to ${group.at(-1)}`, { timeout: 600_000 }, async () => {
      for (const one of group) {
        const result = await simulateStages({ seed: one })
        for (const [name, times] of result.counts) counts.set(name, (counts.get(name) ?? 0) + times)
        if (result.violations.length > 0) throw new Error(report(result))
      }
    })
  }

  it.runIf(seed === undefined)('reach the rare states', () => {
    expect(RARE.filter((name) => !counts.has(name))).toEqual([])
  })
})
