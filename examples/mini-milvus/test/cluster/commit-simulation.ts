/** Seeded commits of several proxies over two to four channels, whose owners die, sleep and are replaced. */
import { World } from '../sim/world.ts'
import { CommitKit, type CommitKitOptions } from './commit-kit.ts'

export interface CommitSimulation {
  readonly violations: readonly string[]
  readonly counts: ReadonlyMap<string, number>
  readonly recent: string
  /** Equal for equal runs. */
  readonly trace: string
}

export async function simulateCommits(seed: number, { plant, steps = 12 }: { readonly plant?: CommitKitOptions['plant']; readonly steps?: number | undefined } = {}): Promise<CommitSimulation> {
  const world = new World(seed)
  const { stackTraceLimit } = Error
  if (process.env['SEED'] === undefined) Error.stackTraceLimit = 0
  try {
    await world.until(run(world, plant, steps), { maxMs: 1_200_000 })
  } catch (error) {
    world.violated(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  return { violations: world.violations, counts: world.counts, recent: world.recent(2_000), trace: world.trace }
}

async function run(world: World, plant: CommitKitOptions['plant'], steps: number): Promise<void> {
  const { random } = world
  const kit = new CommitKit(world, { channels: random.integer(2, 4), plant })
  await kit.start()
  let lastKey = 0n
  let running = 3
  const proxy = async (): Promise<void> => {
    let present = kit.createProxy()
    for (let step = 0; step < steps; step++) {
      await world.sleep(random.integer(0, 300))
      const keys = Array.from({ length: random.integer(1, 12) }, () => (lastKey += 1n))
      const abort = new AbortController()
      if (random.chance(0.1)) void world.sleep(random.integer(0, 200)).then(() => abort.abort(new Error('the client went')))
      const isDoomed = random.chance(0.2)
      const { life } = present
      if (isDoomed) void world.sleep(random.integer(0, random.pick([20, 200, 2_000]))).then(() => (world.sometimes('death of a proxy'), life.kill()))
      else if (random.chance(0.1)) void world.sleep(random.integer(0, 40)).then(() => pause(world, life))
      await kit.commit(present, keys, abort.signal)
      if (isDoomed) present = kit.createProxy()
    }
    running--
  }
  const disturb = async (): Promise<void> => {
    while (running > 0) {
      await world.sleep(random.integer(10, 1_500))
      const channel = random.pick(kit.channels)
      const roll = random.integer(0, 5)
      if (roll <= 1) {
        world.sometimes('death of an owner')
        await kit.takeOver(channel)
      } else if (roll === 2) {
        // It sleeps through the end of its lease, and wakes.
        const life = kit.owners.get(channel)?.life
        if (life !== undefined) void pause(world, life)
        await kit.takeOver(channel, false)
      } else if (roll === 3) {
        const life = kit.owners.get(channel)?.life
        if (life !== undefined) void pause(world, life)
      } else if (roll === 4) await kit.changeCollection()
      else await kit.write(channel)
    }
  }
  await Promise.all([proxy(), proxy(), proxy(), disturb()])
  await kit.verdict()
  kit.close()
}

async function pause(world: World, life: { pause(): void; resume(): void }): Promise<void> {
  world.sometimes('pause')
  life.pause()
  await world.sleep(world.random.integer(50, 8_000))
  life.resume()
}
