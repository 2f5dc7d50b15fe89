/** Whole clusters in virtual time under seeded faults. One seed: `SEED=17 npx vitest run test/cluster/simulation.test.ts`. */
import { describe, expect, it } from 'vitest'
import { report } from '../sim/seeds.ts'
import { simulateNode, type SimulationResult } from '../sim/simulation.ts'
import { SimulatedCluster } from './sim-cluster.ts'

const ring = process.env['TIMETICK_RING']
const count = ring === 'soak' ? 20_000 : ring === 'ci' ? 500 : 8
const seed = process.env['SEED']
const seeds = seed === undefined ? Array.from({ length: count }, (_, index) => 5_000 + index) : [Number(seed)]
const GROUP = 4

/** Most runs are short: what goes wrong does so soon after a start or a fault, and there are more of them for the same time. */
const stepsOf = (one: number): number => (one % 5 === 0 ? 12 : 4)
const simulate = (one: number, steps = stepsOf(one)): Promise<SimulationResult> => simulateNode({ seed: one, steps, createNodes: (world, settings, plant) => new SimulatedCluster(world, settings, plant) })

describe('a simulated cluster', () => {
  for (let from = 0; from < seeds.length; from += GROUP) {
    const group = seeds.slice(from, from + GROUP)
    it(`keeps its promises with seeds ${group[0]} to ${group.at(-1)}`, { timeout: 600_000 }, async () => {
      for (const one of group) {
        const result = await simulate(one)
        if (result.violations.length > 0) throw new Error(report(result, 'cluster'))
      }
    })
  }

  it('does exactly the same with the same seed', { timeout: 600_000 }, async () => {
    for (let one = 9_000; one < (ring === undefined ? 9_001 : 9_004); one++) {
      const [first, second] = [await simulate(one, 6), await simulate(one, 6)]
      expect([one, second.trace]).toEqual([one, first.trace])
    }
  })
})
