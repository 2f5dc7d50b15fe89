/** A whole node with sixteen clients of rule `flush` and others of rule `milvus`, under faults and crashes, in virtual time. */
import { Clients, Instance } from './clients.ts'
import { Cluster } from './cluster.ts'
import { createRequest, indexRequest } from './requests.ts'
import type { PlantCore, Surviving } from './sim-node.ts'
import type { SimulationResult } from './simulation.ts'
import { AUTO, CommitWatch, KEYED, StageClient } from './stage-client.ts'
import { StageHistory } from './stage-history.ts'
import { World } from './world.ts'

export interface StageSimulationOptions {
  readonly seed: number
  readonly steps?: number | undefined
  readonly clients?: number | undefined
  readonly plant?: PlantCore | undefined
  readonly plantStores?: ((surviving: Surviving, world: World) => Surviving) | undefined
}

const MILVUS = 'm0'
/** Without faults everything is there after so long. */
const PATIENCE_MS = 60_000

export async function simulateStages({ seed, steps = 6, clients = 16, plant, plantStores = (surviving) => surviving }: StageSimulationOptions): Promise<SimulationResult> {
  const world = new World(seed)
  const history = new StageHistory()
  const commits = new CommitWatch()
  const cluster = new Cluster(world, settingsOf(world), plantStores, (core) => commits.watch(plant?.(core, world) ?? core))
  try {
    await world.until(run(world, cluster, history, commits, steps, clients))
  } catch (error) {
    world.violated(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  const { violations, trace, counts, clock } = world
  return { seed, violations: [...violations, ...history.violations()], trace, counts, simulatedMs: clock.monotonic(), recent: world.recent(4_000) }
}

async function run(world: World, cluster: Cluster, history: StageHistory, commits: CommitWatch, steps: number, count: number): Promise<void> {
  await cluster.start()
  const { random } = world
  await make(world, cluster, KEYED, random.integer(1, 3), true)
  await make(world, cluster, AUTO, random.integer(1, 2), true, true)
  await make(world, cluster, MILVUS, 2, false)
  const ids = new Set<string>()
  const clients = Array.from({ length: count }, (_, index) => new StageClient(index + 1, world, cluster, history, ids, commits))
  const milvus = new Instance(MILVUS)
  const others = new Clients(world, cluster)
  let running = clients.length
  const loop = async (client: StageClient): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      await client.step()
      await world.sleep(random.integer(0, 60))
    }
  }
  const disturb = async (): Promise<void> => {
    while (running > 0) {
      await world.sleep(random.integer(50, 900))
      if (running === 0) return
      if (random.chance(0.25)) await others.write(milvus)
      if (random.chance(0.25)) await others.read(milvus)
      if (random.chance(0.12)) {
        cluster.crash()
        await world.sleep(random.integer(0, 200))
        await cluster.start()
      } else if (random.chance(0.05)) {
        await cluster.close()
        world.sometimes('graceful restart')
        await cluster.start()
      } else await cluster.heal()
    }
  }
  await Promise.all([...clients.map((client) => loop(client).finally(() => running--)), disturb()])
  world.faults = false
  // Calls that were struck before end as late as this.
  await world.sleep(5_000)
  await cluster.start()
  await cluster.heal()
  await settle(world, cluster, clients[0] as StageClient)
  for (const client of clients) client.disconnect()
  await world.sleep(3_000)
  await settle(world, cluster, clients[1] as StageClient)
  await untilDone(world, 'query of the collection of rule milvus', () => others.strongQuery(milvus))
  cluster.crash()
  await cluster.start()
  await settle(world, cluster, clients[2] as StageClient)
  // Records of commits go when nobody can come to their parts again.
  for (const name of [KEYED, AUTO]) await untilDone(world, `flush of ${name}`, () => cluster.node.call('Flush', { collection_names: [name] }))
  await cluster.close()
  await cluster.start()
  await settle(world, cluster, clients[3] as StageClient)
  await cluster.close()
}

async function settle(world: World, cluster: Cluster, reader: StageClient): Promise<void> {
  for (const name of [KEYED, AUTO, MILVUS]) {
    await untilDone(world, `load of ${name}`, async () => {
      const { progress } = await cluster.node.call('GetLoadingProgress', { collection_name: name })
      if (progress < 100n) throw new Error(`progress is ${progress}`)
    })
  }
  await untilDone(world, 'read', () => reader.readAll('read at rest'))
}

async function make(world: World, cluster: Cluster, name: string, shards: number, staged: boolean, autoId = false): Promise<void> {
  await untilDone(world, `create ${name}`, async () => {
    const { value } = await cluster.node.call('HasCollection', { collection_name: name })
    const properties = staged ? [{ key: 'timetick.visibility', value: 'flush' }] : []
    if (value !== true) await cluster.node.call('CreateCollection', { ...createRequest(name, shards, autoId), properties })
    await cluster.node.call('CreateIndex', indexRequest(name))
    await cluster.node.call('LoadCollection', { collection_name: name })
  })
}

async function untilDone(world: World, what: string, work: () => Promise<unknown>): Promise<void> {
  const begun = world.clock.monotonic()
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (!world.faults && world.clock.monotonic() - begun > PATIENCE_MS) return world.violated(`without faults: ${what} fails: ${String(error)}`)
      await world.sleep(100)
    }
  }
}

function settingsOf({ random }: World): Record<string, string> {
  return {
    'rootCoord.dmlChannelNum': String(random.integer(1, 3)),
    'indexNode.minRows': '1000',
    'dataNode.sealBytes': random.pick(['2k', '128m']),
    'dataNode.sealIdle': random.pick(['500ms', '10m']),
    'proxy.timeTickInterval': random.pick(['20ms', '200ms']),
    'clients.grace': '100ms',
  }
}
