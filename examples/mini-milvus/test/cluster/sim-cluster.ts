/** Several processes of a cluster in one, each in its own life, over stores that survive them and a network that loses things. */
import type { KVBase, Watch, WatchBatch } from '@timetick/kv'
import { createMemoryMq } from '@timetick/msgstream/memory'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { createClusterHandlers } from '../../src/cluster/handlers.ts'
import { type ClusterMember, openMember } from '../../src/cluster/member.ts'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { openProxyStaging } from '../../src/cluster/proxy-staging.ts'
import type { NodeClock } from '../../src/edge/system.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import type { Transport } from '../../src/internal/transport.ts'
import type { Part } from '../../src/node/core.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { allowAll } from '../../src/server/handlers.ts'
import type { Nodes } from '../sim/cluster.ts'
import { patched } from '../sim/broken-stores.ts'
import { Life, never } from '../sim/life.ts'
import { kvOf, SimulatedMq, storageOf } from '../sim/ports.ts'
import { SimulatedEngine } from '../sim/sim-engine.ts'
import { ClusterRules } from './rules.ts'
import { createSurviving, NoAnswer, openFiles, SimulatedNode, type Surviving } from '../sim/sim-node.ts'
import type { World } from '../sim/world.ts'

/** A process must be closed, and must be up again, within this much virtual time. */
const PATIENCE_MS = 240_000

type Core = ClusterMember & { readonly catalog: ClusterMember['mirror'] }

interface Process {
  readonly name: string
  readonly roles: readonly ClusterRole[]
  node: SimulatedNode<Core> | undefined
  life: Life | undefined
  starting: Promise<void> | undefined
}

const LAYOUTS: readonly (readonly (readonly ClusterRole[])[])[] = [
  [['coordinator'], ['coordinator'], ['data'], ['data'], ['query'], ['proxy'], ['proxy']],
  [['coordinator', 'proxy'], ['coordinator', 'data'], ['data', 'query'], ['query', 'proxy']],
  [['coordinator', 'proxy', 'data', 'query'], ['coordinator', 'proxy', 'data', 'query'], ['proxy', 'data']],
]

export class SimulatedCluster implements Nodes {
  readonly world: World
  readonly disk = undefined
  readonly #surviving: Surviving
  readonly #rules: ClusterRules
  readonly #network: MemoryNetwork
  /** Of all processes. */
  readonly #parameters: GlobalParamsTable
  readonly #processes: Process[]
  readonly #cut = new Set<string>()
  /** Requests do not come to these, or leave them; answers do. */
  readonly #deaf = new Set<string>()
  readonly #mute = new Set<string>()
  readonly #lossy: number
  readonly #slow: number

  constructor(world: World, settings: Readonly<Record<string, string>>, plant: (surviving: Surviving, world: World) => Surviving) {
    const { random } = world
    this.world = world
    const own = { ...settings, 'cluster.leaseTtl': random.pick(['1s', '3s', '10s']), 'cluster.garbageGrace': '10s', 'proxy.timeTickInterval': random.pick(['50ms', '200ms']), 'cluster.logRetention': random.pick(['0ms', '10s', '60s']), 'queryNode.maxWait': '8s', 'cluster.callTimeout': '8s' }
    this.#parameters = createParameters({})
    for (const [key, value] of Object.entries(own)) this.#parameters.save(key, value)
    const surviving = plant({ ...createSurviving(world.clock), mq: createMemoryMq() }, world)
    this.#rules = new ClusterRules(world, surviving.kv, () => this.members)
    this.#surviving = { ...surviving, kv: this.#rules.kv }
    this.#processes = random.pick(LAYOUTS).map((roles, index) => ({ name: `p${index}`, roles, node: undefined, life: undefined, starting: undefined }))
    this.#lossy = random.chance(0.4) ? 0 : random.next() * 0.03
    this.#slow = random.chance(0.4) ? 0 : random.next() * 0.1
    this.#network = new MemoryNetwork({ clock: world.clock, delayMs: (from, to, way) => this.#delay(from, to, way) })
  }

  /** A proxy that is up, any. */
  get node(): SimulatedNode<Core> {
    const up = this.#processes.flatMap(({ node, roles }) => (node?.alive === true && roles.includes('proxy') ? [node] : []))
    if (up.length === 0) throw new NoAnswer('there is no proxy')
    return this.world.random.pick(up)
  }

  get members(): ClusterMember[] {
    return this.#processes.flatMap(({ node }) => (node?.alive === true ? [node.core] : []))
  }

  objects(): string[] {
    return [...this.#surviving.storage.objects.keys()]
  }

  async start(): Promise<void> {
    await Promise.all(this.#processes.map((process) => this.#startOne(process)))
  }

  crash(): void {
    const { random } = this.world
    const struck = random.chance(0.1) ? this.#processes : [random.pick(this.#processes)]
    for (const process of struck) this.#kill(process)
  }

  /** One of them stops in order. */
  async close(): Promise<void> {
    const process = this.world.random.pick(this.#processes)
    const { node } = process
    if (node === undefined || !node.alive) return
    process.node = undefined
    this.world.note(`close ${process.name}`)
    const closed = node.core.drain().then(() => node.close()).then(() => true, (error: unknown) => {
      this.world.violated(`closing failed: ${String(error)}`)
      return true
    })
    const isClosed = await Promise.race([closed, this.world.sleep(PATIENCE_MS).then(() => false)])
    if (!isClosed) this.world.violated(`${process.name} did not close within ${PATIENCE_MS} ms`)
    node.kill()
  }

  /** While there are faults: another one, that passes. Then: nothing is wrong any more. */
  async heal(): Promise<void> {
    const { world } = this
    const { random } = world
    if (!world.faults) {
      for (const troubled of [this.#cut, this.#deaf, this.#mute]) troubled.clear()
      for (const { life } of this.#processes) {
        if (life !== undefined) life.isCutOff = false
        life?.resume()
      }
      return
    }
    const process = random.pick(this.#processes)
    const { life, name } = process
    if (life === undefined || !life.alive) return
    const ms = random.integer(100, 8_000)
    const roll = random.integer(0, 3)
    if (roll === 0) {
      world.note(`${name} is paused for ${ms}`)
      world.sometimes('paused')
      life.pause()
      await world.sleep(ms)
      world.note(`${name} goes on`)
      life.resume()
    } else if (roll === 1) {
      world.note(`${name} is cut off from the metadata for ${ms}`)
      world.sometimes('cut off from the metadata')
      life.isCutOff = true
      await world.sleep(ms)
      life.isCutOff = false
      world.note(`${name} has the metadata again`)
    } else if (roll === 2) {
      const other = random.pick(this.#processes).name
      world.note(`${name} and ${other} do not reach each other for ${ms}`)
      world.sometimes('partition')
      const links = random.chance(0.5) ? [`${name} ${other}`, `${other} ${name}`] : [`${name} ${other}`]
      for (const link of links) this.#cut.add(link)
      await world.sleep(ms)
      for (const link of links) this.#cut.delete(link)
    } else if (random.chance(0.5)) {
      // For longer than some leases last: others get what it has.
      const long = random.integer(1_000, 20_000)
      world.note(`${name} cannot be called for ${long}`)
      world.sometimes('cannot be called')
      this.#deaf.add(name)
      if (random.chance(0.5)) this.#mute.add(name)
      await world.sleep(long)
      this.#deaf.delete(name)
      this.#mute.delete(name)
      world.note(`${name} can be called again`)
    }
  }

  #delay(from: string, to: string, way: 'request' | 'reply'): number | undefined {
    const { world } = this
    if (way === 'request' && from !== to && (this.#deaf.has(to) || this.#mute.has(from))) return undefined
    if (this.#cut.has(`${from} ${to}`)) return undefined
    if (world.faults && world.random.chance(this.#lossy)) {
      world.sometimes('message lost')
      return undefined
    }
    return world.faults && world.random.chance(this.#slow) ? world.random.integer(1, 2_000) : world.random.integer(0, 2)
  }

  #kill(process: Process): void {
    this.world.note(`crash of ${process.name}`)
    this.world.sometimes('crash')
    process.life?.kill()
    process.node = undefined
    process.life = undefined
  }

  #startOne(process: Process): Promise<void> {
    if (process.node?.alive === true) return Promise.resolve()
    process.starting ??= this.#startUntil(process).finally(() => {
      process.starting = undefined
    })
    return process.starting
  }

  async #startUntil(process: Process): Promise<void> {
    const { world } = this
    const begun = world.clock.monotonic()
    for (;;) {
      const life = new Life(world)
      process.life = life
      try {
        // A start that hangs is given up, as somebody would who looks at it.
        const node = await Promise.race([this.#open(process, life), world.sleep(30_000).then(() => Promise.reject(new Error('it does not start')))])
        if (!life.alive) throw new Error('it died')
        process.node = node
        world.note(`started ${process.name}`)
        return
      } catch (error) {
        life.kill()
        if (error instanceof TypeError || error instanceof RangeError) throw error
        world.note(`no start of ${process.name}: ${String(error)}`)
        world.sometimes('start failed')
        if (world.clock.monotonic() - begun > PATIENCE_MS && !world.faults) {
          world.violated(`${process.name} does not start: ${String(error)}`)
          throw error
        }
        await world.sleep(200)
      }
    }
  }

  async #open({ name, roles }: Process, life: Life): Promise<SimulatedNode<Core>> {
    const { world } = this
    const parts: Part[] = []
    const keep = async <T extends Part>(opening: Promise<T> | T): Promise<T> => {
      const part = await opening
      parts.push(part)
      return part
    }
    const parameters = this.#parameters
    const warn = (fields: Readonly<Record<string, unknown>>, message: string): void => world.note(`${name} warning ${message}: ${fields['err'] instanceof Error ? fields['err'].message : ''}`)
    const { mq, storage, files } = await openFiles(life, this.#surviving)
    const stores = { kv: lateWatches(life, kvOf(life, this.#surviving.kv)), mq: new SimulatedMq(life, mq), storage: storageOf(life, storage), close: async () => undefined }
    let owners = 0
    const start = world.nextStart()
    const member = await openMember(
      {
        stores, parameters, roles,
        engine: new SimulatedEngine(life, files),
        logger: { ...silentLogger, warn, error: warn },
        clock: life,
        random: () => world.random.next(),
        createOwner: () => `owner-${start}-${(owners += 1)}`,
        transport: mortal(this.#network.at(name, life), life, world.clock),
        version: '0',
      },
      keep,
    )
    this.#rules.follow(member)
    const onWarning = (message: string, error: unknown): void => warn({ err: error }, message)
    const staging = await openProxyStaging({ member, parameters, clock: life, onWarning }, keep)
    const handlers = createClusterHandlers({ member, staging, parameters, clock: life })
    return new SimulatedNode(life, { ...member, catalog: member.mirror }, parameters, { handlers, authorize: allowAll }, parts)
  }
}

/** What watches tell comes a little later than it is stored, and not at all while the process is cut off. */
function lateWatches(life: Life, kv: KVBase): KVBase {
  const { world } = life
  async function* late(watch: Watch): AsyncGenerator<WatchBatch> {
    for await (const batch of watch) {
      const ms = world.faults && world.random.chance(0.02) ? world.random.integer(1, 1_500) : world.random.integer(0, 2)
      if (ms > 0) await new Promise<void>((resolve) => void life.setTimer(resolve, ms))
      while (life.isCutOff) await new Promise<void>((resolve) => void life.setTimer(resolve, 50))
      await life.running()
      if (!life.alive) await never()
      yield batch
    }
  }
  const wrap = (watch: Watch): Watch => {
    watch.ready.catch(() => undefined)
    return Object.assign(late(watch), { ready: watch.ready, [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose]() })
  }
  return patched(kv, { watch: (...args) => wrap(kv.watch(...args)), watchWithPrefix: (...args) => wrap(kv.watchWithPrefix(...args)) })
}

/** The dead neither call nor answer, and who is paused does both later. */
function mortal(transport: Transport, life: Life, _clock: Pick<NodeClock, 'setTimer'>): Transport {
  return {
    async call(...args) {
      await life.running()
      if (!life.alive) return never()
      const reply = await transport.call(...args)
      await life.running()
      return life.alive ? reply : never()
    },
    async serve(paths, serve) {
      const server = await transport.serve(paths, async (path, request, signal) => {
        await life.running()
        if (!life.alive) return never()
        const reply = await serve(path, request, signal)
        await life.running()
        return life.alive ? reply : never()
      })
      life.onDeath(() => void server.close())
      return server
    },
    close: () => transport.close(),
  }
}
