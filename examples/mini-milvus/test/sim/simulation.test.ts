/** Whole nodes in virtual time under seeded faults. One seed: `SEED=17 npx vitest run test/sim/simulation.test.ts`. */
import { describe, expect, it } from 'vitest'
import { report, seedsOf } from './seeds.ts'
import { simulateNode, type SimulationResult } from './simulation.ts'

const ring = process.env['TIMETICK_RING']
const seeds = seedsOf(ring, process.env['SEED'])
/** Seeds a test: what is lost when one fails, and how much of a test runner's patience is used. */
const GROUP = 25

/** Rare states that a run over many seeds must reach, or it proves less than it says. */
const RARE = [
  'crash', 'graceful restart', 'clock jump', 'start failed', 'drop', 'truncate', 'flush', 'load', 'release', 'compaction', 'count', 'search',
  'strong query', 'session query', 'bounded query', 'eventual query', 'no answer', 'a key in doubt was read', 'buggify small reads',
  'kv refused', 'kv answer lost', 'log refused', 'power lost', 'refused with 9', 'storage refused', 'storage answer lost', 'insert answered', 'upsert answered', 'delete answered',
]
const counts = new Map<string, number>()
let simulatedMs = 0

async function simulate(seed: number): Promise<SimulationResult> {
  const result = await simulateNode({ seed })
  simulatedMs += result.simulatedMs
  for (const [name, count] of result.counts) counts.set(name, (counts.get(name) ?? 0) + count)
  return result
}

describe('a simulated node', () => {
  for (let from = 0; from < seeds.length; from += GROUP) {
    const group = seeds.slice(from, from + GROUP)
    it(`keeps its promises (D2, D3, D4) with seeds ${group[0]} to ${group.at(-1)}`, { timeout: 600_000 }, async () => {
      for (const seed of group) {
        const result = await simulate(seed)
        if (result.violations.length > 0) throw new Error(report(result))
      }
    })
  }

  it('does exactly the same with the same seed', { timeout: 600_000 }, async () => {
    const twice = ring === 'ci' || ring === 'soak' ? 200 : 8
    for (let seed = 2_000; seed < 2_000 + twice; seed++) {
      const [first, second] = [await simulateNode({ seed, steps: 10 }), await simulateNode({ seed, steps: 10 })]
      expect([seed, second.trace]).toEqual([seed, first.trace])
    }
  })

  it.runIf(process.env['SEED'] === undefined)('reaches the rare states', () => {
    const reached = [...counts.keys()]
    expect(RARE.filter((name) => !reached.some((key) => key === name || key.endsWith(` ${name}`)))).toEqual([])
    expect(simulatedMs).toBeGreaterThan(seeds.length * 5_000)
  })
})
