/** A whole node with sixteen clients of rule `flush` and others of rule `milvus`, under faults and crashes, in virtual time. */
import { Clients, Instance } from './clients.ts'
import { Cluster } from './cluster.ts'
import { CommitWatch } from './commit-watch.ts'
import { createRequest, indexRequest } from './requests.ts'
import type { PlantCore, Surviving } from './sim-node.ts'
import type { SimulationResult } from './simulation.ts'
import { AUTO, KEYED, StageClient, type StageScene } from './stage-client.ts'
import { StageDefinitions, untilDone } from './stage-definitions.ts'
import { StageHistory } from './stage-history.ts'
import { StageTurns } from './stage-turns.ts'
import { World } from './world.ts'

export interface StageSimulationOptions {
  readonly seed: number
  readonly steps?: number | undefined
  readonly clients?: number | undefined
  readonly plant?: PlantCore | undefined
  readonly plantStores?: ((surviving: Surviving, world: World) => Surviving) | undefined
}

const MILVUS = 'm0'
/** A run of six steps takes half a minute to two. */
const MAX_MS = 900_000

export async function simulateStages({ seed, steps = 6, clients = 16, plant, plantStores = (surviving) => surviving }: StageSimulationOptions): Promise<SimulationResult> {
  const world = new World(seed)
  const history = new StageHistory()
  const commits = new CommitWatch()
  const cluster = new Cluster(world, settingsOf(world), plantStores, (core) => commits.watch(plant?.(core, world) ?? core))
  try {
    await world.until(run(world, cluster, history, commits, steps, clients), { maxMs: MAX_MS })
  } catch (error) {
    world.violated(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  const { violations, trace, counts, clock } = world
  return { seed, violations: [...violations, ...history.violations()], trace, counts, simulatedMs: clock.monotonic(), recent: world.recent(4_000) }
}

async function run(world: World, cluster: Cluster, history: StageHistory, commits: CommitWatch, steps: number, count: number): Promise<void> {
  await cluster.start()
  const { random } = world
  const added = new Map<string, string[]>()
  const turns = new StageTurns()
  const scene: StageScene = { world, cluster, history, commits, ids: new Set(), added }
  const clients = Array.from({ length: count }, (_, index) => new StageClient(index + 1, scene))
  const definitions = new StageDefinitions(world, cluster, history, turns, clients, added)
  for (const name of [KEYED, AUTO]) await definitions.make(name)
  await makeMilvus(world, cluster)
  const milvus = new Instance(MILVUS)
  const others = new Clients(world, cluster)
  let running = clients.length
  const loop = async (client: StageClient): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      await turns.beside(() => client.step())
      await world.sleep(random.integer(0, 60))
    }
  }
  const define = async (): Promise<void> => {
    while (running > 0) {
      await world.sleep(random.integer(100, 1_500))
      if (running > 0) await definitions.step()
    }
  }
  const end = (go: () => void): void => {
    go()
    history.nodeEnded()
  }
  const disturb = async (): Promise<void> => {
    while (running > 0) {
      await world.sleep(random.integer(50, 900))
      if (running === 0) return
      if (random.chance(0.25)) await others.write(milvus)
      if (random.chance(0.25)) await others.read(milvus)
      if (random.chance(0.12)) {
        end(() => cluster.crash())
        await world.sleep(random.integer(0, 200))
        await cluster.start()
      } else if (random.chance(0.05)) {
        await cluster.close()
        history.nodeEnded()
        world.sometimes('graceful restart')
        await cluster.start()
      } else await cluster.heal()
    }
  }
  await Promise.all([...clients.map((client) => loop(client).finally(() => running--)), disturb(), define()])
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

async function makeMilvus(world: World, cluster: Cluster): Promise<void> {
  await untilDone(world, `create ${MILVUS}`, async () => {
    const { value } = await cluster.node.call('HasCollection', { collection_name: MILVUS })
    if (value !== true) await cluster.node.call('CreateCollection', createRequest(MILVUS, 2))
    await cluster.node.call('CreateIndex', indexRequest(MILVUS))
    await cluster.node.call('LoadCollection', { collection_name: MILVUS })
  })
}

function settingsOf({ random }: World): Record<string, string> {
  return {
    'rootCoord.dmlChannelNum': String(random.integer(1, 3)),
    'indexNode.minRows': '1000',
    'dataNode.sealBytes': random.pick(['2k', '128m']),
    'dataNode.sealIdle': random.pick(['500ms', '10m']),
    'proxy.timeTickInterval': random.pick(['50ms', '200ms']),
    'clients.grace': '100ms',
  }
}
