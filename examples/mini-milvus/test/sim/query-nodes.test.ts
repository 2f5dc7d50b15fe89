/**
 * A node with several query nodes that fail, join and leave, in virtual time under seeded faults. One seed: `SEED=17 npx vitest run test/sim/query-nodes.test.ts`.
 */
import { describe, expect, it } from 'vitest'
import { report } from './seeds.ts'
import { simulateNode } from './simulation.ts'

const ring = process.env['TIMETICK_RING']
const GROUP = 20

function seeds(): number[] {
  const { SEED } = process.env
  if (SEED !== undefined) return [Number(SEED)]
  return Array.from({ length: ring === 'ci' ? 60 : ring === 'soak' ? 5_000 : 10 }, (_, i) => 5_000 + i)
}

describe('several query nodes', () => {
  const all = seeds()
  const counts = new Map<string, number>()
  for (let from = 0; from < all.length; from += GROUP) {
    const group = all.slice(from, from + GROUP)
    it(`keep the promises of one with seeds ${group[0]} to ${group.at(-1)}`, { timeout: 600_000 }, async () => {
      for (const seed of group) {
        const result = await simulateNode({ seed, queryNodes: 3 })
        for (const [name, count] of result.counts) counts.set(name, (counts.get(name) ?? 0) + count)
        if (result.violations.length > 0) throw new Error(report(result))
      }
    })
  }

  it.runIf(process.env['SEED'] === undefined)('reach the rare states', () => {
    const rare = ['query node failed', 'query nodes counted anew', 'crash', 'strong query', 'search', 'count', 'eventual query', 'flush', 'truncate']
    expect(rare.filter((name) => !counts.has(name))).toEqual([])
  })
})
