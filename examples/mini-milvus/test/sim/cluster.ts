/** The node that is up now, and who brings it up again. */
import { MsgStreamError } from '@timetick/msgstream'
import type { NodeCore } from '../../src/node/core.ts'
import { createSurviving, NoAnswer, startSimulatedNode, type PlantCore, type SimulatedNode, type Surviving } from './sim-node.ts'
import type { World } from './world.ts'

/** A node must be closed, and must be up again, within this much virtual time. */
const PATIENCE_MS = 120_000

/** What the simulation's clients talk to, and its faults strike. */
export interface Nodes {
  /** One that serves; throws while there is none. */
  readonly node: Pick<SimulatedNode<{ readonly catalog: Pick<NodeCore['catalog'], 'segment'> }>, 'call' | 'core'>
  readonly disk: Surviving['disk']
  objects(): string[]
  start(): Promise<void>
  crash(): void
  close(): Promise<void>
  heal(): Promise<void>
}

export class Cluster implements Nodes {
  readonly world: World
  readonly #surviving: Surviving
  readonly #settings: Readonly<Record<string, string>>
  readonly #plantCore: PlantCore | undefined
  #node: SimulatedNode | undefined
  #starting: Promise<void> | undefined

  constructor(world: World, settings: Readonly<Record<string, string>>, plant: (surviving: Surviving, world: World) => Surviving, plantCore?: PlantCore) {
    this.world = world
    this.#plantCore = plantCore
    this.#settings = settings
    this.#surviving = plant(createSurviving(world.clock), world)
  }

  /** The node that serves; rejects while there is none. */
  get node(): SimulatedNode {
    if (this.#node === undefined || !this.#node.alive) throw new NoAnswer('there is no node')
    return this.#node
  }

  get disk(): Surviving['disk'] {
    return this.#surviving.disk
  }

  /** Keys of all objects. */
  objects(): string[] {
    const { disk, storage } = this.#surviving
    return disk === undefined ? [...storage.objects.keys()] : disk.paths('/objects/segments/').map((path) => path.slice('/objects/'.length))
  }

  /** Tries until a node is up. */
  start(): Promise<void> {
    if (this.#node?.alive === true) return Promise.resolve()
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  crash(): void {
    this.world.note('crash')
    this.world.sometimes('crash')
    this.#node?.kill()
    this.#node = undefined
    if (this.disk === undefined || !this.world.random.chance(0.7)) return
    this.world.note('power is lost')
    this.world.sometimes('power lost')
    this.disk.losePower(() => this.world.random.next())
  }

  async close(): Promise<void> {
    const node = this.#node
    this.#node = undefined
    if (node === undefined) return
    this.world.note('close')
    const closed = node.close().then(() => true, (error: unknown) => {
      this.world.violated(`closing failed: ${String(error)}`)
      return true
    })
    const isClosed = await Promise.race([closed, this.world.sleep(PATIENCE_MS).then(() => false)])
    if (!isClosed) this.world.violated(`a node did not close within ${PATIENCE_MS} ms`)
    node.kill()
  }

  /** The log takes nothing any more since a write had no answer: only a new start heals that. */
  async heal(): Promise<void> {
    if (this.#node === undefined || this.#starting !== undefined) return
    try {
      await this.#node.core.ticks.write(() => [], this.#node.core.pchannels)
    } catch (error) {
      if (!(error instanceof MsgStreamError) || (error.code !== 'MSG_PRODUCER_FAILED' && error.code !== 'MSG_STORAGE_FAILED')) return
      this.world.sometimes('log failed for good')
      if (this.world.random.chance(0.5)) this.crash()
      else await this.close()
      await this.start()
    }
  }

  async #start(): Promise<void> {
    const begun = this.world.clock.monotonic()
    for (;;) {
      try {
        const starting = startSimulatedNode(this.world, this.#surviving, this.#settings, this.#plantCore)
        this.#node = await starting
        this.world.note('started')
        return
      } catch (error) {
        this.world.note(`no start: ${String(error)}`)
        this.world.sometimes('start failed')
        if (this.world.clock.monotonic() - begun > PATIENCE_MS && !this.world.faults) {
          this.world.violated(`the node does not start: ${String(error)}`)
          throw error
        }
        await this.world.sleep(200)
      }
    }
  }
}
