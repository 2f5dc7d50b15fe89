/** Stores in simulated time, from seeds: `SEED=<n> npx vitest run test/simulation`. */
import { describe, expect, it } from 'vitest'
import { ring } from './services.edge.ts'
import { etcdStore, type EtcdBugs } from './sim/etcd-store.ts'
import { lmdbStore, type LmdbBugs } from './sim/lmdb-store.ts'
import { memoryStore } from './sim/memory-store.ts'
import { simulate, type SimulatedStore } from './sim/scenario.ts'
import { World } from './sim/world.ts'

/** Seeds that failed once; they run first. 136: an unanswered create was sent again after others had removed what it made. */
const REMEMBERED: readonly number[] = [136]
const SEEDS = { ci: 800, soak: 40_000 }[ring] ?? 60
const LIMIT_MS = 300_000
const only = process.env['SEED'] === undefined ? undefined : Number(process.env['SEED'])

type MakeStore = (world: World) => SimulatedStore

async function run(make: MakeStore, seed: number): Promise<World> {
  const world = new World(seed)
  await world.run(simulate(world, make(world)), LIMIT_MS)
  return world
}

function seeds(count: number): number[] {
  if (only !== undefined) return [only]
  return [...REMEMBERED, ...Array.from({ length: count }, (_, index) => index + 1)]
}

const stores: readonly { readonly name: string; readonly make: MakeStore; readonly states: readonly string[] }[] = [
  { name: 'memory', make: memoryStore, states: ['cut', 'compacted', 'resumed', 'listed', 'lease over', 'save failed'] },
  { name: 'lmdb', make: (world) => lmdbStore(world), states: ['crash', 'compacted', 'applied by a crash', 'eio', 'resumed', 'lease over', 'save failed'] },
  { name: 'etcd', make: (world) => etcdStore(world), states: ['lost', 'cut', 'down', 'compaction', 'compacted', 'fragment', 'lease over', 'save failed', 'compareAndSave failed'] },
]

const bugs: Readonly<Record<string, MakeStore>> = Object.fromEntries([
  ...(['earlyAnswer', 'torn', 'hidesFailure', 'losesLog', 'hidesCompaction', 'staleReads'] satisfies (keyof LmdbBugs)[])
    .map((name): [string, MakeStore] => [`lmdb: ${name}`, (world) => lmdbStore(world, { [name]: true })]),
  ...(['repeatsWrites', 'resumesAtHeader', 'dropsEvents', 'splitsRevisions', 'staleReads'] satisfies (keyof EtcdBugs)[])
    .map((name): [string, MakeStore] => [`etcd: ${name}`, (world) => etcdStore(world, { [name]: true })]),
])

for (const { name, make, states } of stores) {
  describe(`simulation of ${name}`, () => {
    it(`keeps its promises under ${SEEDS} seeds and reaches the rare states`, { timeout: 600_000 }, async () => {
      const reached = new Set<string>()
      for (const seed of seeds(SEEDS)) {
        const world = await run(make, seed).catch((error: unknown) => {
          throw new Error(`SIM=kv-${name} SEED=${seed}: ${String(error)}`, { cause: error })
        })
        for (const state of world.counts.keys()) reached.add(state)
      }
      if (only === undefined) expect(states.filter((state) => !reached.has(state))).toEqual([])
    })

    it('is the same for the same seed', { timeout: 120_000 }, async () => {
      for (const seed of seeds(ring === 'default' ? 20 : 200)) {
        const [one, two] = [await run(make, seed), await run(make, seed)]
        expect(one.trace, `SEED=${seed}`).toEqual(two.trace)
      }
    })
  })
}

describe('planted bugs are found', () => {
  for (const [name, make] of Object.entries(bugs)) {
    it(name, { timeout: 120_000 }, async () => {
      let found = 0
      while (++found <= 500) {
        try {
          await run(make, found)
        } catch {
          break
        }
      }
      expect(found, 'seeds until it was found').toBeLessThanOrEqual(500)
    })
  }
})
