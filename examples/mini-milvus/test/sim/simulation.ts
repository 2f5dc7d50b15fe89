/**
 * A whole node under a seeded schedule of writes, reads, definitions, crashes, restarts, clock jumps and faults of its stores,
 * in virtual time. Then the faults stop: everything must come to rest, and what is there must be what was answered.
 */
import { MilvusError } from '../../src/server/status.ts'
import { Clients, Instance } from './clients.ts'
import { Cluster, type Nodes } from './cluster.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { createRequest, indexRequest } from './requests.ts'
import { disturbQueryNodes, severalNodes } from './query-nodes.ts'
import { NoAnswer, type Surviving } from './sim-node.ts'
import { World } from './world.ts'

export interface SimulationOptions {
  readonly seed: number
  /** Replaces what survives by something broken. */
  readonly plant?: ((surviving: Surviving, world: World) => Surviving) | undefined
  /** Log and objects on a disk that can lose power and be full; by chance unless given. */
  readonly disk?: boolean | undefined
  /** Query nodes at the start; from 2 on they also come, go and fail. */
  readonly queryNodes?: number | undefined
  /** What clients talk to: one node unless given. */
  readonly createNodes?: ((world: World, settings: Readonly<Record<string, string>>, plant: (surviving: Surviving, world: World) => Surviving) => Nodes) | undefined
  /** Of each client. */
  readonly steps?: number | undefined
  /** One broken promise is enough: the run ends there. */
  readonly stopAtFirst?: boolean | undefined
}

export interface SimulationResult {
  readonly seed: number
  readonly violations: readonly string[]
  readonly trace: string
  readonly counts: ReadonlyMap<string, number>
  readonly simulatedMs: number
  /** What happened last. */
  readonly recent: string
}

export async function simulateNode({ seed, plant = (surviving) => surviving, steps = 24, stopAtFirst = false, disk, queryNodes = 1, createNodes }: SimulationOptions): Promise<SimulationResult> {
  const world = new World(seed)
  world.stopAtFirst = stopAtFirst
  const simulation = new Simulation(world, plant, { disk, queryNodes, createNodes })
  const { stackTraceLimit } = Error
  // Errors are made by the thousand where everything fails, and their stacks cost more than they do. Whoever looks at one seed gets them.
  if (process.env['SEED'] === undefined) Error.stackTraceLimit = 0
  try {
    await world.until(simulation.run(steps))
  } catch (error) {
    world.violated(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  const { violations, trace, counts, clock } = world
  return { seed, violations, trace, counts, simulatedMs: clock.monotonic(), recent: world.recent(4000) }
}

/** What was asked for is not there yet. */
class NotYet extends Error {
  override readonly name = 'NotYet'
}

const NAMES = ['c0', 'c1']

class Simulation {
  readonly #world: World
  readonly #cluster: Nodes
  readonly #clients: Clients
  readonly #instances = new Map<string, Instance>()
  readonly #loaded = new Set<string>()
  readonly #allowClockJumps: boolean
  readonly #queryNodes: number
  #running = 0
  /** How far the wall clock is from where it began, and was at most. */
  #jumped = 0
  #highest = 0

  constructor(world: World, plant: NonNullable<SimulationOptions['plant']>, options: Pick<SimulationOptions, 'disk' | 'createNodes'> & { readonly queryNodes: number }) {
    const { random } = world
    this.#world = world
    const settings = settingsOf(world, options.queryNodes)
    this.#queryNodes = options.queryNodes
    const { createNodes } = options
    if (createNodes !== undefined) world.ordersByTime = false
    const disk = createNodes !== undefined ? undefined : (options.disk ?? random.chance(0.4)) ? new FaultyDisk() : undefined
    const survives = (surviving: Surviving): Surviving => ({ ...plant(surviving, world), disk })
    this.#cluster = createNodes === undefined ? new Cluster(world, settings, survives) : createNodes(world, settings, survives)
    this.#clients = new Clients(world, this.#cluster)
    this.#allowClockJumps = random.chance(0.5)
  }

  async run(steps: number): Promise<void> {
    await this.#cluster.start()
    for (const name of NAMES) {
      await this.#create(name)
      // What several query nodes do with it is to be seen, not how often it happens to be loaded.
      if (this.#queryNodes > 1) await this.#loadWhole(name)
    }
    const loops = [this.#writes(steps), this.#writes(steps), this.#reads(steps), this.#reads(steps), this.#definitions(Math.ceil(steps / 2))]
    this.#running = loops.length
    const disturbed = this.#disturb()
    await Promise.all(loops.map((loop) => loop.finally(() => this.#running--)))
    await disturbed
    await this.#finish()
  }

  async #writes(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const instance = this.#some()
      if (instance !== undefined) await this.#clients.write(instance)
      await this.#pause(40)
    }
  }

  async #reads(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const instance = this.#some()
      if (instance !== undefined && this.#loaded.has(instance.name)) await this.#clients.read(instance)
      await this.#pause(40)
    }
  }

  async #definitions(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const { random } = this.#world
      const name = random.pick(NAMES)
      const roll = random.integer(0, 99)
      if (roll < 35) await this.#try('flush', () => this.#cluster.node.call('Flush', { collection_names: [name] }))
      else if (roll < 60) await this.#load(name)
      else if (roll < 68) await this.#release(name)
      else if (roll < 75) await this.#truncate(name)
      else if (roll < 85) await this.#replace(name)
      else if (roll < 92) await this.#try('compaction', () => this.#cluster.node.call('ManualCompaction', { collection_name: name }))
      else await this.#try('statistics', () => this.#cluster.node.call('GetCollectionStatistics', { collection_name: name }))
      await this.#pause(120)
    }
  }

  /** Crashes, restarts and clock jumps, as long as there are clients. */
  async #disturb(): Promise<void> {
    const { random } = this.#world
    while (this.#running > 0) {
      await this.#pause(this.#queryNodes > 1 ? 300 : 1_500)
      if (this.#running === 0) return
      if (this.#queryNodes > 1 && this.#cluster instanceof Cluster && random.chance(0.7)) {
        disturbQueryNodes(this.#world, this.#cluster)
        continue
      }
      const roll = random.integer(0, 9)
      if (roll < 2) {
        this.#cluster.crash()
        await this.#pause(300)
        await this.#cluster.start()
      } else if (roll < 3) {
        await this.#cluster.close()
        this.#world.sometimes('graceful restart')
        await this.#cluster.start()
      } else if (roll < 4 && this.#allowClockJumps) {
        this.#jump(random.pick([-3_600_000, -5_000, -20, 30, 900, 3_600_000]))
      } else if (roll < 6 && this.#cluster.disk !== undefined) await this.#fillDisk(this.#cluster.disk)
      else await this.#cluster.heal()
    }
  }

  #jump(ms: number): void {
    // Further back than this behind what was promised no oracle starts: somebody has to look at the clock.
    if (this.#highest - (this.#jumped + ms) > 3_600_000) return
    this.#jumped += ms
    this.#highest = Math.max(this.#highest, this.#jumped)
    this.#world.note(`clock jumps by ${ms}`)
    this.#world.sometimes('clock jump')
    this.#world.clock.jump(ms)
  }

  /** No space for a while. */
  async #fillDisk(disk: FaultyDisk): Promise<void> {
    this.#world.note('the disk is full')
    disk.roomBytes = this.#world.random.integer(0, 2_000)
    this.#world.diskIsFull = true
    await this.#pause(4_000)
    this.#world.note('there is space again')
    this.#world.diskIsFull = false
    disk.roomBytes = Infinity
  }

  /** Without faults everything comes to rest, and stays what it is through a crash and an orderly restart. */
  async #finish(): Promise<void> {
    this.#world.faults = false
    this.#world.note('the faults stop')
    await this.#cluster.start()
    await this.#cluster.heal()
    for (const instance of this.#instances.values()) await this.#settle(instance)
    this.#cluster.crash()
    await this.#cluster.start()
    for (const instance of this.#instances.values()) await this.#settle(instance)
    for (const name of this.#instances.keys()) await this.#must(`flush of ${name}`, () => this.#cluster.node.call('Flush', { collection_names: [name] }))
    for (const instance of this.#instances.values()) await this.#settle(instance)
    await this.#cluster.close()
    await this.#cluster.start()
    for (const instance of this.#instances.values()) await this.#settle(instance)
    await this.#noGarbage(this.#world.ordersByTime ? 5_000 : 25_000)
    await this.#cluster.close()
  }

  async #settle(instance: Instance): Promise<void> {
    const { name: collection_name } = instance
    await this.#must(`load of ${collection_name}`, () => this.#cluster.node.call('LoadCollection', { collection_name }))
    await this.#must(`loaded state of ${collection_name}`, async () => {
      const { progress } = await this.#cluster.node.call('GetLoadingProgress', { collection_name })
      if (progress < 100n) throw new NotYet(`progress is ${progress}`)
    })
    await this.#must(`query of ${collection_name}`, () => this.#clients.strongQuery(instance))
  }

  /** Files that no metadata names. What crashes left is swept at a start, or by and by. */
  async #noGarbage(patienceMs: number): Promise<void> {
    const { catalog } = this.#cluster.node.core
    const found = (): string[] => this.#cluster.objects().filter((key) => catalog.segment(BigInt(key.split('/')[2] ?? 0)) === undefined)
    for (let waited = 0; waited < patienceMs && found().length > 0; waited += 500) await this.#world.sleep(500)
    for (const key of found()) this.#world.violated(`${key} belongs to no segment`)
  }

  async #create(name: string): Promise<void> {
    await this.#until(`create ${name}`, async () => {
      const { value } = await this.#cluster.node.call('HasCollection', { collection_name: name })
      if (value !== true) await this.#cluster.node.call('CreateCollection', createRequest(name, 1 + (this.#world.seed % 2)))
      await this.#cluster.node.call('CreateIndex', indexRequest(name))
    })
    this.#instances.set(name, new Instance(name, this.#world.ordersByTime))
    this.#world.note(`created ${name}`)
  }

  /** Drops a collection and makes another of its name: nothing of the first may show in it. */
  async #replace(name: string): Promise<void> {
    const instance = await this.#lock(name)
    if (instance === undefined) return
    instance.gone = true
    this.#loaded.delete(name)
    await this.#until(`drop ${name}`, async () => {
      await this.#cluster.node.call('DropCollection', { collection_name: name })
      const { value } = await this.#cluster.node.call('HasCollection', { collection_name: name })
      if (value === true) throw new NotYet('it is still there')
    })
    this.#world.sometimes('drop')
    await this.#create(name)
    if (this.#queryNodes > 1) await this.#loadWhole(name)
  }

  async #truncate(name: string): Promise<void> {
    const instance = await this.#lock(name)
    if (instance === undefined) return
    const done = await this.#try('truncate', () => this.#cluster.node.call('TruncateCollection', { collection_name: name }))
    if (done) instance.model.truncated()
    else instance.model.maybeTruncated()
    instance.locked = false
  }

  async #load(name: string): Promise<void> {
    if (await this.#try('load', () => this.#cluster.node.call('LoadCollection', { collection_name: name, replica_number: this.#replicas() }))) this.#loaded.add(name)
  }

  async #loadWhole(name: string): Promise<void> {
    await this.#load(name)
    for (let attempt = 0; attempt < 20 && this.#loaded.has(name); attempt++) {
      const isThere = await this.#try('loading progress', async () => {
        const { progress } = await this.#cluster.node.call('GetLoadingProgress', { collection_name: name })
        if (progress < 100n) throw new NotYet(`progress is ${progress}`)
      })
      if (isThere) return
      await this.#world.sleep(500)
    }
  }

  #replicas(): number {
    return this.#queryNodes > 1 ? this.#world.random.integer(1, 2) : 1
  }

  async #release(name: string): Promise<void> {
    this.#loaded.delete(name)
    await this.#try('release', () => this.#cluster.node.call('ReleaseCollection', { collection_name: name }))
  }

  /** Waits until no call to it is under way, and lets none begin. */
  async #lock(name: string): Promise<Instance | undefined> {
    const instance = this.#instances.get(name)
    if (instance === undefined) return undefined
    instance.locked = true
    while (instance.calls > 0) await this.#world.sleep(5)
    return instance
  }

  #some(): Instance | undefined {
    const open = [...this.#instances.values()].filter(({ locked, gone }) => !locked && !gone)
    return open.length === 0 ? undefined : this.#world.random.pick(open)
  }

  async #try(what: string, run: () => Promise<unknown>): Promise<boolean> {
    this.#world.note(what)
    try {
      await run()
      this.#world.sometimes(what)
      return true
    } catch (error) {
      this.#world.note(`${what} failed: ${String(error)}`)
      this.#world.sometimes(`${what} failed`)
      if (!(error instanceof MilvusError) && !(error instanceof NoAnswer) && !(error instanceof NotYet)) this.#world.violated(`${what} failed without a code: ${error instanceof Error ? (error.stack ?? '') : String(error)}`)
      return false
    }
  }

  /** Tries again until it is done. */
  async #until(what: string, run: () => Promise<unknown>): Promise<void> {
    while (!(await this.#try(what, run))) await this.#world.sleep(100)
  }

  /** Must be done within a minute, now that nothing goes wrong. */
  async #must(what: string, run: () => Promise<unknown>): Promise<void> {
    let failure: unknown
    for (let attempt = 0; attempt < 60; attempt++) {
      try {
        await run()
        return
      } catch (error) {
        failure = error
        await this.#world.sleep(1_000)
      }
    }
    this.#world.violated(`without faults: ${what} fails: ${String(failure)}`)
  }

  #pause(ms: number): Promise<void> {
    return this.#world.sleep(this.#world.random.integer(0, ms))
  }
}

function settingsOf({ random }: World, queryNodes: number): Record<string, string> {
  const several = queryNodes === 1 ? {} : severalNodes(random, queryNodes)
  return {
    ...several,
    'rootCoord.dmlChannelNum': String(random.integer(1, 3)),
    'indexNode.minRows': '5',
    'compaction.minSegments': '3',
    'compaction.deleteShare': '0.2',
    'dataNode.sealBytes': random.pick(['1k', '2k', '128m']),
    'dataNode.sealIdle': random.pick(['500ms', '5s', '10m']),
    'proxy.timeTickInterval': random.pick(['10ms', '50ms', '200ms']),
  }
}
