import { KVError } from '../../src/index.ts'
import { createMemoryKV } from '../../src/memory.ts'
import type { SimulatedStore } from './scenario.ts'
import type { World } from './world.ts'

/** The memory store with delays, refusals, lost answers, cut watches and a short memory. */
export function memoryStore(world: World): SimulatedStore {
  const rates = { refused: world.chance(0.5) ? 0.1 : 0, lost: world.chance(0.5) ? 0.1 : 0, cutMs: world.between(50, 500) }
  let healed = false
  const kv = createMemoryKV({
    clock: world.clock,
    maxHistory: world.chance(0.5) ? 5 : 1000,
    maxWatchLagBytes: world.chance(0.3) ? 300 : 1e6,
    faults: {
      async before() {
        await world.sleep(world.between(0, 5))
        if (!healed && world.chance(rates.refused)) throw new KVError('KV_UNAVAILABLE', 'refused on purpose', { outcome: 'not-applied' })
      },
      async after(operation) {
        await world.sleep(world.between(0, 5))
        if (!healed && world.chance(rates.lost)) throw new KVError('KV_TIMEOUT', 'lost on purpose', { outcome: operation.write ? 'unknown' : undefined })
      },
    },
  })
  const cut = (): void => {
    if (healed) return
    world.note('cut')
    kv.cutWatches()
    world.after(rates.cutMs, cut)
  }
  world.after(rates.cutMs, cut)
  return { kv, heal: () => void (healed = true) }
}
