/** Definitions need no flush (R4): what is dropped or emptied takes along what is staged on it, and nothing else; fields that come are filled. */
import type { Cluster } from './cluster.ts'
import { indexRequest } from './requests.ts'
import { AUTO, KEYED, type StageClient } from './stage-client.ts'
import type { StageHistory } from './stage-history.ts'
import { addedField, PARTITION, stageCollection } from './stage-requests.ts'
import type { StageTurns } from './stage-turns.ts'
import type { World } from './world.ts'

/** Without faults everything is there after so long. */
const PATIENCE_MS = 60_000
/** However the stores are struck, what is tried again and again is done some time. */
const FAULTY_PATIENCE_MS = 300_000
const MAX_FIELDS = 2

export async function untilDone(world: World, what: string, work: () => Promise<unknown>): Promise<void> {
  const begun = world.clock.monotonic()
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      world.note(`${what}: ${String(error)}`)
      const tried = world.clock.monotonic() - begun
      if (!world.faults && tried > PATIENCE_MS) return world.violated(`without faults: ${what} fails: ${String(error)}`)
      if (tried > FAULTY_PATIENCE_MS) throw new Error(`seed ${world.seed}: ${what} has failed for ${tried} ms: ${String(error)}`, { cause: error })
      await world.sleep(100)
    }
  }
}

export class StageDefinitions {
  readonly #world: World
  readonly #cluster: Cluster
  readonly #history: StageHistory
  readonly #turns: StageTurns
  readonly #clients: readonly StageClient[]
  readonly #shards: ReadonlyMap<string, number>
  /** Names of fields that were added, by collection. */
  readonly added: Map<string, string[]>

  constructor(world: World, cluster: Cluster, history: StageHistory, turns: StageTurns, clients: readonly StageClient[], added: Map<string, string[]>) {
    this.#world = world
    this.#cluster = cluster
    this.#history = history
    this.#turns = turns
    this.#clients = clients
    this.#shards = new Map([[KEYED, world.random.integer(1, 3)], [AUTO, world.random.integer(1, 2)]])
    this.added = added
  }

  async make(name: string): Promise<void> {
    await untilDone(this.#world, `create ${name}`, async () => {
      if (!(await this.#has(name))) await this.#call('CreateCollection', stageCollection(name, this.#shards.get(name) ?? 1, name === AUTO))
      await this.#call('CreateIndex', indexRequest(name))
      if (name === KEYED) await this.#makePartition(name)
      await this.#call('LoadCollection', { collection_name: name })
    })
    await this.#loaded(name)
  }

  async step(): Promise<void> {
    const { random } = this.#world
    const name = random.pick([KEYED, AUTO])
    const kind = random.pick(['truncate', 'drop collection', 'drop partition', 'add field', 'add field'] as const)
    if (kind === 'add field') return this.#addField(name)
    await this.#turns.alone(async () => {
      this.#world.note(`${kind} ${name}`)
      const sent = this.#history.tick()
      const partitioned = kind === 'drop partition'
      if (kind === 'truncate') await untilDone(this.#world, 'truncate', () => this.#call('TruncateCollection', { collection_name: name }))
      else if (partitioned) await this.#dropPartition(KEYED)
      else await this.#drop(name)
      const done = this.#history.tick()
      for (const client of this.#clients) client.emptied(partitioned ? KEYED : name, partitioned, sent, done)
      this.#world.sometimes(kind)
    })
  }

  async #drop(name: string): Promise<void> {
    await untilDone(this.#world, 'drop', async () => {
      if (await this.#has(name)) await this.#call('DropCollection', { collection_name: name })
    })
    this.added.delete(name)
    await this.make(name)
  }

  async #dropPartition(name: string): Promise<void> {
    await untilDone(this.#world, 'drop partition', async () => {
      // It may have been done without an answer.
      if (!(await this.#hasPartition(name))) return
      await this.#call('ReleasePartitions', { collection_name: name, partition_names: [PARTITION] })
      await this.#call('DropPartition', { collection_name: name, partition_name: PARTITION })
    })
    await untilDone(this.#world, 'create partition', async () => {
      await this.#makePartition(name)
      await this.#call('LoadCollection', { collection_name: name })
    })
    await this.#loaded(name)
  }

  /** Clients go on meanwhile. */
  async #addField(name: string): Promise<void> {
    const fields = this.added.get(name) ?? []
    if (fields.length === MAX_FIELDS) return
    const field = `added_${fields.length}`
    await this.#turns.alone(async () => {
      await untilDone(this.#world, 'add field', async () => {
        const { schema } = await this.#cluster.node.call('DescribeCollection', { collection_name: name })
        if (schema?.fields.some((there) => there.name === field) !== true) await this.#call('AddCollectionField', addedField(name, field))
      })
    })
    this.#world.note(`${field} was added to ${name}`)
    this.added.set(name, [...fields, field])
    this.#world.sometimes('add field')
  }

  async #makePartition(name: string): Promise<void> {
    if (!(await this.#hasPartition(name))) await this.#call('CreatePartition', { collection_name: name, partition_name: PARTITION })
  }

  async #has(name: string): Promise<boolean> {
    return (await this.#cluster.node.call('HasCollection', { collection_name: name })).value === true
  }

  async #hasPartition(name: string): Promise<boolean> {
    return (await this.#cluster.node.call('HasPartition', { collection_name: name, partition_name: PARTITION })).value === true
  }

  readonly #call: Cluster['node']['call'] = (rpc, request) => this.#cluster.node.call(rpc, request)

  async #loaded(name: string): Promise<void> {
    await untilDone(this.#world, `load of ${name}`, async () => {
      const { progress } = await this.#cluster.node.call('GetLoadingProgress', { collection_name: name })
      if (progress < 100n) throw new Error(`progress is ${progress}`)
    })
  }
}
