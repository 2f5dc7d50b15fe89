/** A whole node in one life: all roles and the proxy's handlers, over stores that survive it. */
import type { KVBase } from '@timetick/kv'
import { createMemoryKV } from '@timetick/kv/memory'
import type { Mq } from '@timetick/msgstream'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { openFileMq } from '@timetick/msgstream/file'
import { createMemoryMq } from '@timetick/msgstream/memory'
import type { NodeClock } from '../../src/edge/system.ts'
import { openCore, type NodeCore, type Part } from '../../src/node/core.ts'
import { openClients } from '../../src/node/clients.ts'
import { createHandlers } from '../../src/node/handlers.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { dispatchObject, type DispatchOptions } from '../../src/server/dispatch.ts'
import { createTaskQueues, type TaskQueues, withQueues } from '../../src/server/task-queue.ts'
import { allowAll, type RpcName } from '../../src/server/handlers.ts'
import { asMilvusError } from '../../src/server/status.ts'
import { methods, type Init, type Rpcs } from '../../src/wire/index.ts'
import { openFolderStorage, type ObjectStorage } from '../../src/storage/index.ts'
import type { FaultyDisk, Gate } from './faulty-disk.ts'
import { Life, never } from './life.ts'
import { kvOf, SimulatedMq, storageOf } from './ports.ts'
import { SimulatedEngine, type EngineFiles } from './sim-engine.ts'
import { SimulatedStorage } from './sim-storage.ts'
import type { World } from './world.ts'

/** What survives a crash. A planted bug replaces one of them. With a disk, log and objects are folders of it, opened by each life. */
export interface Surviving {
  readonly disk?: FaultyDisk | undefined
  readonly kv: KVBase
  readonly mq: Mq
  readonly storage: SimulatedStorage
}

export { openFiles }

export function createSurviving(clock: Pick<NodeClock, 'now' | 'monotonic' | 'setTimer'>): Surviving {
  return { kv: createMemoryKV({ clock }), mq: createMemoryMq(), storage: new SimulatedStorage() }
}

/** A planted bug replaces a part of each life. */
export type PlantCore = (core: NodeCore, world: World) => NodeCore

/** A socket, and the identifier that Connect gave over it or another one. */
export interface Caller {
  readonly peer: string
  readonly identifier: bigint | undefined
}

/** The client does not know what became of its call: the node died, or did not answer in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

const CLIENT_TIMEOUT_MS = 15_000
/** The limit of the server. */
const CLOSE_GRACE_MS = 2_000
/** Of clients that would not know what became of the calls behind one without an answer. */
const PATIENT_TIMEOUT_MS = 600_000
const rpcs = new Map(methods.map((method) => [method.name, method]))

export class SimulatedNode<Core = NodeCore> {
  readonly core: Core
  readonly parameters: GlobalParamsTable
  readonly #life: Life
  readonly #dispatch: DispatchOptions
  readonly #parts: Part[]
  /** Ends a call that runs without an answer. */
  readonly #running = new Set<() => void>()
  #isClosing = false

  constructor(life: Life, core: Core, parameters: GlobalParamsTable, dispatch: DispatchOptions, parts: Part[]) {
    this.core = core
    this.parameters = parameters
    this.#life = life
    this.#dispatch = dispatch
    this.#parts = parts
  }

  /** Takes calls. */
  get alive(): boolean {
    return this.#life.alive && !this.#isClosing
  }

  /** As a client would: rejects with MilvusError for an answer that says no, with NoAnswer for none. */
  async call<Name extends RpcName>(rpc: Name, request: Init<Rpcs[Name]['request']>, by: string | Caller = 'simulated'): Promise<Rpcs[Name]['response']> {
    const method = rpcs.get(rpc)
    if (method === undefined) throw new Error(`there is no method ${rpc}`)
    if (!this.alive) throw new NoAnswer('there is no node')
    const abort = new AbortController()
    const { peer, identifier } = typeof by === 'string' ? { peer: by, identifier: undefined } : by
    const ticket = this.#dispatch.clients?.draw(rpc, identifier === undefined ? undefined : String(identifier), undefined, peer)
    const info = { metadata: new Map<string, string>(), identifier, peer, signal: abort.signal, deadline: undefined, ticket }
    const { clock } = this.#life.world
    const answered = this.#life.world.waits(`${rpc} of ${peer}${identifier === undefined ? '' : ` as ${identifier}`}`)
    return new Promise((resolve, reject) => {
      const cancelTimer = clock.setTimer(() => (abort.abort(new NoAnswer(`${rpc} was not answered`)), settle(() => reject(new NoAnswer(`${rpc} was not answered`)))), peer === 'simulated' ? CLIENT_TIMEOUT_MS : PATIENT_TIMEOUT_MS)
      const forget = this.#life.onDeath(() => settle(() => reject(new NoAnswer('the node died'))))
      const give = (): void => (abort.abort(new NoAnswer('the node closed')), settle(() => reject(new NoAnswer('the node closed'))))
      this.#running.add(give)
      const settle = (done: () => void): void => {
        this.#running.delete(give)
        answered()
        ticket?.leave()
        cancelTimer()
        forget()
        done()
      }
      dispatchObject(this.#dispatch, method, request, info).then(
        (response) => settle(() => resolve(response)),
        (error: unknown) => settle(() => reject(asMilvusError(error) ?? (error instanceof Error ? error : new Error(String(error))))),
      )
    })
  }

  /** A client opens its connection, or closes it. */
  connect(peer: string): void {
    this.#dispatch.clients?.socketOpened(peer)
  }

  disconnect(peer: string): void {
    this.#dispatch.clients?.socketClosed(peer)
  }

  kill(): void {
    this.#life.kill()
  }

  /** As the server does it: no new calls, a while for those that run, and then the parts. */
  async close(): Promise<void> {
    this.#isClosing = true
    const { clock } = this.#life.world
    for (const until = clock.monotonic() + CLOSE_GRACE_MS; this.#running.size > 0 && clock.monotonic() < until; ) await this.#life.world.sleep(20)
    for (const give of this.#running) give()
    for (const part of this.#parts.splice(0).reverse()) await part.close()
    this.#life.kill()
  }
}

/** Starts a life on these stores. When it cannot start, the life is over. */
export async function startSimulatedNode(world: World, surviving: Surviving, settings: Readonly<Record<string, string>>, plant: PlantCore = (core) => core): Promise<SimulatedNode> {
  const life = new Life(world)
  const parts: Part[] = []
  const keep = async <T extends Part>(opening: Promise<T> | T): Promise<T> => {
    const part = await opening
    parts.push(part)
    return part
  }
  const parameters = createParameters({})
  for (const [key, value] of Object.entries(settings)) parameters.save(key, value)
  const warn = (fields: Readonly<Record<string, unknown>>, message: string): void => world.note(`warning ${message}: ${fields['err'] instanceof Error ? fields['err'].message : ''}`)
  const logger = { ...silentLogger, warn, error: warn }
  try {
    const { mq, storage, files } = await openFiles(life, surviving)
    await keep(mq)
    const stores = { kv: kvOf(life, surviving.kv), mq: new SimulatedMq(life, mq), storage: storageOf(life, storage), close: async () => undefined }
    const engine = new SimulatedEngine(life, files)
    const core = await openCore({ stores, engine, parameters, logger, clock: life, random: () => world.random.next(), owner: `start-${world.nextStart()}` }, keep)
    const planted = plant(core, world)
    const clients = await keep(openClients(planted, parameters, life))
    const handlers = createHandlers({ ...planted, parameters, clock: life, clients })
    // The server's queues, where a story is about them.
    const queued = settings['proxy.maxTaskNum'] === undefined ? handlers : withQueues(handlers, queuesOf(parameters, life))
    return new SimulatedNode(life, core, parameters, { handlers: queued, authorize: allowAll, clients }, parts)
  } catch (error) {
    life.kill()
    throw error
  }
}

function queuesOf(parameters: GlobalParamsTable, clock: Life): TaskQueues {
  const [ddl, dml, dql] = ['proxy.ddlConcurrency', 'proxy.dmlConcurrency', 'proxy.dqlConcurrency'].map((key) => parameters.getInt(key)) as [number, number, number]
  return createTaskQueues({ maxWaiting: parameters.getInt('proxy.maxTaskNum'), maxRunning: { ddl, dml, dql }, clock })
}

async function openFiles(life: Life, { disk, mq, storage }: Surviving): Promise<{ mq: Mq; storage: ObjectStorage; files: EngineFiles }> {
  // In memory both survive as they are: a life must not close them.
  if (disk === undefined) {
    const files = { write: (path: string, bytes: Uint8Array) => storage.writeFile(path, bytes), read: (key: string) => storage.objects.get(key) }
    return { mq: kept(mq), storage, files }
  }
  const { world } = life
  const gate: Gate = async (run) => {
    // Now and then something else comes between two operations: it may be the crash.
    if (world.random.chance(0.05)) await new Promise<void>((resolve) => void life.setTimer(resolve, world.random.integer(0, 3)))
    return life.alive ? run() : never()
  }
  const log = await openFileMq({ path: '/log', fs: disk.logFiles(gate), lock: async () => ({ release: async () => undefined }), clock: life, segmentBytes: 8192 })
  const objects = await openFolderStorage({ path: '/objects', fs: disk.objectFiles(gate) })
  return { mq: log, storage: objects, files: { write: (path, bytes) => disk.writeFile(path, bytes), read: (path) => disk.bytes(path) } }
}

function kept(mq: Mq): Mq {
  return new Proxy(mq, {
    get(_target, property) {
      if (property === 'close') return async () => undefined
      const value: unknown = Reflect.get(mq, property, mq)
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, mq, args) : value
    },
  })
}
