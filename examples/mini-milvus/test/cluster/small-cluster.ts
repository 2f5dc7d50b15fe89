/** A few processes of a cluster in virtual time, whose stores and network do what a test says, and nothing by chance. */
import type { KVBase } from '@timetick/kv'
import { createMemoryKV } from '@timetick/kv/memory'
import { createMemoryMq } from '@timetick/msgstream/memory'
import { type ClusterMember, openMember } from '../../src/cluster/member.ts'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import type { Keep, Part } from '../../src/node/core.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { Life } from '../sim/life.ts'
import { SimulatedEngine } from '../sim/sim-engine.ts'
import { SimulatedStorage } from '../sim/sim-storage.ts'
import { World } from '../sim/world.ts'

export class SmallCluster {
  readonly world = new World(1)
  readonly kv: KVBase = createMemoryKV({ clock: this.world.clock })
  readonly warnings: string[] = []
  /** No request comes to these, or leaves them; or both. */
  readonly deaf = new Set<string>()
  readonly mute = new Set<string>()
  readonly #mq = createMemoryMq()
  readonly #storage = new SimulatedStorage()
  readonly #parts: Part[] = []
  /** Of all processes. */
  readonly parameters = createParameters({})
  readonly #network = new MemoryNetwork({ clock: this.world.clock, delayMs: (from, to, way) => (way === 'request' && (this.deaf.has(to) || this.mute.has(from)) ? undefined : 1) })

  constructor(settings: Readonly<Record<string, string>>) {
    this.world.faults = false
    for (const [key, value] of Object.entries(settings)) this.parameters.save(key, value)
  }

  /** Closed with the cluster. */
  keep<T extends Part>(part: T): T {
    this.#parts.push(part)
    return part
  }

  async open(name: string, roles: readonly ClusterRole[], kv: KVBase = this.kv): Promise<ClusterMember> {
    const life = new Life(this.world)
    const keep: Keep = async (opening) => this.keep(await opening)
    const warn = (fields: Readonly<Record<string, unknown>>, message: string): void => void this.warnings.push(`${name}: ${message}: ${String(fields['err'])}`)
    const stores = { kv, mq: this.#mq, storage: this.#storage, close: async () => undefined }
    const engine = new SimulatedEngine(life, { write: () => undefined, read: () => undefined })
    let owners = 0
    const opened = openMember({
      stores, engine, roles, parameters: this.parameters, logger: { ...silentLogger, warn, error: warn }, clock: life, random: () => 0.5, transport: this.#network.at(name, life), version: '0',
      createOwner: () => `${name}-${(owners += 1)}`,
    }, keep)
    return this.run(opened)
  }

  /** Lets time pass until this has settled. */
  async run<T>(work: Promise<T>, maxMs = 120_000): Promise<T> {
    await this.world.until(work, { maxMs })
    return work
  }

  async pass(ms: number): Promise<void> {
    await this.run(this.world.sleep(ms), ms + 1)
  }

  async until(what: string, isSo: () => boolean, maxMs = 60_000): Promise<void> {
    for (let ms = 0; !isSo(); ms += 50) {
      if (ms > maxMs) throw new Error(`${what}: not within ${maxMs} ms. ${this.warnings.slice(-20).join('\n')}`)
      await this.pass(50)
    }
  }

  async close(): Promise<void> {
    this.deaf.clear()
    this.mute.clear()
    for (const part of this.#parts.splice(0).reverse()) await this.run(Promise.resolve(part.close()))
    await this.kv.close()
  }
}
